//! A credential in use: its manager, its exchange, and the watch on its file.

use std::future::pending;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::lifecycle::Readiness;
use crate::secret::SecretSource;
use crate::secret::watch::{Change, Watch};
use crate::telemetry::metrics::Metrics;
use crate::token::cell::Handle;
use crate::token::clock::Clock;
use crate::token::exchange::{Exchange, Login};
use crate::token::manager::{Manager, Policy};
use crate::token::{State, TroubleKind};

/// Keeps one credential's token fresh, for as long as [`Keeper::run`] runs.
#[derive(Debug)]
pub(super) struct Keeper {
    manager: Manager,
    handle: Handle,
    exchange: Exchange,
    watch: Option<Watch>,
    source: String,
}

impl Keeper {
    pub(super) fn new(
        exchange: Exchange,
        login: &Login,
        policy: Policy,
        readiness: &Readiness,
        metrics: Metrics,
    ) -> Self {
        let credential = login.credential();
        let name = format!("credential {}", credential.as_str());
        let latch = readiness.latch(name, "the first token has not come yet");
        let (manager, handle) = Manager::new(credential, policy, Clock::default(), latch, metrics);
        let watch = match login.source() {
            SecretSource::File(path) => Some(Watch::new(path)),
            SecretSource::Value { .. } => None,
        };
        Self { manager, handle, exchange, watch, source: login.source().to_string() }
    }

    /// The way to its manager.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Where its secret comes from.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Notified, it looks at its file at once.
    pub(super) fn look(&self) -> Option<Arc<Notify>> {
        self.watch.as_ref().map(Watch::look)
    }

    /// Exchanges and watches, for ever.
    pub(super) async fn run(self) {
        let Self { manager, handle, exchange, watch, .. } = self;
        let watching = async {
            let Some(mut watch) = watch else { return pending().await };
            loop {
                match watch.changed().await {
                    Change::Another => handle.key_changed().await,
                    // Nobody needs another token for it, unless the secret was missed meanwhile.
                    Change::Back if is_missed(&handle.state()) => handle.key_changed().await,
                    Change::Back => {}
                }
            }
        };
        tokio::select! {
            () = manager.run(async || exchange.run().await) => {}
            () = watching => {}
        }
    }
}

/// Whether its renewal fails for a reason that the file may be.
fn is_missed(state: &State) -> bool {
    let trouble = match state {
        State::Initializing => None,
        State::Available { renewal, .. } => renewal.as_deref(),
        State::Unavailable(trouble) => Some(&**trouble),
    };
    trouble.is_some_and(|trouble| trouble.kind != TroubleKind::RateLimited)
}

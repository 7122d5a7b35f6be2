//! The secret that clients must show, and the watch on its file.

use std::future::pending;
use std::sync::Arc;

use tokio::sync::Notify;
use tracing::warn;

use crate::config::ClientToken;
use crate::secret::shared::Shared;
use crate::secret::watch::{Change, Watch};
use crate::secret::{SecretError, SecretSource};

/// Keeps what clients must show the same as what the file holds, for as long as [`Self::run`] runs.
#[derive(Debug)]
pub(super) struct ClientTokenKeeper {
    source: SecretSource,
    shared: Shared,
    watch: Option<Watch>,
}

impl ClientTokenKeeper {
    pub(super) fn new(token: &ClientToken) -> Result<Self, SecretError> {
        let watch = match &token.source {
            SecretSource::File(path) => Some(Watch::new(path)),
            SecretSource::Value { .. } => None,
        };
        let source = token.source.clone();
        Ok(Self { shared: Shared::new(source.read()?), source, watch })
    }

    /// What clients must show.
    pub(super) fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// Notified, it looks at its file at once.
    pub(super) fn look(&self) -> Option<Arc<Notify>> {
        self.watch.as_ref().map(Watch::look)
    }

    /// Watches, for ever.
    pub(super) async fn run(self) {
        let Self { source, shared, watch } = self;
        let Some(mut watch) = watch else { return pending().await };
        loop {
            if watch.changed().await == Change::Another {
                match source.read() {
                    Ok(secret) => shared.replace(secret),
                    // It is gone again already; the watch says so, and looks on.
                    Err(error) => warn!(%error, "the client token stays as it was"),
                }
            }
        }
    }
}

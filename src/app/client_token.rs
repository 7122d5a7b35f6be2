//! The secret that clients must show, and the watch on its file.

use std::future::pending;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::config::ClientToken;
use crate::secret::shared::Shared;
use crate::secret::watch::Watch;
use crate::secret::{SecretError, SecretSource};

/// Keeps what clients must show the same as what the file holds, for as long as [`Self::run`] runs.
#[derive(Debug)]
pub(super) struct ClientTokenKeeper {
    shared: Shared,
    watch: Option<Watch>,
}

impl ClientTokenKeeper {
    pub(super) fn new(token: &ClientToken) -> Result<Self, SecretError> {
        let watch = match &token.source {
            SecretSource::File(path) => Some(Watch::new(path)),
            SecretSource::Value { .. } => None,
        };
        // What the watch has seen, so that it tells of anything else.
        let seen = watch.as_ref().and_then(Watch::secret).cloned();
        let secret = seen.map_or_else(|| token.source.read(), Ok)?;
        Ok(Self { shared: Shared::new(secret), watch })
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
        let Self { shared, watch } = self;
        let Some(mut watch) = watch else { return pending().await };
        loop {
            watch.changed().await;
            // What the watch has seen: the file may hold something else again already.
            if let Some(secret) = watch.secret() {
                shared.replace(secret.clone());
            }
        }
    }
}

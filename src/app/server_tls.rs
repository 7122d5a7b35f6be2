//! The certificates that apps see, and the watch on their files.

use std::future::pending;
use std::sync::Arc;

use notify::RecommendedWatcher;
use tokio::sync::Notify;
use tracing::{debug, info, warn};

use super::StartError;
use crate::config::ServerTls;
use crate::secret::watch::{LOOK_EVERY, SETTLE, file_events};
use crate::tls::Server;

/// Keeps what clients see the same as what the files hold, for as long as [`Self::run`] runs.
#[derive(Debug)]
pub(super) struct ServerTlsKeeper {
    files: ServerTls,
    server: Server,
    fingerprint: u64,
    look: Arc<Notify>,
    // Held for their events, which end when they are dropped.
    _events: Vec<RecommendedWatcher>,
}

impl ServerTlsKeeper {
    pub(super) fn new(files: &ServerTls) -> Result<Self, StartError> {
        let look = Arc::new(Notify::new());
        let watched = files.files().filter_map(|path| {
            file_events(path, look.clone())
                .inspect_err(|error| debug!(%error, "no file events: certificates are looked at every 10 s"))
                .ok()
        });
        let events = watched.collect();
        let identity = files.read()?;
        let (server, fingerprint) = (Server::new(&identity)?, identity.fingerprint);
        Ok(Self { files: files.clone(), server, fingerprint, look, _events: events })
    }

    /// What connections are accepted with.
    pub(super) fn server(&self) -> Server {
        self.server.clone()
    }

    /// Notified, it looks at its files at once.
    pub(super) fn look(&self) -> Arc<Notify> {
        self.look.clone()
    }

    /// Watches, for ever.
    pub(super) async fn run(keeper: Option<Self>) {
        let Some(mut keeper) = keeper else { return pending().await };
        let mut told = None;
        loop {
            tokio::select! {
                () = keeper.look.notified() => tokio::time::sleep(SETTLE).await,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            match keeper.look_again() {
                Ok(()) => told = None,
                // As often as it changes, not as often as it is looked at.
                Err(error) if told.as_ref() != Some(&error) => {
                    warn!(error, "the certificates in use stay as they were");
                    told = Some(error);
                }
                Err(_) => {}
            }
        }
    }

    fn look_again(&mut self) -> Result<(), String> {
        let identity = self.files.read().map_err(|error| error.to_string())?;
        if identity.fingerprint != self.fingerprint {
            self.server.replace(&identity).map_err(|error| error.to_string())?;
            self.fingerprint = identity.fingerprint;
            info!(file = %self.files.cert_file.display(), "the certificates have changed");
        }
        Ok(())
    }
}

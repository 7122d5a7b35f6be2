//! Serves the routes on whatever kind of socket there is, to so many at once and for so long that nobody who
//! reaches it can take the process's descriptors or memory.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::debug;

use super::Admin;
use crate::listener::{Accepting, Connection};

/// Connections that are served at once; the others wait in the system's queue. Probes, a collector of metrics
/// and an operator need a few.
const MAX_CONNECTIONS: usize = 64;

/// How long a client may take for a head, and for the next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may be used: a client that does not read its answers has its end, too.
const LIFETIME: Duration = Duration::from_secs(60);

/// How long the request that is under way then may take.
const GRACE: Duration = Duration::from_secs(60);

impl Admin {
    /// Answers until it is dropped.
    pub async fn serve(self, accepting: Accepting) {
        let metrics = self.0.metrics.clone();
        let router = self.router();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            // The semaphore is never closed.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let connection = accepting.next(|| metrics.connection_turned_away("admin")).await;
            let router = router.clone();
            tokio::spawn(async move {
                converse(connection, router).await;
                drop(place);
            });
        }
    }
}

async fn converse(connection: Connection, router: Router) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let mut served =
        pin!(builder.serve_connection(TokioIo::new(connection), TowerToHyperService::new(router)));
    let ended = match timeout(LIFETIME, served.as_mut()).await {
        Ok(ended) => ended,
        Err(_) => {
            served.as_mut().graceful_shutdown();
            timeout(GRACE, served).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection to the admin listener ended badly");
    }
}

//! Serves the routes on whatever kind of socket there is.

use std::io;

use axum::serve::Listener;

use super::Admin;
use crate::listener::{Accepting, Connection};
use crate::telemetry::metrics::Metrics;

/// The admin listener, as axum wants one.
struct Entrance {
    accepting: Accepting,
    metrics: Metrics,
}

impl Admin {
    /// Answers until it is dropped.
    ///
    /// # Errors
    /// None that axum knows of today; whatever it is, nothing is served any more.
    pub async fn serve(self, accepting: Accepting) -> io::Result<()> {
        let metrics = self.0.metrics.clone();
        axum::serve(Entrance { accepting, metrics }, self.router()).await
    }
}

impl Listener for Entrance {
    type Io = Connection;
    type Addr = ();

    async fn accept(&mut self) -> (Connection, ()) {
        (self.accepting.next(|| self.metrics.connection_turned_away("admin")).await, ())
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

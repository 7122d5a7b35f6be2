//! One connection too many: it hears so at once, and is closed.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::voice::Voice;
use crate::listener::Connection;
use crate::telemetry::metrics::Metrics;

/// How long a client's request is waited for, and read. Libraries take an answer that comes before their
/// request for a fault, and one that is still sending when its connection closes may not read it.
const LINGER: Duration = Duration::from_secs(1);

/// Connections that are waited for at once; those beyond are answered and closed without.
const MOST: usize = 64;

/// Between two lines of the log.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Turns connections away.
#[derive(Debug)]
pub(super) struct TurnedAway {
    lingering: Rc<Cell<usize>>,
    speaks_tls: bool,
    told: Cell<Option<Instant>>,
    voice: Rc<Voice>,
    metrics: Metrics,
}

impl TurnedAway {
    pub(super) fn new(speaks_tls: bool, voice: Rc<Voice>, metrics: Metrics) -> Self {
        Self { lingering: Rc::default(), speaks_tls, told: Cell::new(None), voice, metrics }
    }

    /// Turns `connection` away.
    pub(super) fn add(&self, connection: Connection) {
        self.metrics.connection_too_many();
        self.tell();
        // It would take a handshake to say anything.
        if self.speaks_tls {
            return;
        }
        let words = self.voice.there_are_too_many();
        if self.lingering.get() >= MOST {
            connection.try_write(&words);
            return;
        }
        self.lingering.set(self.lingering.get() + 1);
        let lingering = self.lingering.clone();
        tokio::task::spawn_local(async move {
            say(connection, &words).await;
            lingering.set(lingering.get() - 1);
        });
    }

    fn tell(&self) {
        let now = Instant::now();
        if self.told.get().is_none_or(|told| now.duration_since(told) >= TELL_EVERY) {
            self.told.set(Some(now));
            warn!("connections are turned away: there are as many as listen.max_connections allows");
        }
    }
}

async fn say(mut connection: Connection, words: &[u8]) {
    let end = Instant::now() + LINGER;
    let mut scrap = [0; 1024];
    // However these end, there is nothing more to do than to go on.
    let _ = timeout_at(end, connection.read(&mut scrap)).await;
    connection.try_write(words);
    let _ = connection.shutdown().await;
    while let Ok(Ok(1..)) = timeout_at(end + LINGER, connection.read(&mut scrap)).await {}
}

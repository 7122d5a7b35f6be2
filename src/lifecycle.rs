//! A process's life: what it still waits for before it is ready, and how it ends.
//!
//! Readiness is a set of named latches, so that whoever asks learns what is pending and why. The
//! end has two steps: the first signal drains, the second one ends at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Everything that must be in place before requests can be served.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<String, Option<String>>>>);

/// One condition of readiness, set by the part that knows.
#[derive(Debug, Clone)]
pub struct Latch {
    name: String,
    readiness: Readiness,
}

/// A latch that is not set, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The latch's name.
    pub name: String,
    /// What it waits for, as a sentence for people.
    pub reason: String,
}

impl Readiness {
    /// Adds a condition, pending from the start.
    pub fn latch(&self, name: impl Into<String>, reason: impl Into<String>) -> Latch {
        let latch = Latch { name: name.into(), readiness: self.clone() };
        latch.pending(reason);
        latch
    }

    /// What is not in place yet; empty when ready.
    pub fn pending(&self) -> Vec<Pending> {
        self.latches()
            .iter()
            .filter_map(|(name, reason)| {
                let reason = reason.clone()?;
                Some(Pending { name: name.clone(), reason })
            })
            .collect()
    }

    fn latches(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Option<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latch {
    /// The condition holds.
    pub fn ready(&self) {
        self.readiness.latches().insert(self.name.clone(), None);
    }

    /// The condition does not hold (any more).
    pub fn pending(&self, reason: impl Into<String>) {
        self.readiness.latches().insert(self.name.clone(), Some(reason.into()));
    }
}

/// How far a process's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Accepting connections and serving requests.
    Serving,
    /// No new connections; those in being end after the request under way.
    Draining,
}

/// Says when to drain. Made once; every part that serves holds a [`Drain`].
#[derive(Debug)]
pub struct Drainer(watch::Sender<Phase>);

/// Hears when to drain.
#[derive(Debug, Clone)]
pub struct Drain(watch::Receiver<Phase>);

/// The two ends of one drain.
pub fn drain() -> (Drainer, Drain) {
    let (sender, receiver) = watch::channel(Phase::Serving);
    (Drainer(sender), Drain(receiver))
}

impl Drainer {
    /// Tells every [`Drain`] to stop.
    pub fn start(&self) {
        self.0.send_replace(Phase::Draining);
    }
}

impl Drain {
    /// Returns once it is time to drain, or when the [`Drainer`] is gone.
    pub async fn started(&mut self) {
        // An error means that the drainer is gone: nothing is left to serve for.
        let _ = self.0.wait_for(|phase| *phase >= Phase::Draining).await;
    }
}

/// The signals that end the process.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// Which signal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// SIGINT
    Interrupt,
    /// SIGTERM
    Terminate,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

impl Signals {
    /// Takes SIGINT and SIGTERM over from the system's default, which would end the process.
    pub fn install() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Ending {
        tokio::select! {
            _ = self.interrupt.recv() => Ending::Interrupt,
            _ = self.terminate.recv() => Ending::Terminate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_latch_is_set_and_no_longer_than_that() {
        let readiness = Readiness::default();
        let token = readiness.latch("token", "no token yet");
        let listening = readiness.latch("listening", "not bound yet");
        assert_eq!(readiness.pending().len(), 2);

        token.ready();
        listening.ready();
        assert!(readiness.pending().is_empty());

        token.pending("expired");
        assert_eq!(readiness.pending(), [Pending { name: "token".into(), reason: "expired".into() }]);
    }

    #[tokio::test]
    async fn a_drain_that_has_started_is_heard_by_those_who_come_late() {
        let (drainer, mut drain) = drain();
        drainer.start();
        drain.started().await;
        drain.clone().started().await;
    }

    #[tokio::test]
    async fn a_drainer_that_is_gone_ends_the_wait() {
        let (drainer, mut drain) = drain();
        drop(drainer);
        drain.started().await;
    }
}

//! A process's life: what it still waits for before it is ready, and how it ends.
//!
//! Readiness is a set of named latches, so that whoever asks learns what is pending and why. The
//! end has two steps: the first signal drains, the second one ends at once.

pub mod memory;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io};

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::warn;

/// Everything that must be in place before requests can be served.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<String, Condition>>>);

#[derive(Debug, Clone)]
enum Condition {
    Holds,
    /// It holds, but there is something that an operator should know.
    HoldsWith(String),
    Pending(String),
}

/// One condition of readiness, set by the part that knows.
#[derive(Debug, Clone)]
pub struct Latch {
    name: String,
    readiness: Readiness,
}

/// Something that an operator should know of a latch: why it is not set, or what it is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The latch's name.
    pub name: String,
    /// A sentence for people.
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
    pub fn pending(&self) -> Vec<Remark> {
        self.remarks(|condition| match condition {
            Condition::Pending(reason) => Some(reason),
            Condition::Holds | Condition::HoldsWith(_) => None,
        })
    }

    /// What is in place, but not as it should be.
    pub fn notes(&self) -> Vec<Remark> {
        self.remarks(|condition| match condition {
            Condition::HoldsWith(note) => Some(note),
            Condition::Holds | Condition::Pending(_) => None,
        })
    }

    fn remarks(&self, pick: fn(&Condition) -> Option<&String>) -> Vec<Remark> {
        let latches = self.latches();
        let picked = latches.iter().filter_map(|(name, condition)| Some((name, pick(condition)?)));
        picked.map(|(name, reason)| Remark { name: name.clone(), reason: reason.clone() }).collect()
    }

    fn latches(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Condition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latch {
    /// The condition holds. A note tells operators what is not as it should be all the same.
    pub fn ready(&self, note: Option<String>) {
        self.set(note.map_or(Condition::Holds, Condition::HoldsWith));
    }

    /// The condition does not hold (any more).
    pub fn pending(&self, reason: impl Into<String>) {
        self.set(Condition::Pending(reason.into()));
    }

    fn set(&self, condition: Condition) {
        self.readiness.latches().insert(self.name.clone(), condition);
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

/// The signals that the process acts on.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// Raises the number of files and sockets that the process may have open to what the system allows it:
/// each request may need two, and the usual limit is 1,024.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(%error, current = limit.current, "the limit of open files stays as it is");
    }
}

/// Lets no other user use a file that this process creates. The mask is the process's, so this is for its
/// beginning, before there is a second thread.
pub fn keep_files_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Which signal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caught {
    /// SIGINT: drain.
    Interrupt,
    /// SIGTERM: drain.
    Terminate,
    /// SIGHUP: read again what may have changed.
    Hangup,
}

impl fmt::Display for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Hangup => "SIGHUP",
        })
    }
}

impl Signals {
    /// Takes SIGINT, SIGTERM and SIGHUP over from the system's default, which would end the process.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Caught {
        tokio::select! {
            _ = self.interrupt.recv() => Caught::Interrupt,
            _ = self.terminate.recv() => Caught::Terminate,
            _ = self.hangup.recv() => Caught::Hangup,
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

        token.ready(None);
        listening.ready(Some("on a port of the system's choice".into()));
        assert!(readiness.pending().is_empty());
        assert_eq!(readiness.notes()[0].name, "listening");

        token.pending("expired");
        assert_eq!(readiness.pending(), [Remark { name: "token".into(), reason: "expired".into() }]);
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

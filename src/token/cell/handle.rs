//! The way to a credential's manager, and to what it publishes.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::super::clock::Clock;
use super::super::{Credential, Generation, Grant, State, View};
use super::TokenCell;
use super::claim::Claims;

/// What may be told to a manager.
#[derive(Debug)]
pub enum Nudge {
    /// A request found no token that may be used.
    Wanted,
    /// The API answered 401 to a request with this token.
    Rejected(Generation),
    /// The API gave a token in its answer to an app's own request.
    Offer(Grant),
    /// The file that holds the secret has another content.
    KeyChanged,
    /// An operator wants a new token now, and to hear what came of it.
    Refresh(oneshot::Sender<Refreshed>),
}

/// What came of a renewal that an operator asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// There is a token; the same as before where the issuer gave that again.
    Renewed {
        /// Which one it is.
        generation: Generation,
        /// How long it lives.
        lifetime: Duration,
    },
    /// The exchange failed.
    Failed(String),
    /// The floor, or the backoff after a failure, allows no attempt before this is over.
    NotBefore(Duration),
}

/// Leads to a credential's manager. Cheap to clone, and may cross threads.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) credential: Credential,
    pub(super) clock: Clock,
    pub(super) view: watch::Receiver<View>,
    pub(super) claims: Claims,
    nudges: mpsc::Sender<Nudge>,
}

impl Handle {
    pub(in crate::token) fn new(
        credential: Credential,
        clock: Clock,
        view: watch::Receiver<View>,
        nudges: mpsc::Sender<Nudge>,
    ) -> Self {
        Self { credential, clock, view, claims: Claims::default(), nudges }
    }

    /// Which credential this is of.
    pub fn credential(&self) -> Credential {
        self.credential
    }

    /// The state as it is now.
    pub fn state(&self) -> State {
        self.view.borrow().state.clone()
    }

    /// The clock that its deadlines are held against.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A worker's cell. Its requests wait up to `wait_timeout` for a token.
    pub fn cell(&self, wait_timeout: Duration) -> TokenCell {
        TokenCell::new(self.clone(), wait_timeout)
    }

    /// Tells the manager that the file which holds its secret has another content.
    pub async fn key_changed(&self) {
        // An error means that the manager is gone.
        let _ = self.nudges.send(Nudge::KeyChanged).await;
    }

    /// Asks for a new token now, and waits for what comes of it; `None` when the manager is gone.
    pub async fn refresh(&self) -> Option<Refreshed> {
        let (answer, refreshed) = oneshot::channel();
        self.nudges.send(Nudge::Refresh(answer)).await.ok()?;
        refreshed.await.ok()
    }

    pub(super) fn nudge(&self, nudge: Nudge) {
        // A full channel means that the manager has much to look at already; who still needs
        // something says so again.
        let _ = self.nudges.try_send(nudge);
    }
}

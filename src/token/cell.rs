//! What the data path sees of a credential: the current token, or why there is none.
//!
//! Each worker has a cell of its own. A look at a token that has not changed costs one read of a
//! shared counter and no shared write: the header value that goes on requests is the worker's own copy.

use std::cell::RefCell;
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::{mpsc, watch};

use super::clock::{Clock, Deadline, Moment};
use super::{Credential, Generation, Grant, State, Token, Trouble, TroubleKind};

/// What may be told to a manager. The channel is bounded: what does not fit is already known to it.
#[derive(Debug)]
pub enum Nudge {
    /// A request found no token that may be used.
    Wanted,
    /// The API gave a token in its answer to an app's own request.
    Offer(Grant),
}

/// The way to a credential's manager and to what it publishes. Cheap to clone, and may cross threads.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) credential: Credential,
    pub(super) clock: Clock,
    pub(super) state: watch::Receiver<State>,
    pub(super) nudges: mpsc::Sender<Nudge>,
}

/// One worker's view of one credential.
#[derive(Debug)]
pub struct TokenCell {
    handle: Handle,
    wait_timeout: Duration,
    seen: RefCell<Seen>,
}

/// The state as last seen, with this worker's copy of the header value.
#[derive(Debug)]
struct Seen {
    receiver: watch::Receiver<State>,
    current: Option<Current>,
}

/// A token that may be used now.
#[derive(Debug, Clone)]
pub struct Current {
    /// Which one it is.
    pub generation: Generation,
    /// `Bearer …`, marked sensitive.
    pub authorization: HeaderValue,
    /// The server's `exp`, Unix milliseconds by the server's clock.
    pub expires_at_ms: u64,
    end: Deadline,
}

/// Why a request gets no token.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The API refuses the credential; the text says which one and where it came from.
    #[error("{0}")]
    Refused(String),
    /// The authentication endpoint is rate limited for as long as this.
    #[error("the authentication endpoint is rate limited")]
    RateLimited(Duration),
    /// None came in time.
    #[error("{reason}")]
    NotInTime {
        /// Why there is none.
        reason: String,
        /// How long until the next attempt to get one.
        retry_in: Duration,
    },
}

impl Handle {
    /// Which credential this is of.
    pub fn credential(&self) -> Credential {
        self.credential
    }

    /// The state as it is now.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// The clock that its deadlines are held against.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A worker's cell. Its requests wait up to `wait_timeout` for a token.
    pub fn cell(&self, wait_timeout: Duration) -> TokenCell {
        let mut receiver = self.state.clone();
        receiver.mark_changed();
        TokenCell { handle: self.clone(), wait_timeout, seen: RefCell::new(Seen { receiver, current: None }) }
    }
}

impl TokenCell {
    /// The current token; waits for one while there is none and waiting may help.
    pub async fn current(&self) -> Result<Current, Unavailable> {
        match self.usable() {
            Some(current) => Ok(current),
            None => self.wait().await,
        }
    }

    /// Tells the manager of a token that came in an answer of the API's.
    pub fn offer(&self, grant: Grant) {
        // A full channel means that the manager has not even seen the last one: the next will do.
        let _ = self.handle.nudges.try_send(Nudge::Offer(grant));
    }

    /// The time now, on the clocks that tokens are held against.
    pub fn now(&self) -> Moment {
        self.handle.clock.now()
    }

    fn usable(&self) -> Option<Current> {
        let mut seen = self.seen.borrow_mut();
        // An error means that the manager is gone: what it said last still holds until its end.
        if seen.receiver.has_changed().unwrap_or(false) {
            let current = match &*seen.receiver.borrow_and_update() {
                State::Available { token, .. } => Some(Current::of(token)),
                State::Initializing | State::Unavailable(_) => None,
            };
            seen.current = current;
        }
        seen.current.as_ref().filter(|current| !current.end.has_come(self.now())).cloned()
    }

    async fn wait(&self) -> Result<Current, Unavailable> {
        let mut receiver = self.handle.state.clone();
        // A full channel means that the manager is about to look anyway.
        let _ = self.handle.nudges.try_send(Nudge::Wanted);
        let deadline = tokio::time::Instant::now() + self.wait_timeout;
        loop {
            if let Some(hopeless) = self.hopeless(&receiver.borrow_and_update()) {
                return Err(hopeless);
            }
            match tokio::time::timeout_at(deadline, receiver.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(self.not_in_time(&receiver.borrow())),
            }
            if let Some(current) = self.usable() {
                return Ok(current);
            }
        }
    }

    /// What is not worth waiting for.
    fn hopeless(&self, state: &State) -> Option<Unavailable> {
        let trouble = trouble(state)?;
        match trouble.kind {
            TroubleKind::Refused => Some(Unavailable::Refused(trouble.message.clone())),
            TroubleKind::RateLimited => {
                let left = trouble.retry_at.remaining(self.now());
                (left > self.wait_timeout).then_some(Unavailable::RateLimited(left))
            }
            TroubleKind::Failing => None,
        }
    }

    fn not_in_time(&self, state: &State) -> Unavailable {
        let Some(trouble) = trouble(state) else {
            return Unavailable::NotInTime {
                reason: "the first token has not come yet".into(),
                retry_in: self.wait_timeout,
            };
        };
        let retry_in = trouble.retry_at.remaining(self.now());
        match trouble.kind {
            TroubleKind::RateLimited => Unavailable::RateLimited(retry_in),
            TroubleKind::Refused => Unavailable::Refused(trouble.message.clone()),
            TroubleKind::Failing => Unavailable::NotInTime { reason: trouble.message.clone(), retry_in },
        }
    }
}

impl Current {
    fn of(token: &Token) -> Self {
        // A copy of the bytes, so that workers do not share a reference count.
        let mut authorization = HeaderValue::from_bytes(token.authorization.as_bytes())
            .unwrap_or_else(|_| token.authorization.clone());
        authorization.set_sensitive(true);
        Self {
            generation: token.generation,
            authorization,
            expires_at_ms: token.expires_at_ms,
            end: token.end,
        }
    }

    /// Time left at `now`.
    pub fn remaining(&self, now: Moment) -> Duration {
        self.end.remaining(now)
    }
}

fn trouble(state: &State) -> Option<&Trouble> {
    match state {
        State::Initializing => None,
        State::Available { renewal, .. } => renewal.as_deref(),
        State::Unavailable(trouble) => Some(trouble),
    }
}

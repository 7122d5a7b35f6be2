//! What the data path sees of a credential: the current token, or why there is none.
//!
//! Each worker has a cell of its own. A look at a token that has not changed costs one read of a
//! shared counter and no shared write: the header value that goes on requests is the worker's own copy.

mod claim;
mod handle;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

pub use self::claim::Claim;
pub use self::handle::{Handle, Nudge, Refreshed};
use super::clock::{Deadline, Moment};
use super::{Generation, Grant, State, Token, Trouble, TroubleKind, View};

/// How often a request that waits says what it needs.
const SAY_AGAIN: Duration = Duration::from_millis(500);

/// One worker's view of one credential.
#[derive(Debug)]
pub struct TokenCell {
    handle: Handle,
    wait_timeout: Duration,
    seen: RefCell<Seen>,
}

/// The view as last seen, with this worker's copy of the header values.
#[derive(Debug)]
struct Seen {
    receiver: watch::Receiver<View>,
    current: Option<Rc<Current>>,
    in_band: bool,
}

/// A token that may be used now.
#[derive(Debug, Clone)]
pub struct Current {
    /// Which one it is.
    pub generation: Generation,
    /// `Bearer …`, marked sensitive.
    pub authorization: HeaderValue,
    /// The API key that it was got with, marked sensitive.
    pub api_key: Option<HeaderValue>,
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

impl TokenCell {
    pub(super) fn new(handle: Handle, wait_timeout: Duration) -> Self {
        let mut receiver = handle.view.clone();
        receiver.mark_changed();
        Self { handle, wait_timeout, seen: RefCell::new(Seen { receiver, current: None, in_band: false }) }
    }

    /// The current token; waits for one while there is none and waiting may help.
    pub async fn current(&self) -> Result<Rc<Current>, Unavailable> {
        match self.at_hand(self.now()) {
            Some(current) => Ok(current),
            None => self.wait().await,
        }
    }

    /// The current token, if it is newer than one to which the API answered 401.
    pub fn newer_at_hand(&self, rejected: Generation) -> Option<Rc<Current>> {
        self.at_hand(self.now()).filter(|current| current.generation > rejected)
    }

    /// Tells the manager that the API answered 401 to a token.
    pub fn report_rejected(&self, rejected: Generation) {
        self.handle.nudge(Nudge::Rejected(rejected));
    }

    /// A token that is newer than one to which the API answered 401. Asks for one if there is none
    /// yet, and gives up when waiting is no use, or `token.wait_timeout` is over.
    pub async fn newer_than(&self, rejected: Generation) -> Option<Rc<Current>> {
        let mut receiver = self.handle.view.clone();
        let begun = receiver.borrow().begun;
        if let Some(newer) = self.newer_at_hand(rejected) {
            return Some(newer);
        }
        let deadline = Instant::now() + self.wait_timeout;
        let mut told = false;
        loop {
            let (renewal, asked_since, under_way) = {
                let view = receiver.borrow_and_update();
                let renewal = trouble(&view.state)
                    .map(|trouble| (trouble.kind, trouble.retry_at.remaining(self.now())));
                // One that had begun before says nothing of a token that was revoked meanwhile.
                (renewal, view.ended > begun, view.begun > view.ended)
            };
            // Looked for after what it is judged by: a renewal may end at any time.
            if let Some(newer) = self.newer_at_hand(rejected) {
                return Some(newer);
            }
            let first = !std::mem::replace(&mut told, true);
            if first {
                self.report_rejected(rejected);
            }
            match renewal {
                Some((TroubleKind::Refused, _)) => return None,
                Some((TroubleKind::RateLimited, left)) if left > self.wait_timeout => return None,
                // It has been asked, and gave the same token again: once more would be in vain, too.
                None if asked_since => return None,
                Some(_) | None => {}
            }
            // Said again during an exchange, it would ask for another one after that.
            if !first && !under_way {
                self.report_rejected(rejected);
            }
            self.changed(&mut receiver, deadline).await?;
        }
    }

    /// Returns when something may be new, or what was said should be said again: a channel that was full
    /// then may not be now. `None` when the deadline has come, or nothing will ever be new.
    async fn changed(&self, receiver: &mut watch::Receiver<View>, deadline: Instant) -> Option<()> {
        let again = Instant::now() + SAY_AGAIN;
        match timeout_at(deadline.min(again), receiver.changed()).await {
            Ok(changed) => changed.ok(),
            Err(_) => (again < deadline).then_some(()),
        }
    }

    /// Tells the manager of a token that came in an answer of the API's.
    pub fn offer(&self, grant: Grant) {
        self.handle.nudge(Nudge::Offer(grant));
    }

    /// Whether the manager wants the next token to be asked for in an app's request.
    pub fn asks_in_band(&self) -> bool {
        self.seen.borrow().in_band
    }

    /// The right to ask for the next token in an app's request, if the manager wants that and no other
    /// request is at it.
    pub fn claim_in_band(&self, current: &Current) -> Option<Claim> {
        if !self.asks_in_band() {
            return None;
        }
        self.handle.claims.claim(current.generation)
    }

    /// The time now, on the clocks that tokens are held against.
    pub fn now(&self) -> Moment {
        self.handle.clock.now()
    }

    /// The current token, if there is one `now`.
    pub fn at_hand(&self, now: Moment) -> Option<Rc<Current>> {
        let mut seen = self.seen.borrow_mut();
        // An error means that the manager is gone: what it said last still holds until its end.
        if seen.receiver.has_changed().unwrap_or(false) {
            let view = seen.receiver.borrow_and_update().clone();
            seen.in_band = view.in_band;
            seen.current = match &view.state {
                State::Available { token, .. } => Some(Rc::new(Current::of(token))),
                State::Initializing | State::Unavailable(_) => None,
            };
        }
        seen.current.as_ref().filter(|current| !current.end.has_come(now)).cloned()
    }

    async fn wait(&self) -> Result<Rc<Current>, Unavailable> {
        let mut receiver = self.handle.view.clone();
        let deadline = Instant::now() + self.wait_timeout;
        loop {
            // Said again after each attempt that brought nothing.
            self.handle.nudge(Nudge::Wanted);
            if let Some(hopeless) = self.hopeless(&receiver.borrow_and_update().state) {
                return Err(hopeless);
            }
            // A token may have come between the look before this wait and the one just now.
            if let Some(current) = self.at_hand(self.now()) {
                return Ok(current);
            }
            if self.changed(&mut receiver, deadline).await.is_none() {
                return Err(self.not_in_time(&receiver.borrow().state));
            }
        }
    }

    /// What is not worth waiting for.
    fn hopeless(&self, state: &State) -> Option<Unavailable> {
        let State::Unavailable(trouble) = state else { return None };
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
        Self {
            generation: token.generation,
            authorization: own_copy(&token.authorization),
            api_key: token.api_key.as_ref().map(own_copy),
            expires_at_ms: token.expires_at_ms,
            end: token.end,
        }
    }

    /// Time left at `now`.
    pub fn remaining(&self, now: Moment) -> Duration {
        self.end.remaining(now)
    }
}

/// A copy of the bytes, so that workers do not share a reference count.
fn own_copy(value: &HeaderValue) -> HeaderValue {
    let mut copy = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
    copy.set_sensitive(true);
    copy
}

fn trouble(state: &State) -> Option<&Trouble> {
    match state {
        State::Initializing => None,
        State::Available { renewal, .. } => renewal.as_deref(),
        State::Unavailable(trouble) => Some(trouble),
    }
}

#[cfg(test)]
mod tests;

//! The one task that owns a credential's token.
//!
//! It renews the token in the background, keeps a good one in use while its renewal fails, and never
//! ends: no error gets out of its loop. Others see the [`View`] that it publishes and can only nudge
//! it, so there is never more than one exchange under way.

mod attempts;
mod nudges;
mod report;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::debug;

use self::attempts::Attempts;
use super::cell::{Handle, Nudge, Refreshed};
use super::clock::{Clock, Deadline, Moment};
use super::exchange::ExchangeError;
use super::{Credential, Generation, Grant, State, Token, Trouble, TroubleKind, View, schedule};
use crate::lifecycle::Latch;
use crate::telemetry::metrics::Metrics;

/// Nudges that may wait.
const NUDGES: usize = 64;

/// The longest sleep at a stretch. Timers stand still while the machine is suspended: this is how
/// late a renewal may be after it wakes.
const STRETCH: Duration = Duration::from_secs(30);

/// What a manager goes by.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// `token.refresh_ratio`
    pub refresh_ratio: f64,
    /// `token.in_band`: near its end, ask for the next token in an app's own request first.
    pub in_band: bool,
}

/// Owns a credential's token. [`Manager::run`] is its life.
#[derive(Debug)]
pub struct Manager {
    credential: Credential,
    policy: Policy,
    clock: Clock,
    stretch: Duration,
    view: watch::Sender<View>,
    nudges: mpsc::Receiver<Nudge>,
    latch: Latch,
    metrics: Metrics,
    token: Option<Arc<Token>>,
    trouble: Option<Arc<Trouble>>,
    attempts: Attempts,
    begun: u64,
    ended: u64,
    due: Deadline,
    /// Until when the API asked to be left alone.
    not_before: Deadline,
    /// Whether the next attempt is forced, and so counts against that floor.
    forced: bool,
    /// Whether the next attempt is to try another key.
    tries_key: bool,
    /// Whether a key that was refused is about to be tried again, or another in its place.
    has_another_chance: bool,
    /// Whether the data path is asked to get the next token in band.
    asks_in_band: bool,
    /// How soon, by chance, an attempt follows this failure when a request waits: drawn once for each.
    eagerness: f64,
    /// What came during an exchange and must be looked at after it.
    rejected: Option<Generation>,
    key_changed: bool,
    refreshes: Vec<oneshot::Sender<Refreshed>>,
    skew_told: bool,
}

impl Manager {
    /// A manager that is due at once, and the handle that others see it through.
    pub fn new(
        credential: Credential,
        policy: Policy,
        clock: Clock,
        latch: Latch,
        metrics: Metrics,
    ) -> (Self, Handle) {
        let (view, receiver) =
            watch::channel(View { state: State::Initializing, begun: 0, ended: 0, in_band: false });
        let (sender, nudges) = mpsc::channel(NUDGES);
        let handle = Handle::new(credential, clock.clone(), receiver, sender);
        let due = clock.now().after(Duration::ZERO);
        let manager = Self {
            credential,
            policy,
            clock,
            stretch: STRETCH,
            view,
            nudges,
            latch,
            metrics,
            token: None,
            trouble: None,
            attempts: Attempts::default(),
            begun: 0,
            ended: 0,
            due,
            not_before: due,
            forced: false,
            tries_key: false,
            has_another_chance: false,
            asks_in_band: false,
            eagerness: 0.0,
            rejected: None,
            key_changed: false,
            refreshes: Vec::new(),
            skew_told: false,
        };
        (manager, handle)
    }

    /// Exchanges when due, for ever. Dropping the future ends it.
    pub async fn run<E>(mut self, exchange: E)
    where
        E: AsyncFn() -> Result<Grant, ExchangeError>,
    {
        loop {
            self.wait_until_due().await;
            debug!(credential = self.credential.as_str(), forced = self.forced, "asking for a token");
            self.attempts.note(self.clock.now(), std::mem::take(&mut self.forced));
            self.tries_key = false;
            self.begun += 1;
            self.publish();
            let outcome = self.attend_during(exchange()).await;
            self.ended = self.begun;
            self.has_another_chance = false;
            match &outcome {
                Ok(grant) if self.has_ended(grant) => self.fail(&dead_on_arrival()),
                Ok(grant) => {
                    self.metrics.authentication(self.credential.as_str(), "ok");
                    self.accept(grant);
                }
                Err(error) => self.fail(error),
            }
            self.answer_refreshes(&outcome);
            self.catch_up();
            self.publish();
        }
    }

    /// Sleeps until the next attempt is due, and listens meanwhile.
    async fn wait_until_due(&mut self) {
        loop {
            self.drop_what_has_ended();
            let now = self.clock.now();
            if self.wait(now).is_zero() && !self.leaves_it_to_the_data_path(now) {
                return;
            }
            let sleep = self.wait(now).min(self.until_the_end(now));
            tokio::select! {
                biased;
                () = tokio::time::sleep(sleep) => {}
                Some(nudge) = self.nudges.recv() => self.take(nudge),
            }
        }
    }

    /// How long until the next attempt: whatever brought it forward, the floor holds, and what the API
    /// asked for.
    fn wait(&self, now: Moment) -> Duration {
        self.due.remaining(now).max(self.attempts.wait(now)).max(self.not_before.remaining(now))
    }

    /// Runs an exchange, listens meanwhile, and says so when the token in use comes to its end.
    async fn attend_during<T>(&mut self, exchange: impl Future<Output = T>) -> T {
        let mut exchange = std::pin::pin!(exchange);
        loop {
            self.drop_what_has_ended();
            let left = self.until_the_end(self.clock.now());
            tokio::select! {
                biased;
                outcome = &mut exchange => return outcome,
                () = tokio::time::sleep(left) => {}
                Some(nudge) = self.nudges.recv() => match nudge {
                    // Who waits still when it has ended says so again.
                    Nudge::Wanted => {}
                    Nudge::Rejected(generation) => self.rejected = self.rejected.max(Some(generation)),
                    Nudge::KeyChanged => self.key_changed = true,
                    Nudge::Offer(grant) => self.consider(&grant),
                    // It is what they asked for.
                    Nudge::Refresh(answer) => self.refreshes.push(answer),
                },
            }
        }
    }

    fn accept(&mut self, grant: &Grant) {
        self.note_skew(grant);
        let now = self.clock.now();
        let same = self.token.as_ref().filter(|token| token.is_of(grant)).cloned();
        let recovered = self.trouble.take().is_some();
        let renewal = schedule::renew_after(grant.lifetime, self.policy.refresh_ratio, fastrand::f64());
        let (token, due) = match same {
            // An issuer may hand out the same token until late, or let it live longer. It stays the
            // generation that it is; asking again is no use before the floor of its whole life is over.
            Some(token) => {
                let wait = schedule::floor(token.lifetime).max(renewal);
                let longer = grant.requested.after(grant.lifetime).remaining(now) > token.end.remaining(now);
                let token = if longer { Arc::new(token.until(grant)) } else { token };
                (token, now.after(wait))
            }
            None => {
                let previous = self.token.as_ref();
                let generation = Generation::after(previous.map(|token| token.generation));
                let token = Token::new(generation, grant, previous.map(|token| &**token));
                (Arc::new(token), grant.requested.after(renewal))
            }
        };
        self.due = due;
        self.forced = false;
        self.asks_in_band = false;
        self.report_renewal(&token, self.due.remaining(now), recovered);
        self.token = Some(token);
    }

    fn has_ended(&self, grant: &Grant) -> bool {
        grant.requested.after(grant.lifetime).has_come(self.clock.now())
    }

    fn fail(&mut self, error: &ExchangeError) {
        self.metrics.authentication(self.credential.as_str(), error.outcome());
        let now = self.clock.now();
        let attempts = self.trouble.as_ref().map_or(0, |trouble| trouble.attempts).saturating_add(1);
        let life = self.token.as_ref().map(|token| (now.since(token.requested), token.lifetime));
        let backoff = schedule::backoff(attempts, life, fastrand::f64());
        let (kind, wait, asked) = match error {
            ExchangeError::Refused { .. } => (TroubleKind::Refused, schedule::REFUSED, Duration::ZERO),
            ExchangeError::RateLimited { retry_after } => {
                let later = schedule::after_others(fastrand::f64());
                (TroubleKind::RateLimited, *retry_after + later, *retry_after)
            }
            ExchangeError::Transient { retry_after, .. } => {
                // A page of maintenance may ask for an hour: tokens are asked for again sooner.
                let asked = retry_after.unwrap_or_default().min(schedule::BACKOFF_MAX);
                (TroubleKind::Failing, backoff.max(asked), asked)
            }
        };
        self.due = now.after(wait);
        self.not_before = now.after(asked);
        self.attempts.failed(now);
        self.eagerness = fastrand::f64();
        let trouble = Trouble { kind, message: error.to_string(), attempts, retry_at: self.due };
        self.report_trouble(&trouble, wait);
        self.trouble = Some(Arc::new(trouble));
    }

    /// Whether the renewal that is due is left to the data path for now: until the mandatory window
    /// begins, an app's request may bring the next token.
    fn leaves_it_to_the_data_path(&mut self, now: Moment) -> bool {
        let Some(token) = &self.token else { return false };
        let ordinary = self.policy.in_band && !self.asks_in_band && !self.forced && self.trouble.is_none();
        let mandatory = token.requested.after(schedule::mandatory_after(token.lifetime));
        if !ordinary || mandatory.has_come(now) {
            return false;
        }
        self.asks_in_band = true;
        self.due = mandatory;
        self.publish();
        true
    }

    /// A token is not used after its end: says so as soon as it has come.
    fn drop_what_has_ended(&mut self) {
        let now = self.clock.now();
        let has_ended = self.token.as_ref().is_some_and(|token| token.end.has_come(now));
        if !has_ended || !matches!(self.view.borrow().state, State::Available { .. }) {
            return;
        }
        self.report_end();
        if self.trouble.is_none() {
            // Whatever was planned: nothing is worth waiting for any more.
            self.due = now.after(Duration::ZERO);
            let message = "the token has ended and is being renewed".into();
            let trouble = Trouble { kind: TroubleKind::Failing, message, attempts: 0, retry_at: self.due };
            self.trouble = Some(Arc::new(trouble));
        }
        self.publish();
    }

    /// How long it may sleep without missing the end of the token in use; never nothing, as an end
    /// that is past is missed no more.
    fn until_the_end(&self, now: Moment) -> Duration {
        let left = self.token.as_ref().map_or(Duration::ZERO, |token| token.end.remaining(now));
        if left.is_zero() { self.stretch } else { left.min(self.stretch) }
    }

    fn publish(&self) {
        let now = self.clock.now();
        let usable = self.token.as_ref().filter(|token| !token.end.has_come(now));
        let trouble = self.trouble.as_ref().map(|trouble| self.as_it_is_told(trouble));
        let state = match (usable, &trouble) {
            (Some(token), renewal) => {
                self.latch.ready(
                    renewal
                        .as_ref()
                        .map(|trouble| format!("{}; the old token stays in use", trouble.message)),
                );
                State::Available { token: token.clone(), renewal: renewal.clone() }
            }
            (None, Some(trouble)) => {
                self.latch.pending(trouble.message.clone());
                State::Unavailable(trouble.clone())
            }
            (None, None) => State::Initializing,
        };
        let (begun, ended, in_band) = (self.begun, self.ended, self.asks_in_band);
        self.view.send_replace(View { state, begun, ended, in_band });
    }

    /// The trouble, as others are to take it: a refused key that has another chance is worth waiting for.
    fn as_it_is_told(&self, trouble: &Arc<Trouble>) -> Arc<Trouble> {
        if trouble.kind != TroubleKind::Refused || !self.has_another_chance {
            return trouble.clone();
        }
        let message = format!("{}; it is being tried again", trouble.message);
        let (attempts, retry_at) = (trouble.attempts, self.due);
        Arc::new(Trouble { kind: TroubleKind::Failing, message, attempts, retry_at })
    }

    fn answer_refreshes(&mut self, outcome: &Result<Grant, ExchangeError>) {
        let refreshed = match (outcome, &self.token, &self.trouble) {
            (Ok(grant), Some(token), None) => {
                Refreshed::Renewed { generation: token.generation, lifetime: grant.lifetime }
            }
            (Err(error), _, _) => Refreshed::Failed(error.to_string()),
            (Ok(_), _, trouble) => Refreshed::Failed(
                trouble.as_ref().map_or_else(String::new, |trouble| trouble.message.clone()),
            ),
        };
        for answer in self.refreshes.drain(..) {
            // An error means that the operator is gone.
            let _ = answer.send(refreshed.clone());
        }
    }
}

fn dead_on_arrival() -> ExchangeError {
    ExchangeError::Transient {
        message: "the token that the API gave had ended when it came".into(),
        retry_after: None,
    }
}

#[cfg(test)]
mod tests;

//! The one task that owns a credential's token.
//!
//! It renews the token in the background, keeps a good one in use while its renewal fails, and never
//! ends: no error gets out of its loop. Others see the state that it publishes and can only nudge it,
//! so there is never more than one exchange under way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tracing::{debug, error, info, warn};

use super::cell::{Handle, Nudge};
use super::clock::{Clock, Deadline, Moment};
use super::exchange::ExchangeError;
use super::{Credential, Generation, Grant, State, Token, Trouble, TroubleKind, schedule};
use crate::lifecycle::Latch;
use crate::telemetry::metrics::Metrics;

/// Nudges that may wait.
const NUDGES: usize = 16;

/// The longest sleep at a stretch. Timers stand still while the machine is suspended: this is how
/// late a renewal may be after it wakes.
const STRETCH: Duration = Duration::from_secs(30);

/// The skew of the server's clock, in milliseconds, from which on a warning is due.
const NOTABLE_SKEW: u64 = 30_000;

/// Owns a credential's token. [`Manager::run`] is its life.
#[derive(Debug)]
pub struct Manager {
    credential: Credential,
    clock: Clock,
    refresh_ratio: f64,
    state: watch::Sender<State>,
    nudges: mpsc::Receiver<Nudge>,
    latch: Latch,
    metrics: Metrics,
    token: Option<Arc<Token>>,
    trouble: Option<Arc<Trouble>>,
    due: Deadline,
    skew_told: bool,
}

impl Manager {
    /// A manager that is due at once, and the handle that others see it through.
    pub fn new(
        credential: Credential,
        refresh_ratio: f64,
        clock: Clock,
        latch: Latch,
        metrics: Metrics,
    ) -> (Self, Handle) {
        let (state, receiver) = watch::channel(State::Initializing);
        let (sender, nudges) = mpsc::channel(NUDGES);
        let handle = Handle { credential, clock: clock.clone(), state: receiver, nudges: sender };
        let due = clock.now().after(Duration::ZERO);
        let manager = Self {
            credential,
            clock,
            refresh_ratio,
            state,
            nudges,
            latch,
            metrics,
            token: None,
            trouble: None,
            due,
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
            debug!(credential = self.credential.as_str(), "asking for a token");
            let outcome = self.watching_the_end(exchange()).await;
            match outcome {
                Ok(grant) => {
                    self.metrics.authentication(self.credential.as_str(), "ok");
                    self.accept(&grant);
                }
                Err(error) => {
                    self.metrics.authentication(self.credential.as_str(), error.outcome());
                    self.fail(&error);
                }
            }
        }
    }

    async fn wait_until_due(&mut self) {
        loop {
            self.drop_what_has_ended();
            let now = self.clock.now();
            if self.due.has_come(now) {
                return;
            }
            let sleep = self.due.remaining(now).min(self.until_the_end(now));
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                Some(nudge) = self.nudges.recv() => match nudge {
                    Nudge::Offer(grant) => self.consider(&grant),
                    // The loop looks at the clocks again: that is all that a request can ask for
                    // without the floor or the backoff being broken.
                    Nudge::Wanted => {}
                },
            }
        }
    }

    /// Runs an exchange, and meanwhile says so when the token in use comes to its end.
    async fn watching_the_end<T>(&mut self, exchange: impl Future<Output = T>) -> T {
        let mut exchange = std::pin::pin!(exchange);
        loop {
            self.drop_what_has_ended();
            let left = self.until_the_end(self.clock.now());
            tokio::select! {
                outcome = &mut exchange => return outcome,
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// How long it may sleep without missing the end of the token in use; never nothing, as an end
    /// that is past is missed no more.
    fn until_the_end(&self, now: Moment) -> Duration {
        let left = self.token.as_ref().map_or(Duration::ZERO, |token| token.end.remaining(now));
        if left.is_zero() { STRETCH } else { left.min(STRETCH) }
    }

    fn accept(&mut self, grant: &Grant) {
        self.note_skew(grant);
        let now = self.clock.now();
        let same = self.token.as_ref().filter(|token| token.is_of(grant)).cloned();
        let recovered = self.trouble.take().is_some();
        let (token, counted_from) = match same {
            // An issuer may hand out the same token until late. It stays what it is; asking again is
            // no use before the floor of its whole life is over.
            Some(token) => {
                debug!(credential = self.credential.as_str(), "the issuer gave the same token again");
                let next = now.after(schedule::floor(token.lifetime).max(self.renewal(grant.lifetime)));
                (token, next)
            }
            None => {
                let generation = Generation::after(self.token.as_ref().map(|token| token.generation));
                let token = Arc::new(Token::new(generation, grant));
                (token, grant.requested.after(self.renewal(grant.lifetime)))
            }
        };
        self.due = counted_from;
        info!(
            credential = self.credential.as_str(),
            generation = token.generation.number(),
            lifetime_seconds = grant.lifetime.as_secs(),
            next_renewal_seconds = self.due.remaining(now).as_secs(),
            recovered,
            "token renewed"
        );
        self.token = Some(token);
        self.publish();
        self.drop_what_has_ended();
    }

    /// A token from the API's answer to an app's request: taken when it outlives the current one.
    fn consider(&mut self, grant: &Grant) {
        let now = self.clock.now();
        let offered = grant.requested.after(grant.lifetime).remaining(now);
        let current = self.token.as_ref().map_or(Duration::ZERO, |token| token.end.remaining(now));
        if offered > current && !self.token.as_ref().is_some_and(|token| token.is_of(grant)) {
            self.metrics.authentication(self.credential.as_str(), "in_band");
            self.accept(grant);
        }
    }

    fn renewal(&self, lifetime: Duration) -> Duration {
        schedule::renew_after(lifetime, self.refresh_ratio, fastrand::f64())
    }

    fn fail(&mut self, error: &ExchangeError) {
        let now = self.clock.now();
        let attempts = self.trouble.as_ref().map_or(0, |trouble| trouble.attempts).saturating_add(1);
        let mandatory = self
            .token
            .as_ref()
            .is_some_and(|token| now.since(token.requested) >= schedule::mandatory_after(token.lifetime));
        let backoff = schedule::backoff(attempts, mandatory, fastrand::f64());
        let (kind, wait) = match error {
            ExchangeError::Refused { .. } => (TroubleKind::Refused, schedule::REFUSED),
            ExchangeError::RateLimited { retry_after } => {
                // Everyone else was told the same time: a little later is kinder.
                (TroubleKind::RateLimited, *retry_after + backoff)
            }
            ExchangeError::Transient { retry_after, .. } => {
                (TroubleKind::Failing, backoff.max(retry_after.unwrap_or_default()))
            }
        };
        self.due = now.after(wait);
        let credential = self.credential.as_str();
        let (cause, retry_in_ms) = (error.to_string(), wait.as_millis() as u64);
        match kind {
            TroubleKind::Refused => error!(credential, attempts, retry_in_ms, cause, "no token"),
            TroubleKind::RateLimited | TroubleKind::Failing => {
                warn!(credential, attempts, retry_in_ms, cause, "no token");
            }
        }
        self.trouble = Some(Arc::new(Trouble { kind, message: cause, attempts, retry_at: self.due }));
        self.publish();
    }

    /// A token is not used after its end: says so as soon as it has come.
    fn drop_what_has_ended(&mut self) {
        let now = self.clock.now();
        if self.token.as_ref().is_none_or(|token| !token.end.has_come(now)) {
            return;
        }
        if !matches!(&*self.state.borrow(), State::Available { .. }) {
            return;
        }
        warn!(credential = self.credential.as_str(), "the token has come to its end");
        if self.trouble.is_none() {
            let trouble = Trouble {
                kind: TroubleKind::Failing,
                message: "the token has ended and is being renewed".into(),
                attempts: 0,
                retry_at: self.due,
            };
            self.trouble = Some(Arc::new(trouble));
            // Whatever was planned: nothing is worth waiting for any more.
            self.due = now.after(Duration::ZERO);
        }
        self.publish();
    }

    fn publish(&self) {
        let now = self.clock.now();
        let usable = self.token.as_ref().filter(|token| !token.end.has_come(now));
        let state = match (usable, &self.trouble) {
            (Some(token), renewal) => {
                self.latch.ready();
                State::Available { token: token.clone(), renewal: renewal.clone() }
            }
            (None, Some(trouble)) => {
                self.latch.pending(trouble.message.clone());
                State::Unavailable(trouble.clone())
            }
            (None, None) => State::Initializing,
        };
        self.state.send_replace(state);
    }

    fn note_skew(&mut self, grant: &Grant) {
        let Some(skew_ms) = grant.skew_ms else { return };
        self.metrics.clock_skew(self.credential.as_str(), skew_ms as f64 / 1000.0);
        let notable = skew_ms.unsigned_abs() > NOTABLE_SKEW;
        if notable && !self.skew_told {
            warn!(
                skew_seconds = skew_ms / 1000,
                "the server's clock differs from this machine's; tokens are timed by the server's"
            );
        }
        self.skew_told = notable;
    }
}

#[cfg(test)]
mod tests;

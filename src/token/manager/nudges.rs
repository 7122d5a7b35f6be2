//! What others may ask of a manager: sooner than planned, but never against the floors.

use std::time::Duration;

use tokio::sync::oneshot;

use super::super::cell::{Nudge, Refreshed};
use super::super::{Generation, Grant, TroubleKind, schedule};
use super::Manager;

impl Manager {
    pub(super) fn take(&mut self, nudge: Nudge) {
        match nudge {
            Nudge::Wanted => self.wanted(),
            Nudge::Rejected(generation) => self.rejected(generation),
            Nudge::KeyChanged => self.key_changed(),
            Nudge::Offer(grant) => self.consider(&grant),
            Nudge::Refresh(answer) => self.refresh(answer),
        }
    }

    /// What could not be acted on while an exchange was under way.
    pub(super) fn catch_up(&mut self) {
        if let Some(generation) = self.rejected.take() {
            self.rejected(generation);
        }
        if std::mem::take(&mut self.key_changed) {
            self.key_changed();
        }
    }

    /// A request waits for a token. While someone waits, the backoff is shorter; what the API asked
    /// for holds all the same.
    fn wanted(&mut self) {
        let now = self.clock.now();
        let wait = schedule::wanted_wait(self.attempts.age(now), self.eagerness);
        let failing = self.trouble.as_ref().is_some_and(|trouble| trouble.kind == TroubleKind::Failing);
        if failing && wait < self.due.remaining(now) {
            self.due = now.after(wait);
        }
    }

    /// The API answered 401 to this token. If it is still the current one, it is renewed as soon as the
    /// floor allows; where its renewal is failing as it is, this is a request that waits for a token.
    fn rejected(&mut self, generation: Generation) {
        if self.token.as_ref().is_none_or(|token| token.generation != generation) {
            return;
        }
        match self.trouble {
            None => self.force(),
            Some(_) => self.wanted(),
        }
    }

    /// A new key may mend everything but a rate limit.
    fn key_changed(&mut self) {
        if self.trouble.as_ref().is_none_or(|trouble| trouble.kind != TroubleKind::RateLimited) {
            self.tries_key = true;
            self.force();
        }
    }

    /// An operator wants a new token now. The floor and the backoff hold for operators, too; a key
    /// that was refused may have been mended on the other side.
    fn refresh(&mut self, answer: oneshot::Sender<Refreshed>) {
        let now = self.clock.now();
        let backoff = match &self.trouble {
            Some(trouble) if trouble.kind != TroubleKind::Refused => trouble.retry_at.remaining(now),
            _ => Duration::ZERO,
        };
        let backoff = backoff.max(self.not_before.remaining(now));
        let wait = self.attempts.forced_wait(now).max(backoff);
        if wait.is_zero() {
            self.refreshes.push(answer);
            self.force();
        } else {
            // An error means that the operator is gone.
            let _ = answer.send(Refreshed::NotBefore(wait));
        }
    }

    /// Brings the next attempt forward, as far as the floor for such attempts allows.
    fn force(&mut self) {
        let now = self.clock.now();
        let wait = self.attempts.forced_wait(now);
        if wait < self.due.remaining(now) {
            self.due = now.after(wait);
        }
        // It is not left to the data path, even where it was to come as soon.
        self.forced = true;
        if self.due.remaining(now) <= schedule::FLOOR_FORCED && !self.has_another_chance {
            self.has_another_chance = true;
            self.publish();
        }
    }

    /// A token from the API's answer to an app's request: taken when it outlives the current one.
    pub(super) fn consider(&mut self, grant: &Grant) {
        let now = self.clock.now();
        let offered = grant.requested.after(grant.lifetime).remaining(now);
        let current = self.token.as_ref().map_or(Duration::ZERO, |token| token.end.remaining(now));
        if offered > current && !self.token.as_ref().is_some_and(|token| token.is_of(grant)) {
            self.metrics.authentication(self.credential.as_str(), "in_band");
            // A token that came otherwise says nothing of the key, and is not what an operator asked for: a
            // refused one is retried as planned, and one that has changed is still to be tried.
            let refused = self.trouble.clone().filter(|trouble| trouble.kind == TroubleKind::Refused);
            let planned = (self.due, self.forced);
            self.accept(grant);
            if refused.is_some() || !self.refreshes.is_empty() {
                (self.due, self.forced) = planned;
            }
            self.trouble = refused;
            if self.tries_key {
                self.force();
            }
            self.publish();
        }
    }
}

//! What others may ask of a manager: sooner than planned, but never against the floors.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::super::cell::{Nudge, Refreshed};
use super::super::{Generation, Grant, Trouble, TroubleKind, schedule};
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
        if std::mem::take(&mut self.wanted) {
            self.wanted();
        }
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
        // What is forced has come as soon as it may.
        let wait = if self.forced { wait.max(self.attempts.forced_wait(now)) } else { wait };
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
            _ => self.not_before.remaining(now),
        };
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
        if wait < self.due.remaining(now) || self.due.has_come(now) {
            self.due = now.after(wait);
        }
        // It is not left to the data path, even where it was to come as soon.
        self.forced = true;
        self.asks_in_band = false;
        self.give_another_chance();
    }

    /// A key that was refused is about to be tried again, or another in its place: that is worth waiting for,
    /// unless the floor makes it long.
    fn give_another_chance(&mut self) {
        if self.due.remaining(self.clock.now()) > schedule::FLOOR_FORCED {
            return;
        }
        let Some(refused) = self.trouble.as_ref().filter(|trouble| trouble.kind == TroubleKind::Refused)
        else {
            return;
        };
        let message = format!("{}; it is being tried again", refused.message);
        let (kind, attempts, retry_at) = (TroubleKind::Failing, refused.attempts, self.due);
        self.trouble = Some(Arc::new(Trouble { kind, message, attempts, retry_at }));
        self.publish();
    }

    /// A token from the API's answer to an app's request: taken when it outlives the current one.
    pub(super) fn consider(&mut self, grant: &Grant) {
        let now = self.clock.now();
        let offered = grant.requested.after(grant.lifetime).remaining(now);
        let current = self.token.as_ref().map_or(Duration::ZERO, |token| token.end.remaining(now));
        if offered > current && !self.token.as_ref().is_some_and(|token| token.is_of(grant)) {
            self.metrics.authentication(self.credential.as_str(), "in_band");
            // A token that came otherwise says nothing of the key, and is not what an operator asked for:
            // what is planned for that stays.
            let refused = self.trouble.clone().filter(|trouble| trouble.kind == TroubleKind::Refused);
            let stays = self.tries_key || refused.is_some() || !self.refreshes.is_empty();
            let planned = stays.then_some((self.due, self.forced));
            self.accept(grant);
            self.trouble = refused;
            if let Some((due, forced)) = planned {
                (self.due, self.forced) = (due, forced);
            }
            self.publish();
        }
    }
}

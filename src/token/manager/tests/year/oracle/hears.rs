//! What the oracle hears of beside the attempts: each may bring the next one forward, or put it off.

use std::time::Duration;

use super::super::issuer::Answer;
use super::super::rules::*;
use super::{Oracle, Trouble};

impl Oracle {
    /// A token comes in band. It is taken if it is another one and outlives the one in use.
    pub(in super::super) fn offered(&mut self, now: Time, answer: Answer) {
        self.time_passes(now);
        let Answer::Token { number, life } = answer else { return };
        let current = self.valid(now).map_or(now, |token| token.end);
        if now + life <= current || self.token.is_some_and(|token| token.number == number) {
            return;
        }
        self.note(now, || format!("token {number} comes in band, for {life:?}"));
        self.offered = Some(now);
        // It says nothing of the key.
        let planned = (self.due, self.failures, self.trouble);
        let refused = planned.2 == Some(Trouble::Refused);
        self.take(now, now, number, life);
        if refused {
            self.due = planned.0;
            self.ask = None;
        }
        if !self.key_is_due {
            // Who came at this very moment may have been heard first.
            self.allowed = self.allowed.filter(|since| *since == now);
            self.owed = None;
        }
        if refused {
            (self.failures, self.trouble) = (planned.1, planned.2);
        }
    }

    /// The API answered 401 to a token of this generation.
    pub(in super::super) fn rejected(&mut self, now: Time, generation: u64) {
        self.time_passes(now);
        self.note(now, || format!("generation {generation} is rejected"));
        if self.token.is_none_or(|token| token.generation != generation) {
            return;
        }
        self.rejected = Some((now, generation));
        if self.under_way {
            self.meanwhile.rejected = Some(generation);
        } else if self.trouble.is_none() {
            self.force(now);
        } else {
            self.wanted(now);
        }
    }

    pub(in super::super) fn key_changed(&mut self, now: Time) {
        self.time_passes(now);
        self.note(now, || "the key has changed".into());
        if self.under_way {
            self.meanwhile.key = true;
        } else if self.trouble == Some(Trouble::Limited) {
            self.key_changed_in_limit = true;
        } else {
            self.key_is_due = true;
            self.force(now);
        }
    }

    pub(super) fn force(&mut self, now: Time) {
        self.allowed = Some(now);
        self.owed = self.owed.or(Some(now));
    }

    /// A request waits for a token.
    pub(in super::super) fn wanted(&mut self, now: Time) {
        self.time_passes(now);
        let failing = matches!(self.trouble, Some(Trouble::Failing | Trouble::Ended)) && !self.under_way;
        if let Some(failed_at) = self.failed_at.filter(|_| failing) {
            self.due.by = self.due.by.min((failed_at + WAITED_FOR).max(now).max(self.not_before));
            self.due.from = self.due.from.min(self.due.by);
        }
    }

    /// An operator asks for a new token; whether that is allowed now.
    pub(in super::super) fn refresh(&mut self, now: Time) {
        self.time_passes(now);
        self.note(now, || "a refresh by hand".into());
        if !self.under_way {
            self.allowed = self.allowed.or(Some(now));
        }
    }

    /// The operator, who `asked` for one, is told to come again after `wait`.
    pub(in super::super) fn refresh_put_off(&mut self, now: Time, asked: Time, wait: Duration) {
        self.time_passes(now);
        let floor = self.forced_floor(&self.perhaps_forced).max(self.not_before);
        let backs_off = matches!(self.trouble, Some(Trouble::Limited | Trouble::Failing));
        let until = if backs_off { floor.max(self.retry_by) } else { floor };
        self.hold(!wait.is_zero() && now + wait <= until + TICK, now, || format!("put off for {wait:?}"));
        if self.owed.is_none() && self.allowed == Some(asked) {
            self.allowed = None;
        }
    }

    pub(in super::super) fn suspended(&mut self, now: Time) {
        self.note(now, || "awake after a suspend".into());
        self.woke = now;
        self.time_passes(now);
    }

    /// What comes about by time alone: the end of the token.
    pub(super) fn time_passes(&mut self, now: Time) {
        if let Some(token) = self.token.filter(|token| token.end <= now && self.trouble.is_none()) {
            self.note(now, || "the token has ended".into());
            self.trouble = Some(Trouble::Ended);
            self.due.from = self.due.from.min(token.end);
            self.due.by = self.due.by.min(token.end);
            self.ask = None;
        }
    }
}

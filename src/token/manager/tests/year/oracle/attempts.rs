//! An attempt: whether it may begin now, and what follows from its outcome.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::issuer::Answer;
use super::super::rules::*;
use super::{Held, Oracle, Trouble};

impl Oracle {
    pub(in super::super) fn attempt_begins(&mut self, now: Time) {
        self.time_passes(now);
        self.note(now, || "an attempt begins".into());
        match self.began {
            None => self.hold(now.is_zero(), now, || "the first attempt is not made at once".into()),
            Some(began) => {
                self.hold(now - began >= ALWAYS, now, || format!("attempts {:?} apart", now - began));
            }
        }
        self.hold(now >= self.not_before, now, || "it was asked to be left alone for longer".into());
        // What has been forced is not left to the data path, not even when it is due as it is.
        let due = self.ask.filter(|_| self.allowed.is_some()).map_or(self.due.from, |ask| ask.from);
        if now + TICK < due {
            self.hold(self.allowed.is_some(), now, || "a needless attempt".into());
            let floor = self.forced_floor(&self.forced);
            self.hold(now >= floor, now, || format!("a forced attempt before {floor:?}"));
            push(&mut self.forced, now);
        }
        if self.allowed.is_some() {
            push(&mut self.perhaps_forced, now);
        }
        if self.trouble == Some(Trouble::Limited) && self.woke < self.not_before {
            let (attempts, latest) = &mut self.after_limits[usize::from(self.key_changed_in_limit)];
            *attempts += 1;
            *latest = (*latest).max(now - self.not_before);
        }
        let backs_off = self.trouble == Some(Trouble::Failing) && self.failures > 7;
        if backs_off && self.allowed.is_none() && self.valid(now).is_none() {
            self.after_failures.0 += 1;
            self.after_failures.1 += u32::from(now < self.failed_at.unwrap_or_default() + AT_ONCE);
        }
        self.began = Some(now);
        self.under_way = true;
        // Who came at this very moment may have come just after it.
        self.allowed = self.allowed.filter(|since| *since == now);
        self.owed = None;
        self.tries_another_key = std::mem::take(&mut self.key_is_due);
    }

    /// The outcome of the attempt under way, for which the request was sent when it began.
    pub(in super::super) fn attempt_ends(&mut self, now: Time, answer: Answer) {
        self.time_passes(now);
        self.note(now, || format!("it brings {answer:?}"));
        (self.under_way, self.tries_another_key) = (false, false);
        self.attempts += 1;
        self.ask = None;
        let sent = self.began.unwrap_or_default();
        match answer {
            Answer::Token { number, life } if sent + life > now => self.take(now, sent, number, life),
            Answer::Token { .. } => self.fail(now, Trouble::Failing, Duration::ZERO),
            Answer::Refused => self.fail(now, Trouble::Refused, Duration::ZERO),
            Answer::Limited(asked) => self.fail(now, Trouble::Limited, asked),
            Answer::Failed(asked) => {
                self.fail(now, Trouble::Failing, asked.unwrap_or_default().min(LONGEST));
            }
        }
        if self.rejected == self.token.map(|token| (sent, token.generation)) && self.trouble.is_none() {
            // It came at the very moment that the attempt began, and may have been heard just after it.
            self.allowed = Some(now);
        }
        let meanwhile = std::mem::take(&mut self.meanwhile);
        if let Some(generation) = meanwhile.rejected {
            self.rejected(now, generation);
        }
        if meanwhile.key {
            self.key_changed(now);
        }
    }

    pub(super) fn fail(&mut self, now: Time, trouble: Trouble, asked: Duration) {
        self.trouble = Some(trouble);
        self.failures += 1;
        self.failed_at = Some(now);
        self.not_before = now + asked;
        self.key_changed_in_limit = false;
        self.due = match trouble {
            Trouble::Refused => Window::at(now + LONGEST),
            Trouble::Limited => Window { from: self.not_before, by: self.not_before + LATER },
            Trouble::Failing | Trouble::Ended => {
                let token = self.token.map(|token| (token.end, token.life));
                let wait = backoff(self.failures, now, token);
                Window { from: now, by: now + wait }.not_before(self.not_before)
            }
        };
        self.retry_by = self.due.by;
        if self.waiting > 0 {
            self.wanted(now);
        }
    }

    /// A token comes; it was asked for when `sent`.
    pub(super) fn take(&mut self, now: Time, sent: Time, number: usize, life: Duration) {
        self.trouble = None;
        self.failures = 0;
        self.taken_at = Some(now);
        let renewal = renewal(life, self.ratio);
        let end = sent + life;
        let (token, due) = match self.token {
            Some(held) if held.number == number => {
                self.same_at = Some(now);
                let life = held.life.max(life);
                (Held { end: held.end.max(end), life, ..held }, renewal.not_before(floor(life)).after(now))
            }
            held => {
                let generation = held.map_or(1, |held| held.generation + 1);
                (Held { number, generation, life, end }, renewal.after(sent))
            }
        };
        self.token = Some(token);
        self.due = due;
        let pressing = token.end - pressing(token.life);
        if self.in_band && due.from < pressing {
            self.ask = Some(due);
            self.due = due.not_before(pressing);
        }
    }
}

fn push(times: &mut VecDeque<Time>, now: Time) {
    times.push_front(now);
    times.truncate(FORCED_MOST);
}

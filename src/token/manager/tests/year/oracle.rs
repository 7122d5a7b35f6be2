//! Who judges the manager: it hears of all that others see, holds each attempt against the documented
//! rules, and knows when the next one may and must come.

mod attempts;
mod hears;

use std::collections::VecDeque;
use std::time::Duration;

use super::rules::*;

/// As many lines of its history are told with a fault.
const HISTORY: usize = 60;

/// A token that was given, as the manager has to see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) number: usize,
    pub(super) generation: u64,
    /// The longest life that it was given.
    pub(super) life: Duration,
    pub(super) end: Time,
}

/// Why there is no new token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Trouble {
    /// The token has ended and no attempt has failed since it came.
    Ended,
    Refused,
    Limited,
    Failing,
}

/// What came during an exchange and stands when it has ended.
#[derive(Debug, Clone, Default)]
struct Meanwhile {
    rejected: Option<u64>,
    key: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Oracle {
    seed: u64,
    ratio: f64,
    in_band: bool,
    /// Kept for one seed that is played again.
    history: Option<VecDeque<String>>,
    pub(super) token: Option<Held>,
    pub(super) trouble: Option<Trouble>,
    failures: u32,
    pub(super) failed_at: Option<Time>,
    /// When the latest token came.
    pub(super) taken_at: Option<Time>,
    /// When the latest attempt began.
    pub(super) began: Option<Time>,
    pub(super) under_way: bool,
    pub(super) attempts: u64,
    /// When the same token came again.
    pub(super) same_at: Option<Time>,
    /// Until when the API asked to be left alone.
    pub(super) not_before: Time,
    /// When the next attempt is due, unless it is forced.
    due: Window,
    /// When an operator is told to come again, at the latest, after a failure.
    retry_by: Time,
    /// When the data path is to be asked for the next token.
    ask: Option<Window>,
    /// Since when someone has had the right to an attempt that does not wait until it is due …
    allowed: Option<Time>,
    /// … and since when it has been owed to them.
    owed: Option<Time>,
    /// Whether it is owed to a key that changed.
    key_is_due: bool,
    /// Whether the attempt under way is that one.
    tries_another_key: bool,
    meanwhile: Meanwhile,
    /// The latest 401 to a token that was in use.
    rejected: Option<(Time, u64)>,
    /// The attempts that can only have been forced, and those that may have been.
    forced: VecDeque<Time>,
    perhaps_forced: VecDeque<Time>,
    /// Requests that wait for a token.
    pub(super) waiting: u32,
    woke: Time,
    offered: Option<Time>,
    /// How many attempts came after a 429, and how late the latest was: undisturbed, and where a key had
    /// changed meanwhile.
    after_limits: [(u32, Duration); 2],
    key_changed_in_limit: bool,
    /// How many attempts came after the longest backoff, and how many of them at once.
    after_failures: (u32, u32),
}

impl Oracle {
    pub(super) fn new(seed: u64, ratio: f64, in_band: bool, tells: bool) -> Self {
        Self {
            seed,
            ratio,
            in_band,
            history: tells.then(VecDeque::new),
            token: None,
            trouble: None,
            failures: 0,
            failed_at: None,
            taken_at: None,
            began: None,
            under_way: false,
            attempts: 0,
            same_at: None,
            not_before: Time::ZERO,
            due: Window::at(Time::ZERO),
            retry_by: Time::ZERO,
            ask: None,
            allowed: None,
            owed: None,
            key_is_due: false,
            tries_another_key: false,
            meanwhile: Meanwhile::default(),
            rejected: None,
            forced: VecDeque::new(),
            perhaps_forced: VecDeque::new(),
            waiting: 0,
            woke: Time::ZERO,
            offered: None,
            after_limits: Default::default(),
            key_changed_in_limit: false,
            after_failures: (0, 0),
        }
    }

    /// Something that is to be told with a fault.
    pub(super) fn note(&mut self, now: Time, what: impl FnOnce() -> String) {
        if let Some(history) = &mut self.history {
            history.push_back(format!("{now:?}: {}", what()));
            if history.len() > HISTORY {
                history.pop_front();
            }
        }
    }

    /// Ends the year where a rule does not hold.
    #[track_caller]
    pub(super) fn hold(&self, rule: bool, now: Time, fault: impl FnOnce() -> String) {
        if rule {
            return;
        }
        let mut history = String::new();
        for line in self.history.iter().flatten() {
            history += &format!("\n  {line}");
        }
        let state = Self { history: None, ..self.clone() };
        panic!("seed {} at {now:?}: {}{history}\n{state:?}", self.seed, fault());
    }

    pub(super) fn valid(&self, now: Time) -> Option<Held> {
        self.token.filter(|token| token.end > now)
    }

    /// When the next attempt has to have begun.
    pub(super) fn latest(&self) -> Time {
        let owed = self.owed.map(|since| since.max(self.forced_floor(&self.perhaps_forced)));
        let latest = owed.map_or(self.due.by, |owed| owed.min(self.due.by));
        let floor = self.began.map_or(Time::ZERO, |began| began + ALWAYS);
        latest.max(floor).max(self.not_before).max(self.woke)
    }

    /// Until when forced attempts have to wait, after those that were `forced` (newest first).
    fn forced_floor(&self, forced: &VecDeque<Time>) -> Time {
        let one = self.began.map_or(Time::ZERO, |began| began + FORCED);
        let many = forced.get(FORCED_MOST - 1).map_or(Time::ZERO, |tenth| *tenth + A_MINUTE);
        one.max(many)
    }

    /// By when a token is to be there if all is well, and since when that has to be so.
    pub(super) fn hope(&self, now: Time) -> Window {
        match self.began.filter(|_| self.under_way) {
            // Nobody waits for a key to be mended, but for another that is being tried.
            _ if self.trouble == Some(Trouble::Refused) && !self.tries_another_key => {
                Window::at(Time::MAX / 2)
            }
            Some(began) => Window { from: began, by: now },
            None => Window { from: now, by: self.latest().max(now) },
        }
    }

    /// What is to be so at any time: an attempt is not overdue, the data path is asked when it should be.
    pub(super) fn look(&mut self, now: Time, asks: bool) {
        self.time_passes(now);
        if self.under_way {
            return;
        }
        let latest = self.latest();
        self.hold(now <= latest + TICK, now, || format!("no attempt since {latest:?}"));
        let ordinary = self.trouble.is_none() && self.allowed.is_none();
        if let Some(ask) = self.ask.filter(|_| ordinary) {
            let floor = self.began.unwrap_or_default() + ALWAYS;
            let ask = Window { from: ask.from, by: ask.by.max(self.woke).max(floor).max(self.not_before) };
            self.hold(!asks || now + TICK >= ask.from, now, || "asked in band too early".into());
            self.hold(asks || now <= ask.by + TICK || now + TICK >= self.due.from, now, || {
                "not asked in band".into()
            });
        } else {
            self.hold(!asks || self.in_band && !ordinary, now, || "asked in band".into());
        }
    }

    /// What shows only over a year: not everyone comes back at the very moment that a 429 names.
    pub(super) fn look_back(&self, now: Time) {
        for (attempts, latest) in self.after_limits {
            let parted = latest > TICK || attempts < 6;
            self.hold(parted, now, || format!("no jitter after {attempts} answers 429"));
        }
        let (attempts, at_once) = self.after_failures;
        let patient = at_once < 10 || at_once < attempts / 4;
        self.hold(patient, now, || format!("{at_once} of {attempts} attempts at once after a failure"));
    }

    /// Whether a token came in band at this very moment, so that the manager has yet to see it.
    pub(super) fn offered_just_now(&self, now: Time) -> bool {
        self.offered == Some(now)
    }
}

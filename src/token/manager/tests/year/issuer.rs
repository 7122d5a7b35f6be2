//! The API as it may be: an authentication endpoint with moods and habits, keys that it takes or
//! refuses, tokens that it accepts or no longer does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;

use super::Calendar;
use super::rules::Time;

/// What the authentication endpoint is at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mood {
    Well,
    /// 5xx, with or without `Retry-After`.
    Down(Option<Duration>),
    Limited(Duration),
    /// No answer before the exchange gives up.
    Hangs,
    GivesDeadTokens,
    /// Tokens that end almost at once.
    GivesBriefTokens(Duration),
}

/// Which token it gives to one who has a good one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Habit {
    AlwaysNew,
    /// The same, until its last tenth.
    Repeats,
    /// The same, and it may live longer than it was to.
    Extends,
}

/// What an exchange brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Answer {
    Token { number: usize, life: Duration },
    Refused,
    Limited(Duration),
    Failed(Option<Duration>),
}

struct Issued {
    end: Time,
    revoked: bool,
}

pub(super) struct Issuer {
    calendar: Rc<Calendar>,
    rng: RefCell<Rng>,
    /// How long its tokens live.
    pub(super) life: Duration,
    /// How long it takes to answer, at most.
    pub(super) slowest: Duration,
    pub(super) habit: Habit,
    /// It goes on to give a token that it does not accept any more.
    pub(super) stubborn: bool,
    mood: Cell<Mood>,
    /// The number of the key in the file, and whether it is a good one.
    key: Cell<(u32, bool)>,
    healthy_since: Cell<Option<Time>>,
    revoked_at: Cell<Option<Time>>,
    tokens: RefCell<Vec<Issued>>,
}

/// The exchange gives up after this.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Issuer {
    pub(super) fn new(calendar: Rc<Calendar>, life: Duration, rng: &mut Rng) -> Self {
        let slowest = match rng.u8(..3) {
            0 => Duration::ZERO,
            1 => Duration::from_millis(400),
            _ => Duration::from_secs(8),
        };
        let habit = match rng.u8(..8) {
            0..2 => Habit::Repeats,
            2 => Habit::Extends,
            _ => Habit::AlwaysNew,
        };
        Self {
            calendar,
            rng: RefCell::new(rng.fork()),
            life,
            slowest: slowest.min(life / 40),
            habit,
            stubborn: habit != Habit::AlwaysNew && rng.bool(),
            mood: Cell::new(Mood::Well),
            key: Cell::new((0, true)),
            healthy_since: Cell::new(Some(Time::ZERO)),
            revoked_at: Cell::new(None),
            tokens: RefCell::default(),
        }
    }

    /// Answers an exchange, with what it is at by then. The key is read when the exchange begins.
    pub(super) async fn answer(&self) -> Answer {
        let (_, good) = self.key.get();
        let late = self.slowest.mul_f64(self.rng.borrow_mut().f64());
        let time = if self.mood.get() == Mood::Hangs { TIMEOUT } else { late };
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
        match self.mood.get() {
            Mood::Hangs => Answer::Failed(None),
            Mood::Down(retry_after) => Answer::Failed(retry_after),
            Mood::Limited(retry_after) => Answer::Limited(retry_after),
            _ if !good => Answer::Refused,
            Mood::Well => self.token(),
            Mood::GivesDeadTokens => self.fresh(Duration::ZERO),
            Mood::GivesBriefTokens(life) => self.fresh(life),
        }
    }

    /// A token, by its habit.
    pub(super) fn token(&self) -> Answer {
        let now = self.calendar.now();
        let mut tokens = self.tokens.borrow_mut();
        let number = tokens.len().wrapping_sub(1);
        if let Some(last) = tokens.last_mut().filter(|last| {
            let usable = last.end.saturating_sub(now) > self.life / 10 && (self.stubborn || !last.revoked);
            usable && self.habit != Habit::AlwaysNew
        }) {
            if self.habit == Habit::Extends && self.rng.borrow_mut().bool() {
                last.end = last.end.max(now + self.life);
            }
            return Answer::Token { number, life: last.end - now };
        }
        drop(tokens);
        self.fresh(self.life)
    }

    fn fresh(&self, life: Duration) -> Answer {
        let mut tokens = self.tokens.borrow_mut();
        tokens.push(Issued { end: self.calendar.now() + life, revoked: false });
        Answer::Token { number: tokens.len() - 1, life }
    }

    /// Whether the API takes a request with this token.
    pub(super) fn accepts(&self, number: usize) -> bool {
        let token = &self.tokens.borrow()[number];
        !token.revoked && token.end > self.calendar.now()
    }

    pub(super) fn revoke_all(&self) {
        for token in &mut *self.tokens.borrow_mut() {
            token.revoked = true;
        }
        self.revoked_at.set(Some(self.calendar.now()));
    }

    pub(super) fn revoked_since(&self, time: Time) -> bool {
        self.revoked_at.get().is_some_and(|at| at >= time)
    }

    pub(super) fn mood(&self) -> Mood {
        self.mood.get()
    }

    pub(super) fn change_mood(&self, mood: Mood) {
        self.mood.set(mood);
        self.feel();
    }

    /// Another key is in the file.
    pub(super) fn rotate(&self, good: bool) {
        self.key.set((self.key.get().0 + 1, good));
        self.feel();
    }

    /// The API begins, or ends, to refuse the key that is in the file.
    pub(super) fn judge_key(&self, good: bool) {
        self.key.set((self.key.get().0, good));
        self.feel();
    }

    pub(super) fn likes_the_key(&self) -> bool {
        self.key.get().1
    }

    /// Since when it would give a token to whoever asks.
    pub(super) fn healthy_since(&self) -> Option<Time> {
        self.healthy_since.get()
    }

    fn feel(&self) {
        let well = self.mood.get() == Mood::Well && self.likes_the_key();
        let since = self.healthy_since.get().filter(|_| well);
        self.healthy_since.set(since.or_else(|| well.then(|| self.calendar.now())));
    }
}

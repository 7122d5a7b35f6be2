//! A year in the life of a token, many times over, each from a seed: outages, rate limits, refused
//! keys, rotations, revocations, suspends, an issuer that repeats itself. What must hold always is
//! checked at every step; a failure names its seed, and `YEAR_SEED` plays that one again.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use super::super::*;
use crate::lifecycle::Readiness;
use crate::secret::Secret;
use crate::token::cell::TokenCell;
use crate::token::clock::Deadline;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Days lived through: a year with tokens of a day, less with shorter ones, as each needs so much more.
const LIVES: [(Duration, u32); 5] =
    [(MINUTE, 2), (MINUTE.saturating_mul(10), 14), (HOUR, 90), (HOUR.saturating_mul(23), 365), (DAY, 365)];

/// As many years are lived in one run.
const SEEDS: u64 = 2_000;

/// The sleep at a stretch, made longer: half a minute is a million wakes a year, each the same.
const LONG_STRETCH: Duration = Duration::from_secs(6 * 3600);

/// How long after all is well again a token must be there: twice the longest backoff.
const RECOVERY: Duration = schedule::BACKOFF_MAX.saturating_mul(2);

/// What the issuer is at.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Down,
    Limited(Duration),
    RefusesTheKey,
    Hangs(Duration),
    GivesDeadTokens,
}

#[derive(Debug, Clone, Copy)]
struct Attempt {
    at: Moment,
    ended: Moment,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    Token(Duration),
    Limited(Duration),
    Failed,
}

struct Year {
    seed: u64,
    clock: Clock,
    mood: Cell<Mood>,
    lifetime: Duration,
    days: u32,
    repeats_itself: bool,
    well_since: Cell<Instant>,
    current: RefCell<Option<(String, Deadline)>>,
    ends: RefCell<HashMap<String, Deadline>>,
    issued: Cell<u64>,
    attempts: RefCell<Vec<Attempt>>,
    /// When something happened after which an attempt may come sooner than planned.
    forced: RefCell<Vec<Moment>>,
}

impl Year {
    fn new(seed: u64) -> (Self, Rng) {
        let mut rng = Rng::with_seed(seed);
        let (lifetime, days) = LIVES[rng.usize(..LIVES.len())];
        let year = Self {
            seed,
            clock: Clock::scripted(),
            mood: Cell::new(Mood::Well),
            lifetime,
            days,
            repeats_itself: rng.u8(..4) == 0,
            well_since: Cell::new(Instant::now()),
            current: RefCell::default(),
            ends: RefCell::default(),
            issued: Cell::new(0),
            attempts: RefCell::default(),
            forced: RefCell::default(),
        };
        (year, rng)
    }

    async fn exchange(&self) -> Result<Grant, ExchangeError> {
        let at = self.clock.now();
        let failed = |message: &str| ExchangeError::Transient { message: message.into(), retry_after: None };
        let result = match self.mood.get() {
            Mood::Well => Ok(self.issue(self.lifetime)),
            Mood::GivesDeadTokens => Ok(self.issue(Duration::ZERO)),
            Mood::Down => Err(failed("down")),
            Mood::Limited(retry_after) => Err(ExchangeError::RateLimited { retry_after }),
            Mood::RefusesTheKey => Err(ExchangeError::Refused { message: "refused".into() }),
            Mood::Hangs(time) => {
                tokio::time::sleep(time).await;
                Err(failed("no answer in time"))
            }
        };
        let outcome = match &result {
            Ok(grant) if !grant.lifetime.is_zero() => Outcome::Token(grant.lifetime),
            Err(ExchangeError::RateLimited { retry_after }) => Outcome::Limited(*retry_after),
            _ => Outcome::Failed,
        };
        self.attempts.borrow_mut().push(Attempt { at, ended: self.clock.now(), outcome });
        result
    }

    fn issue(&self, lifetime: Duration) -> Grant {
        let now = self.clock.now();
        let mut current = self.current.borrow_mut();
        let repeated = current.as_ref().filter(|(_, end)| {
            self.repeats_itself && !lifetime.is_zero() && end.remaining(now) > self.lifetime / 10
        });
        let (name, end) = match repeated {
            Some(current) => current.clone(),
            None => {
                self.issued.set(self.issued.get() + 1);
                (format!("token-{}", self.issued.get()), now.after(lifetime))
            }
        };
        *current = Some((name.clone(), end));
        self.ends.borrow_mut().insert(name.clone(), end);
        Grant {
            token: Secret::parse(name).unwrap(),
            expires_at_ms: 0,
            lifetime: end.remaining(now),
            requested: now,
            skew_ms: None,
            key: None,
        }
    }

    fn forced(&self) {
        self.forced.borrow_mut().push(self.clock.now());
    }

    fn change_mood(&self, mood: Mood) {
        if mood == Mood::Well && self.mood.get() != Mood::Well {
            self.well_since.set(Instant::now());
        }
        self.mood.set(mood);
    }

    /// A token that is used has not ended, and there is one if the issuer has been well for long enough.
    fn check(&self, cell: &TokenCell) {
        let (seed, now) = (self.seed, self.clock.now());
        let current = cell.newer_at_hand(Generation::none());
        match &current {
            Some(current) => {
                let name = current.authorization.to_str().unwrap().strip_prefix("Bearer ").unwrap();
                let end = self.ends.borrow()[name];
                assert!(!end.has_come(now), "seed {seed}: {name} is used after its end");
            }
            None => {
                // A last attempt that asked to be left alone is no fault of ours.
                let last = self.attempts.borrow().last().copied();
                let asked = match last {
                    Some(Attempt { ended, outcome: Outcome::Limited(wait), .. }) => {
                        wait.saturating_sub(now.since(ended))
                    }
                    _ => Duration::ZERO,
                };
                let well = self.mood.get() == Mood::Well && asked.is_zero();
                let limit = RECOVERY
                    + if let Some(Attempt { outcome: Outcome::Limited(wait), .. }) = last {
                        wait
                    } else {
                        Duration::ZERO
                    };
                let healthy_for = self.well_since.get().elapsed();
                assert!(
                    !well || healthy_for < limit,
                    "seed {seed}: no token after {healthy_for:?} of health, last attempt {last:?} at {:?}",
                    Instant::now()
                );
            }
        }
    }

    /// No two attempts came closer than the floors allow.
    fn check_floors(&self) {
        let seed = self.seed;
        let attempts = self.attempts.borrow();
        for pair in attempts.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            let gap = after.at.since(before.at);
            let forced = self.forced.borrow().iter().any(|at| is_between(*at, before.at, after.at));
            assert!(gap >= schedule::FLOOR_ALWAYS, "seed {seed}: attempts {gap:?} apart");
            match before.outcome {
                Outcome::Token(lifetime) if !forced => {
                    let floor = schedule::floor(lifetime);
                    assert!(gap >= floor, "seed {seed}: {gap:?} after a success, for {lifetime:?}");
                }
                Outcome::Limited(wait) => {
                    let waited = after.at.since(before.ended);
                    assert!(waited >= wait, "seed {seed}: {waited:?} after a 429 that asked for {wait:?}");
                }
                Outcome::Token(_) | Outcome::Failed => {}
            }
        }
    }
}

fn is_between(at: Moment, from: Moment, to: Moment) -> bool {
    at.after(Duration::ZERO).has_come(to) && from.after(Duration::ZERO).has_come(at)
}

/// One event after another, for a year.
async fn live(year: &Year, mut rng: Rng, handle: &Handle) {
    let cell = handle.cell(Duration::ZERO);
    let started = Instant::now();
    while started.elapsed() < DAY * year.days {
        // What ails the issuer is mended within the hour most times; all is well for longer.
        let pause = match (year.mood.get(), rng.u8(..10)) {
            (_, 0..4) => MINUTE.mul_f64(rng.f64() * 5.0),
            (Mood::Well, 4..7) => HOUR.mul_f64(rng.f64() * 12.0),
            (Mood::Well, _) => DAY.mul_f64(rng.f64() * 6.0),
            (_, 4..9) => MINUTE.mul_f64(rng.f64() * 30.0),
            _ => HOUR.mul_f64(rng.f64() * 12.0),
        };
        tokio::time::sleep(pause).await;
        year.check(&cell);
        match rng.u8(..16) {
            0..3 => year.change_mood(Mood::Well),
            _ if year.mood.get() != Mood::Well && rng.bool() => year.change_mood(Mood::Well),
            3 => year.change_mood(Mood::Down),
            4 => year.change_mood(Mood::Limited(HOUR.mul_f64(rng.f64()))),
            5 => year.change_mood(Mood::RefusesTheKey),
            6 => year.change_mood(Mood::Hangs(Duration::from_secs(10))),
            7 => year.change_mood(Mood::GivesDeadTokens),
            8 => {
                year.clock.suspend(DAY.mul_f64(rng.f64() * 3.0));
                year.well_since.set(Instant::now());
                year.forced();
                // With its real stretch the manager would look at the clocks within half a minute; any
                // nudge makes it do so now.
                cell.report_rejected(Generation::none());
            }
            9 => {
                // A revocation, or a route that wants more than a token.
                if let Some(current) = cell.newer_at_hand(Generation::none()) {
                    year.forced();
                    for _ in 0..rng.u8(1..20) {
                        cell.report_rejected(current.generation);
                    }
                }
            }
            10 => {
                year.forced();
                handle.key_changed().await;
            }
            11 => {
                year.forced();
                let _ = handle.refresh().await;
            }
            12 => {
                let offered = year.issue(year.lifetime);
                year.forced();
                cell.offer(offered);
            }
            // Requests, whether there is a token or not.
            _ => {
                let _ = cell.current().await;
            }
        }
        tokio::task::yield_now().await;
        year.check(&cell);
    }
}

fn live_through(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let (year, mut rng) = Year::new(seed);
        let latch = Readiness::default().latch("credential api", "first");
        let policy = Policy { refresh_ratio: 0.05 + 0.9 * rng.f64(), in_band: rng.bool() };
        let (mut manager, handle) =
            Manager::new(Credential::Api, policy, year.clock.clone(), latch, Metrics::new("sandbox"));
        manager.stretch = LONG_STRETCH;
        tokio::select! {
            biased;
            () = manager.run(async || year.exchange().await) => panic!("seed {seed}: the manager has ended"),
            () = live(&year, rng, &handle) => {}
        }
        year.check_floors();
        assert!(year.issued.get() > 0, "seed {seed}");
    });
}

/// `YEAR_SEED` plays one seed again, `YEARS` says how many years to live.
#[expect(clippy::disallowed_methods, reason = "it is the developer's, not the program's")]
fn asked_for(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn whatever_a_year_brings() {
    if let Some(seed) = asked_for("YEAR_SEED") {
        return live_through(seed);
    }
    let seeds = asked_for("YEARS").unwrap_or(SEEDS);
    let threads = std::thread::available_parallelism().unwrap().get() as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || (thread..seeds).step_by(threads as usize).for_each(live_through));
        }
    });
}

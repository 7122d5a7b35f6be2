//! A year in the life of a token, many times over, each from a seed: outages, rate limits, refused
//! keys, rotations, revocations, suspends, an issuer that repeats itself. Requests live through it, and
//! an oracle holds all that happens against the documented rules; a failure names its seed, and
//! `YEAR_SEED` plays that one again and tells its history.

mod events;
mod issuer;
mod oracle;
mod requests;
mod rules;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::watch;
use tokio::time::Instant;

use self::issuer::{Answer, Habit, Issuer};
use self::oracle::Oracle;
use self::requests::Crowd;
use self::rules::{RECOVERY, TICK, Time, WAIT_TIMEOUT};
use super::super::*;
use crate::lifecycle::Readiness;
use crate::secret::Secret;
use crate::token::cell::{Current, TokenCell};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// How long tokens live, and how long the year is: with shorter ones as much happens in less time.
const LIVES: [(Duration, Duration); 5] = [
    (MINUTE, HOUR.saturating_mul(12)),
    (MINUTE.saturating_mul(10), DAY.saturating_mul(2)),
    (HOUR, DAY.saturating_mul(6)),
    (HOUR.saturating_mul(23), DAY.saturating_mul(365)),
    (DAY, DAY.saturating_mul(365)),
];

/// As many years are lived in one run.
const SEEDS: u64 = 2_000;

/// The sleep at a stretch, made longer: half a minute is a million wakes a year, each the same.
const LONG_STRETCH: Duration = Duration::from_secs(6 * 3600);

/// The time of the year, on a clock that runs through suspends.
struct Calendar {
    clock: Clock,
    started: Instant,
    suspended: Cell<Duration>,
    woke: Cell<Time>,
}

impl Calendar {
    fn now(&self) -> Time {
        self.started.elapsed() + self.suspended.get()
    }
}

struct Year {
    seed: u64,
    calendar: Rc<Calendar>,
    issuer: Issuer,
    oracle: RefCell<Oracle>,
    handle: Handle,
    cell: TokenCell,
    view: watch::Receiver<View>,
    readiness: Readiness,
}

impl Year {
    fn now(&self) -> Time {
        self.calendar.now()
    }

    fn clock(&self) -> &Clock {
        &self.calendar.clock
    }

    fn suspend(&self, time: Duration) {
        self.clock().suspend(time);
        self.calendar.suspended.set(self.calendar.suspended.get() + time);
        self.calendar.woke.set(self.now());
        self.oracle.borrow_mut().suspended(self.now());
        // With its real stretch the manager would look at the clocks within half a minute; any nudge
        // makes it do so now.
        self.cell.report_rejected(Generation::none());
    }

    fn suspended_since(&self, time: Time) -> bool {
        self.calendar.woke.get() > time
    }

    async fn exchange(&self) -> Result<Grant, ExchangeError> {
        let requested = self.clock().now();
        self.look_for_a_token();
        self.oracle.borrow_mut().attempt_begins(self.now());
        let answer = self.issuer.answer().await;
        self.oracle.borrow_mut().attempt_ends(self.now(), answer);
        match answer {
            Answer::Token { number, life } => Ok(self.grant(number, life, requested)),
            Answer::Refused => Err(ExchangeError::Refused { message: "refused".into() }),
            Answer::Limited(retry_after) => Err(ExchangeError::RateLimited { retry_after }),
            Answer::Failed(retry_after) => {
                Err(ExchangeError::Transient { message: "down".into(), retry_after })
            }
        }
    }

    fn grant(&self, number: usize, lifetime: Duration, requested: Moment) -> Grant {
        Grant {
            token: Secret::parse(number.to_string()).unwrap(),
            expires_at_ms: 0,
            lifetime,
            requested,
            skew_ms: None,
            key: None,
        }
    }

    /// What is to be so whenever all who have something to do have done it.
    fn look(&self) {
        let (now, view) = (self.now(), self.view.borrow().clone());
        self.oracle.borrow_mut().look(now, view.in_band);
        self.look_for_a_token();
        let oracle = self.oracle.borrow();
        oracle.hold(view.ended == oracle.attempts, now, || "exchanges are not counted".into());
        let (usable, announced) = (oracle.valid(now).is_some(), self.readiness.pending().is_empty());
        oracle.hold(usable == announced, now, || format!("ready: {announced}"));
        let published = match &view.state {
            State::Available { renewal, .. } => usable && renewal.is_some() == oracle.trouble.is_some(),
            State::Unavailable(_) => !usable,
            State::Initializing => oracle.attempts == 0,
        };
        oracle.hold(published, now, || format!("it says {:?}", view.state));
    }

    /// The token in use is the one that it should be, and there is one if all has been well for long.
    fn look_for_a_token(&self) {
        let (now, oracle) = (self.now(), self.oracle.borrow());
        let current = self.cell.newer_at_hand(Generation::none());
        if !oracle.offered_just_now(now) {
            let used = current.as_ref().map(|current| (number_of(current), current.generation.number()));
            let held = oracle.valid(now).map(|held| (held.number, held.generation));
            oracle.hold(used == held, now, || format!("{used:?} is used, not {held:?}"));
        }
        if current.is_some() || self.issuer.healthy_since().is_none() {
            return;
        }
        let well = self.issuer.healthy_since().unwrap_or_default().max(oracle.not_before);
        let well = well.max(self.calendar.woke.get());
        // An issuer that repeats its token until late leaves a gap no longer than a request waits.
        let gap = match self.issuer.habit {
            Habit::AlwaysNew => Duration::ZERO,
            Habit::Repeats | Habit::Extends => self.issuer.slowest,
        };
        let ended = oracle.token.map_or(Duration::ZERO, |token| token.end);
        let limit = (well + RECOVERY).max(ended + gap + TICK);
        oracle.hold(now < limit, now, || format!("no token, and all has been well since {well:?}"));
    }
}

fn number_of(current: &Current) -> usize {
    let name = current.authorization.to_str().unwrap().strip_prefix("Bearer ").unwrap();
    name.parse().unwrap()
}

fn live_through(seed: u64, tells: bool) {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let mut rng = Rng::with_seed(seed);
        let (life, length) = LIVES[rng.usize(..LIVES.len())];
        let clock = Clock::scripted();
        let calendar = Rc::new(Calendar {
            clock: clock.clone(),
            started: Instant::now(),
            suspended: Cell::default(),
            woke: Cell::default(),
        });
        let policy = Policy { refresh_ratio: 0.05 + 0.9 * rng.f64(), in_band: rng.bool() };
        let readiness = Readiness::default();
        let latch = readiness.latch("credential api", "first");
        let (mut manager, handle) =
            Manager::new(Credential::Api, policy, clock, latch, Metrics::new("sandbox"));
        manager.stretch = LONG_STRETCH;
        let year = Year {
            seed,
            issuer: Issuer::new(calendar.clone(), life, &mut rng),
            oracle: RefCell::new(Oracle::new(seed, policy.refresh_ratio, policy.in_band, tells)),
            cell: handle.cell(WAIT_TIMEOUT),
            view: manager.view.subscribe(),
            handle,
            calendar,
            readiness,
        };
        let crowd = Crowd::default();
        tokio::select! {
            biased;
            () = manager.run(async || year.exchange().await) => panic!("seed {seed}: the manager has ended"),
            () = events::live(&year, length, rng, &crowd) => {}
            () = crowd.run() => {}
        }
        year.oracle.borrow().look_back(year.now());
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
        return live_through(seed, true);
    }
    let seeds = asked_for("YEARS").unwrap_or(SEEDS);
    let threads = std::thread::available_parallelism().unwrap().get() as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                (thread..seeds).step_by(threads as usize).for_each(|seed| live_through(seed, false));
            });
        }
    });
}

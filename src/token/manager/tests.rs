//! The manager against a scripted issuer, in virtual time.

mod report;
mod second_thoughts;
mod year;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use tokio::time::Instant;

use super::*;
use crate::lifecycle::Readiness;
use crate::secret::Secret;
use crate::token::cell::{TokenCell, Unavailable};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// What the issuer does when it is asked next; the last entry holds for ever.
#[derive(Clone, Copy)]
enum Say {
    Token(Duration),
    Same(Duration),
    Down,
    Limited(Duration),
    Refuse,
    Hang(Duration),
    /// A token that takes a while, and how long it lives.
    Late(Duration, Duration),
    RefuseLate(Duration),
}

struct World {
    clock: Clock,
    handle: Handle,
    readiness: Readiness,
    issuer: Issuer,
    manager: RefCell<Option<Manager>>,
}

struct Issuer {
    clock: Clock,
    script: RefCell<VecDeque<Say>>,
    asked: RefCell<Vec<Instant>>,
    issued: Cell<u32>,
}

impl Issuer {
    async fn ask(&self) -> Result<Grant, ExchangeError> {
        self.asked.borrow_mut().push(Instant::now());
        let say = {
            let mut script = self.script.borrow_mut();
            if script.len() > 1 { script.pop_front() } else { script.front().copied() }
        };
        let transient = || ExchangeError::Transient { message: "down".into(), retry_after: None };
        let refused = || ExchangeError::Refused { message: "refused".into() };
        match say.unwrap_or(Say::Down) {
            Say::Token(lifetime) => Ok(self.next(lifetime)),
            Say::Late(time, lifetime) => {
                tokio::time::sleep(time).await;
                Ok(self.next(lifetime))
            }
            Say::Same(lifetime) => Ok(self.grant(1, lifetime)),
            Say::Down => Err(transient()),
            Say::Limited(retry_after) => Err(ExchangeError::RateLimited { retry_after }),
            Say::Refuse => Err(refused()),
            Say::RefuseLate(time) => {
                tokio::time::sleep(time).await;
                Err(refused())
            }
            Say::Hang(time) => {
                tokio::time::sleep(time).await;
                Err(transient())
            }
        }
    }

    fn next(&self, lifetime: Duration) -> Grant {
        self.issued.set(self.issued.get() + 1);
        self.grant(self.issued.get(), lifetime)
    }

    fn grant(&self, number: u32, lifetime: Duration) -> Grant {
        Grant {
            token: Secret::parse(format!("token-{number}")).unwrap(),
            expires_at_ms: 0,
            lifetime,
            requested: self.clock.now(),
            skew_ms: None,
            key: None,
        }
    }
}

impl World {
    fn new(script: &[Say]) -> Self {
        Self::with(script, Policy { refresh_ratio: 0.5, in_band: false })
    }

    fn with(script: &[Say], policy: Policy) -> Self {
        let clock = Clock::scripted();
        let readiness = Readiness::default();
        let latch = readiness.latch("credential api", "first");
        let (manager, handle) =
            Manager::new(Credential::Api, policy, clock.clone(), latch, Metrics::new("sandbox"));
        let issuer = Issuer {
            clock: clock.clone(),
            script: RefCell::new(script.iter().copied().collect()),
            asked: RefCell::default(),
            issued: Cell::new(0),
        };
        Self { clock, handle, readiness, issuer, manager: RefCell::new(Some(manager)) }
    }

    /// Runs the manager beside `story` until the story ends.
    async fn play<T>(&self, story: impl Future<Output = T>) -> T {
        let manager = self.manager.borrow_mut().take().unwrap();
        tokio::select! {
            biased;
            () = manager.run(async || self.issuer.ask().await) => panic!("a manager never ends"),
            told = story => told,
        }
    }

    fn cell(&self) -> TokenCell {
        self.handle.cell(Duration::from_secs(5))
    }

    fn asked(&self) -> usize {
        self.issuer.asked.borrow().len()
    }

    fn ready(&self) -> bool {
        self.readiness.pending().is_empty()
    }

    /// The waits between one attempt and the next.
    fn waits(&self) -> Vec<Duration> {
        self.issuer.asked.borrow().windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

async fn used(cell: &TokenCell) -> String {
    let current = cell.current().await.unwrap();
    current.authorization.to_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn the_first_token_comes_at_once_and_a_request_waits_for_it() {
    let world = World::new(&[Say::Token(HOUR)]);
    world
        .play(async {
            assert_eq!(used(&world.cell()).await, "Bearer token-1");
            assert!(world.ready());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_at_half_its_life_less_jitter() {
    let world = World::new(&[Say::Token(HOUR)]);
    world.play(pass(10 * HOUR)).await;
    for wait in world.waits() {
        assert!(wait <= HOUR / 2 && wait >= HOUR.mul_f64(0.475), "{wait:?}");
    }
    assert!((20..=22).contains(&world.asked()), "{}", world.asked());
}

#[tokio::test(start_paused = true)]
async fn a_good_token_is_kept_while_its_renewal_fails() {
    let world = World::new(&[Say::Token(HOUR), Say::Down]);
    let cell = world.cell();
    world
        .play(async {
            pass(HOUR - Duration::from_secs(1)).await;
            assert_eq!(used(&cell).await, "Bearer token-1");
            assert!(world.ready());
            assert!(world.asked() > 30, "it keeps trying: {}", world.asked());

            pass(Duration::from_secs(2)).await;
            assert!(!world.ready(), "a token is not used after its end");
            let Err(Unavailable::NotInTime { reason, .. }) = cell.current().await else { panic!() };
            assert_eq!(reason, "down");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn no_outage_ends_the_task() {
    let mut script = vec![Say::Down; 500];
    script.extend([Say::Hang(HOUR), Say::Refuse, Say::Limited(HOUR), Say::Token(HOUR)]);
    let world = World::new(&script);
    world
        .play(async {
            while !world.ready() {
                pass(Duration::from_secs(60)).await;
            }
            assert_eq!(used(&world.cell()).await, "Bearer token-1");
        })
        .await;
    for wait in world.waits() {
        assert!(wait >= Duration::from_millis(250), "a hot loop: {wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_is_left_alone_for_as_long_as_it_asks() {
    let world = World::new(&[Say::Limited(Duration::from_secs(90)), Say::Token(HOUR)]);
    let cell = world.cell();
    world
        .play(async {
            pass(Duration::from_secs(1)).await;
            let asked_at = Instant::now();
            let Err(Unavailable::RateLimited(left)) = cell.current().await else { panic!() };
            assert_eq!(asked_at.elapsed(), Duration::ZERO, "waiting is no use");
            assert!(left > Duration::from_secs(88) && left < Duration::from_secs(100), "{left:?}");
            pass(Duration::from_secs(105)).await;
            assert!(world.ready());
        })
        .await;
    assert!(world.waits()[0] >= Duration::from_secs(90));
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_tried_once_a_minute_and_requests_hear_of_it_at_once() {
    let world = World::new(&[Say::Refuse]);
    let cell = world.cell();
    world
        .play(async {
            pass(Duration::from_secs(601)).await;
            let asked_at = Instant::now();
            assert!(matches!(cell.current().await, Err(Unavailable::Refused(why)) if why == "refused"));
            assert_eq!(asked_at.elapsed(), Duration::ZERO);
        })
        .await;
    assert_eq!(world.asked(), 11);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_gives_the_same_token_again_does_not_make_it_spin() {
    let world = World::new(&[Say::Same(HOUR), Say::Same(HOUR / 2), Say::Same(Duration::from_secs(30))]);
    let cell = world.cell();
    world
        .play(async {
            pass(Duration::from_secs(3000)).await;
            let current = cell.current().await.unwrap();
            assert_eq!(current.generation.number(), 1, "the same token is no new generation");
        })
        .await;
    for wait in world.waits() {
        assert!(wait >= Duration::from_secs(60), "{wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ended_in_suspend_is_not_used_and_is_renewed_at_once() {
    let world = World::new(&[Say::Token(HOUR)]);
    let cell = world.cell();
    world
        .play(async {
            pass(Duration::from_secs(60)).await;
            world.clock.suspend(24 * HOUR);
            let asked_at = Instant::now();
            assert_eq!(used(&cell).await, "Bearer token-2");
            assert_eq!(asked_at.elapsed(), Duration::ZERO);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_suspend_that_nobody_asks_about_is_noticed_within_half_a_minute() {
    let world = World::new(&[Say::Token(HOUR)]);
    world
        .play(async {
            pass(Duration::from_secs(60)).await;
            world.clock.suspend(24 * HOUR);
            pass(STRETCH).await;
            assert_eq!(world.asked(), 2);
            assert!(world.ready());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_end_during_a_call_that_hangs_is_announced() {
    let world = World::new(&[Say::Token(Duration::from_secs(10)), Say::Hang(HOUR)]);
    world
        .play(async {
            pass(Duration::from_secs(9)).await;
            assert!(world.ready());
            pass(Duration::from_secs(2)).await;
            assert!(!world.ready());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_from_an_answer_in_band_is_taken_if_it_lives_longer() {
    let world = World::new(&[Say::Token(HOUR)]);
    let cell = world.cell();
    world
        .play(async {
            assert_eq!(used(&cell).await, "Bearer token-1");
            cell.offer(world.issuer.grant(76, HOUR));
            cell.offer(world.issuer.grant(77, HOUR / 2));
            pass(Duration::from_secs(1)).await;
            assert_eq!(used(&cell).await, "Bearer token-1", "they would end no later");
            cell.offer(world.issuer.grant(78, 2 * HOUR));
            pass(Duration::from_secs(1)).await;
            assert_eq!(used(&cell).await, "Bearer token-78");
            pass(HOUR - HOUR / 10).await;
            assert_eq!(world.asked(), 1, "the renewal is planned anew");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn while_requests_wait_after_a_401_no_backoff_is_long() {
    let world = World::new(&[Say::Token(24 * HOUR), Say::Down]);
    world
        .play(async {
            let cell = world.cell();
            let rejected = cell.current().await.unwrap().generation;
            for _ in 0..100 {
                assert!(cell.newer_than(rejected).await.is_none());
            }
        })
        .await;
    let asked = world.asked();
    assert!((80..250).contains(&asked), "{asked} attempts in 500 seconds");
    let waits = world.waits();
    assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(5)), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn many_requests_at_once_cost_one_exchange() {
    let world = World::new(&[Say::Hang(Duration::from_secs(1)), Say::Token(HOUR)]);
    let cell = world.cell();
    world
        .play(async {
            let mut waiting: Vec<_> = (0..1000).map(|_| Box::pin(cell.current())).collect();
            for request in &mut waiting {
                request.await.unwrap();
            }
        })
        .await;
    assert_eq!(world.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_no_longer_than_it_may() {
    let world = World::new(&[Say::Hang(HOUR)]);
    let cell = world.cell();
    world
        .play(async {
            let asked_at = Instant::now();
            assert!(matches!(cell.current().await, Err(Unavailable::NotInTime { .. })));
            assert_eq!(asked_at.elapsed(), Duration::from_secs(5));
        })
        .await;
}

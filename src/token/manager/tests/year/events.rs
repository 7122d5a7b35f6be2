//! What happens in a year, and when.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};

use super::Year;
use super::issuer::Mood;
use super::requests::{self, Crowd};
use super::rules::{RECOVERY, TICK};
use crate::token::Generation;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// One event after another, for as long as the year is.
pub(super) async fn live<'a>(year: &'a Year, length: Duration, mut rng: Rng, crowd: &Crowd<'a>) {
    let started = Instant::now();
    while started.elapsed() < length {
        let before = year.issuer.mood();
        happens(year, &mut rng, crowd).await;
        // An operator who was put off, and all who were to be woken, have been.
        sleep(TICK).await;
        year.look();
        sleep(pause(year, &mut rng)).await;
        year.look();
        // What ails the issuer is mended soon, most times.
        if before != Mood::Well && year.issuer.mood() == before && rng.u8(..3) > 0 {
            year.issuer.change_mood(Mood::Well);
            if rng.bool() {
                sleep(RECOVERY).await;
                year.look();
            }
        }
        if !year.issuer.likes_the_key() && rng.u8(..3) == 0 {
            key_changes(year, true).await;
            sleep(TICK).await;
        }
    }
}

/// How long until the next event.
fn pause(year: &Year, rng: &mut Rng) -> Duration {
    let some = rng.f64();
    match (year.issuer.healthy_since(), year.issuer.mood(), rng.u8(..10)) {
        (_, Mood::GivesBriefTokens(_), _) => (8 * SECOND).mul_f64(some),
        (_, _, 0..3) => (3 * SECOND).mul_f64(some),
        (_, _, 3..5) => MINUTE.mul_f64(some),
        (Some(_), _, _) => year.issuer.life.mul_f64(some * 2.5),
        (None, _, 5..9) => (10 * MINUTE).mul_f64(some),
        (None, _, _) => HOUR.min(year.issuer.life.saturating_mul(2)).mul_f64(some),
    }
}

async fn happens<'a>(year: &'a Year, rng: &mut Rng, crowd: &Crowd<'a>) {
    let some = rng.f64();
    match rng.u8(..28) {
        0 => year.issuer.change_mood(Mood::Down(None)),
        1 => year.issuer.change_mood(Mood::Down(Some((3 * MINUTE).mul_f64(some)))),
        2 => year.issuer.change_mood(Mood::Limited(HOUR.mul_f64(some))),
        3 => year.issuer.change_mood(Mood::Limited(MINUTE.mul_f64(some))),
        4 => year.issuer.change_mood(Mood::Hangs),
        5 => year.issuer.change_mood(Mood::GivesDeadTokens),
        6 => year.issuer.change_mood(Mood::GivesBriefTokens((2 * SECOND).mul_f64(some))),
        7 => year.issuer.judge_key(false),
        8 => year.issuer.judge_key(true),
        9 => key_changes(year, false).await,
        10..13 => key_changes(year, true).await,
        13 => year.suspend(year.issuer.life.mul_f64(some * 3.0)),
        14..18 => {
            // A revocation, of which one hears or many.
            year.issuer.revoke_all();
            for _ in 0..rng.u8(..20) {
                crowd.join(requests::request(year, true));
            }
            year.report(0);
        }
        // A route that answers 401 whatever the token; an answer to a request that was sent long ago.
        18 => year.report(0),
        19 => year.report(rng.u64(1..4)),
        20 => {
            for _ in 0..rng.u8(1..16) {
                year.report(0);
                if rng.u8(..4) == 0 {
                    sleep(TICK).await;
                    requests::offer(year);
                }
                sleep((2 * SECOND).mul_f64(rng.f64())).await;
            }
        }
        21 => {
            for _ in 0..rng.u8(1..4) {
                crowd.join(requests::refresh(year));
                sleep(SECOND.mul_f64(rng.f64())).await;
            }
        }
        22 => requests::offer(year),
        // Requests, whether there is a token or not.
        _ => {
            for _ in 0..rng.u8(1..5) {
                crowd.join(requests::request(year, rng.bool()));
            }
        }
    }
}

async fn key_changes(year: &Year, good: bool) {
    year.issuer.rotate(good);
    year.oracle.borrow_mut().key_changed(year.now());
    year.handle.key_changed().await;
}

impl Year {
    /// A 401 that nobody waits after: to the token in use, or to one so many before it.
    fn report(&self, before: u64) {
        let Some(current) = self.cell.newer_at_hand(Generation::none()) else { return };
        if let Some(generation) = current.generation.number().checked_sub(before).filter(|of| *of > 0) {
            let generation = Generation(generation);
            self.oracle.borrow_mut().rejected(self.now(), generation.number());
            self.cell.report_rejected(generation);
        }
    }
}

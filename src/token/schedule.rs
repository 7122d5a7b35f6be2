//! When to renew and when to try again: pure functions of a token's life, the attempt and chance.
//!
//! `chance` is a number from 0 to 1, so that a test can name it.

use std::time::Duration;

/// A renewal is spread over up to this share of its time, so that proxies that started together part.
const JITTER: f64 = 0.05;

/// The mandatory window is the last of a token's life: this long, or a tenth of it if that is shorter.
const MANDATORY: Duration = Duration::from_secs(5 * 60);

/// After a success no scheduled attempt comes sooner than this, or a quarter of the token's life.
const FLOOR: Duration = Duration::from_secs(60);

/// No attempt follows another sooner than this, whatever the reason. Full jitter may draw next to
/// nothing, and an issuer may hand out tokens that end at once.
pub const FLOOR_ALWAYS: Duration = Duration::from_millis(250);

/// An attempt that a 401 or an operator forces does not follow another sooner than this.
pub const FLOOR_FORCED: Duration = Duration::from_secs(1);

/// As many forced attempts there may be within [`FORCED_WINDOW`].
pub const FORCED_MOST: usize = 10;

/// See [`FORCED_MOST`].
pub const FORCED_WINDOW: Duration = Duration::from_secs(60);

/// The first wait after a failure, doubled with each further one.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);

/// The longest wait between attempts that fail.
pub const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// The longest wait between attempts that fail in the mandatory window; a quarter of the window where
/// that is shorter.
const BACKOFF_MAX_MANDATORY: Duration = Duration::from_secs(5);

/// While requests wait for a token, no attempt comes later than this after another, whatever the backoff.
const WANTED: Duration = Duration::from_secs(5);

/// How long a refused key is left alone: nothing but another key helps.
pub const REFUSED: Duration = Duration::from_secs(60);

/// When in a token's life, counted from its start, it is renewed.
pub fn renew_after(lifetime: Duration, ratio: f64, chance: f64) -> Duration {
    let advisory = lifetime.mul_f64(ratio * (1.0 - JITTER * chance));
    advisory.min(mandatory_after(lifetime)).max(floor(lifetime))
}

/// When in a token's life, counted from its start, its renewal becomes pressing.
pub fn mandatory_after(lifetime: Duration) -> Duration {
    lifetime - mandatory_window(lifetime)
}

fn mandatory_window(lifetime: Duration) -> Duration {
    MANDATORY.min(lifetime / 10)
}

/// The least time between a success and the next scheduled attempt.
pub fn floor(lifetime: Duration) -> Duration {
    FLOOR.min(lifetime / 4)
}

/// How long to wait after the `attempt`th failure in a row (from 1): full jitter below a bound that
/// doubles each time. `life` is the age and the lifetime of the token in use, if there is one: no wait
/// sleeps through the beginning of its mandatory window, and within it waits are short.
pub fn backoff(attempt: u32, life: Option<(Duration, Duration)>, chance: f64) -> Duration {
    let bound = BACKOFF_FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(BACKOFF_MAX);
    let bound = match life {
        Some((age, lifetime)) if age < lifetime => {
            let pressing = BACKOFF_MAX_MANDATORY.min(mandatory_window(lifetime) / 4);
            match mandatory_after(lifetime).checked_sub(age) {
                Some(until) if !until.is_zero() => bound.min(until + pressing),
                _ => bound.min(pressing),
            }
        }
        _ => bound,
    };
    bound.mul_f64(chance).max(FLOOR_ALWAYS)
}

/// How much later than the API asked for the next attempt comes: everyone else was told the same time.
pub fn after_others(chance: f64) -> Duration {
    Duration::from_secs(2).mul_f64(chance)
}

/// How long the next attempt has to wait when a request needs a token and the latest one failed
/// `age` ago.
pub fn wanted_wait(age: Duration, chance: f64) -> Duration {
    WANTED.mul_f64(0.5 + 0.5 * chance).saturating_sub(age)
}

/// How long a forced attempt has to wait: `ages` are those of the latest attempt of any kind and of the
/// forced ones, newest first.
pub fn forced_wait(latest: Option<Duration>, forced: impl Iterator<Item = Duration>) -> Duration {
    let after_latest = latest.map_or(Duration::ZERO, |age| FLOOR_FORCED.saturating_sub(age));
    let mut recent = forced.filter(|age| *age < FORCED_WINDOW);
    let after_many = recent.nth(FORCED_MOST - 1).map_or(Duration::ZERO, |age| FORCED_WINDOW - age);
    after_latest.max(after_many)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_days_token_is_renewed_at_noon() {
        assert_eq!(renew_after(DAY, 0.5, 0.0), DAY / 2);
        assert_eq!(renew_after(DAY, 0.5, 1.0), DAY.mul_f64(0.475));
        assert_eq!(mandatory_after(DAY), DAY - Duration::from_secs(300));
    }

    #[test]
    fn a_short_life_has_short_windows() {
        let life = Duration::from_secs(2);
        assert_eq!(renew_after(life, 0.5, 0.0), Duration::from_secs(1));
        assert_eq!(mandatory_after(life), Duration::from_millis(1800));
        assert_eq!(floor(life), Duration::from_millis(500));
    }

    #[test]
    fn the_backoff_doubles_up_to_its_end() {
        let waits: Vec<_> = (1..=9).map(|attempt| backoff(attempt, None, 1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let late = Some((DAY - Duration::from_secs(10), DAY));
        let pressed: Vec<_> = (1..=5).map(|attempt| backoff(attempt, late, 1.0).as_secs()).collect();
        assert_eq!(pressed, [1, 2, 4, 5, 5]);
        let ended = Some((DAY, DAY));
        assert_eq!(backoff(9, ended, 1.0).as_secs(), 60);
    }

    #[test]
    fn no_backoff_sleeps_through_the_mandatory_window() {
        let life = Duration::from_secs(100);
        let wait = backoff(9, Some((Duration::from_secs(80), life)), 1.0);
        assert_eq!(wait, Duration::from_millis(12_500), "ten seconds to the window, and a quarter of it");
    }

    #[test]
    fn forced_attempts_are_one_a_second_and_ten_a_minute() {
        let seconds = |ages: &[u64]| ages.iter().map(|age| Duration::from_secs(*age)).collect::<Vec<_>>();
        let wait = |latest: Option<u64>, ages: &[u64]| {
            forced_wait(latest.map(Duration::from_secs), seconds(ages).into_iter())
        };
        assert_eq!(wait(None, &[]), Duration::ZERO);
        assert_eq!(wait(Some(0), &[]), Duration::from_secs(1));
        assert_eq!(wait(Some(2), &[2, 4, 6]), Duration::ZERO);
        assert_eq!(wait(Some(2), &[2, 4, 6, 8, 10, 12, 14, 16, 18, 20]), Duration::from_secs(40));
        assert_eq!(wait(Some(2), &[2, 4, 6, 8, 10, 12, 14, 16, 18, 61]), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn a_renewal_is_neither_early_nor_late(
            millis in 1u64..10_000_000_000, ratio in 0.05..0.95f64, chance in 0.0..=1.0f64,
        ) {
            let life = Duration::from_millis(millis);
            let after = renew_after(life, ratio, chance);
            prop_assert!(after >= floor(life));
            prop_assert!(after <= mandatory_after(life));
        }

        #[test]
        fn a_backoff_never_spins_and_never_sleeps_in(
            attempt in 0u32.., age in 0u64..100_000_000, life in 1u64..100_000_000, chance in 0.0..=1.0f64,
        ) {
            let (age, life) = (Duration::from_millis(age), Duration::from_millis(life));
            let wait = backoff(attempt, Some((age, life)), chance);
            prop_assert!(wait >= FLOOR_ALWAYS);
            prop_assert!(wait <= BACKOFF_MAX);
            if age < life && life > Duration::from_secs(20) {
                prop_assert!(age + wait < life + FLOOR_ALWAYS, "an attempt is left before the end");
            }
        }
    }
}

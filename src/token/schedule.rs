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

/// The first wait after a failure, doubled with each further one.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);

/// The longest wait between attempts that fail.
pub const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// The longest wait between attempts that fail in the mandatory window.
const BACKOFF_MAX_MANDATORY: Duration = Duration::from_secs(5);

/// Full jitter may draw next to nothing; an attempt never follows another sooner than this.
const BACKOFF_MIN: Duration = Duration::from_millis(250);

/// How long a refused key is left alone: nothing but another key helps.
pub const REFUSED: Duration = Duration::from_secs(60);

/// When in a token's life, counted from its start, it is renewed.
pub fn renew_after(lifetime: Duration, ratio: f64, chance: f64) -> Duration {
    let advisory = lifetime.mul_f64(ratio * (1.0 - JITTER * chance));
    advisory.min(mandatory_after(lifetime)).max(floor(lifetime))
}

/// When in a token's life, counted from its start, its renewal becomes pressing.
pub fn mandatory_after(lifetime: Duration) -> Duration {
    lifetime - MANDATORY.min(lifetime / 10)
}

/// The least time between a success and the next scheduled attempt.
pub fn floor(lifetime: Duration) -> Duration {
    FLOOR.min(lifetime / 4)
}

/// How long to wait after the `attempt`th failure in a row (from 1): full jitter below a bound that
/// doubles each time.
pub fn backoff(attempt: u32, mandatory: bool, chance: f64) -> Duration {
    let most = if mandatory { BACKOFF_MAX_MANDATORY } else { BACKOFF_MAX };
    let bound = BACKOFF_FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(most);
    bound.mul_f64(chance).max(BACKOFF_MIN)
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
        let waits: Vec<_> = (1..=9).map(|attempt| backoff(attempt, false, 1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let pressed: Vec<_> = (1..=5).map(|attempt| backoff(attempt, true, 1.0).as_secs()).collect();
        assert_eq!(pressed, [1, 2, 4, 5, 5]);
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
            attempt in 0u32.., mandatory: bool, chance in 0.0..=1.0f64,
        ) {
            let wait = backoff(attempt, mandatory, chance);
            prop_assert!(wait >= BACKOFF_MIN);
            prop_assert!(wait <= BACKOFF_MAX);
        }
    }
}

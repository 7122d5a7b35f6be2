mod order;

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
fn a_request_that_waits_shortens_the_backoff_to_five_seconds() {
    let (now, later) = (Duration::ZERO, Duration::from_secs(2));
    assert_eq!(wanted_wait(now, 0.0), Duration::from_millis(2500));
    assert_eq!(wanted_wait(now, 1.0), Duration::from_secs(5));
    assert_eq!(wanted_wait(later, 1.0), Duration::from_secs(3));
    assert_eq!(wanted_wait(DAY, 1.0), Duration::ZERO);
    assert_eq!(after_others(0.5), Duration::from_secs(1));
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

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
            bound.min(mandatory_after(lifetime).saturating_sub(age) + pressing)
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
mod tests;

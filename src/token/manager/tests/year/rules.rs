//! The rules as the documentation has them ("What limits attempts"), in numbers of their own: nothing
//! here is computed by the code that is judged.

use std::time::Duration;

/// Time since the year began, suspends included.
pub(super) type Time = Duration;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// No attempt follows another within this.
pub(super) const ALWAYS: Duration = Duration::from_millis(250);

/// Forced attempts: one within this …
pub(super) const FORCED: Duration = seconds(1);

/// … and so many within [`A_MINUTE`].
pub(super) const FORCED_MOST: usize = 10;

pub(super) const A_MINUTE: Duration = seconds(60);

/// The longest that anyone is waited for who answered neither 429 nor a token.
pub(super) const LONGEST: Duration = seconds(60);

/// While requests wait, no backoff is longer.
pub(super) const WAITED_FOR: Duration = seconds(5);

/// Chance seldom makes a long backoff as short as this, and a request that waits makes none so short.
pub(super) const AT_ONCE: Duration = seconds(2);

/// How much later than it was asked to, at most, an attempt follows a 429.
pub(super) const LATER: Duration = seconds(2);

/// How long a request waits for a token.
pub(super) const WAIT_TIMEOUT: Duration = seconds(5);

/// How long all must have been well until there is a token for sure: twice the longest backoff.
pub(super) const RECOVERY: Duration = seconds(120);

/// How late a timer may be.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// From when to when something is to happen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) from: Time,
    pub(super) by: Time,
}

impl Window {
    pub(super) fn at(time: Time) -> Self {
        Self { from: time, by: time }
    }

    pub(super) fn after(self, time: Time) -> Self {
        Self { from: time + self.from, by: time + self.by }
    }

    pub(super) fn not_before(self, time: Time) -> Self {
        Self { from: self.from.max(time), by: self.by.max(time) }
    }
}

/// The least time from a success to the next scheduled attempt.
pub(super) fn floor(life: Duration) -> Duration {
    A_MINUTE.min(life / 4)
}

/// How long before a token's end its renewal is pressing.
pub(super) fn pressing(life: Duration) -> Duration {
    seconds(300).min(life / 10)
}

/// When in its life a token is renewed: at `ratio` of it, less up to a twentieth.
pub(super) fn renewal(life: Duration, ratio: f64) -> Window {
    let latest = life - pressing(life);
    let at = |share: f64| life.mul_f64(share).min(latest).max(floor(life));
    Window { from: at(ratio * 0.95), by: at(ratio) }
}

/// The longest wait after so many failures in a row, for a token in use that ends at `end`: doubled each
/// time, but it does not sleep into the time when the renewal is pressing.
pub(super) fn backoff(failures: u32, now: Time, token: Option<(Time, Duration)>) -> Duration {
    let bound = LONGEST.min(seconds(1 << failures.saturating_sub(1).min(6)));
    let pressed = token.filter(|(end, _)| *end > now).map(|(end, life)| {
        let window = pressing(life);
        (end - now).saturating_sub(window) + WAITED_FOR.min(window / 4)
    });
    pressed.map_or(bound, |pressed| bound.min(pressed)).max(ALWAYS)
}

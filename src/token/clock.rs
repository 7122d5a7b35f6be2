//! Time that cannot be set back and does not stop in suspend.
//!
//! The monotonic clock drives the timers, but it stands still while a machine sleeps; the boot-time
//! clock runs on. A [`Deadline`] holds both, and the earlier one counts. The wall clock plays no part.

use std::time::Duration;

use tokio::time::Instant;

/// Reads both clocks.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    #[cfg(test)]
    scripted: Option<std::sync::Arc<Scripted>>,
}

/// A point in time, on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    monotonic: Instant,
    boot: Duration,
}

/// A point in time that has come as soon as either clock has reached it.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Moment);

impl Clock {
    /// The time now.
    pub fn now(&self) -> Moment {
        Moment { monotonic: Instant::now(), boot: self.boot() }
    }

    #[cfg(not(test))]
    fn boot(&self) -> Duration {
        boot_time()
    }

    #[cfg(test)]
    fn boot(&self) -> Duration {
        self.scripted.as_ref().map_or_else(boot_time, |scripted| scripted.boot())
    }
}

fn boot_time() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = rustix::time::ClockId::Monotonic;
    Duration::try_from(rustix::time::clock_gettime(clock)).unwrap_or_default()
}

impl Moment {
    /// The same on the clock that drives the timers.
    pub fn monotonic(self) -> Instant {
        self.monotonic
    }

    /// The deadline `wait` after this moment.
    pub fn after(self, wait: Duration) -> Deadline {
        Deadline(Self { monotonic: self.monotonic + wait, boot: self.boot + wait })
    }

    /// The moment `time` before this one, as far back as the clocks go.
    pub fn earlier(self, time: Duration) -> Self {
        let monotonic = self.monotonic.checked_sub(time).unwrap_or(self.monotonic);
        Self { monotonic, boot: self.boot.saturating_sub(time) }
    }

    /// Time gone by since `earlier`, by the clock that saw more of it.
    pub fn since(self, earlier: Self) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(earlier.monotonic);
        monotonic.max(self.boot.saturating_sub(earlier.boot))
    }
}

impl Deadline {
    /// Time left at `now`; zero when the deadline has come.
    pub fn remaining(self, now: Moment) -> Duration {
        let monotonic = self.0.monotonic.saturating_duration_since(now.monotonic);
        monotonic.min(self.0.boot.saturating_sub(now.boot))
    }

    /// Whether it has come at `now`.
    pub fn has_come(self, now: Moment) -> bool {
        self.remaining(now).is_zero()
    }
}

/// A boot-time clock that follows tokio's (which tests may pause) and can be made to jump, as a
/// suspended machine's does.
#[cfg(test)]
#[derive(Debug)]
struct Scripted {
    start: Instant,
    suspended: std::sync::Mutex<Duration>,
}

#[cfg(test)]
impl Scripted {
    fn boot(&self) -> Duration {
        self.start.elapsed() + *self.suspended.lock().unwrap()
    }
}

#[cfg(test)]
impl Clock {
    pub(crate) fn scripted() -> Self {
        let scripted = Scripted { start: Instant::now(), suspended: std::sync::Mutex::default() };
        Self { scripted: Some(scripted.into()) }
    }

    pub(crate) fn suspend(&self, time: Duration) {
        *self.scripted.as_ref().unwrap().suspended.lock().unwrap() += time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_deadline_comes_with_the_monotonic_clock() {
        let clock = Clock::scripted();
        let deadline = clock.now().after(MINUTE);
        assert_eq!(deadline.remaining(clock.now()), MINUTE);
        tokio::time::advance(MINUTE - Duration::from_millis(1)).await;
        assert!(!deadline.has_come(clock.now()));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(deadline.has_come(clock.now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_comes_in_suspend_too() {
        let clock = Clock::scripted();
        let start = clock.now();
        let deadline = start.after(MINUTE);
        clock.suspend(MINUTE);
        assert!(deadline.has_come(clock.now()));
        assert_eq!(clock.now().since(start), MINUTE);
    }

    #[test]
    fn the_systems_clocks_go_forward() {
        let clock = Clock::default();
        let first = clock.now();
        assert!(first.boot > Duration::ZERO);
        assert!(clock.now().boot >= first.boot);
    }
}

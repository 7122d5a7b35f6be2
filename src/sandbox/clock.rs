//! The server's clock: the real one, set wrong when a test asks for it.
//!
//! It is what answers show (`metadata.timestamp`, `exp`, `Date`, dates of carts and orders). Whether
//! a token is still valid is measured on the monotonic clock instead, so that setting this one does
//! not change how long anything lives.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last millisecond that an HTTP date and RFC 3339 can write: the end of the year 9999.
const LATEST_MS: i64 = 253_402_300_799_999;

/// The server's clock.
#[derive(Debug, Default)]
pub(super) struct Clock {
    offset_ms: AtomicI64,
}

impl Clock {
    /// Milliseconds since the Unix epoch.
    pub(super) fn now_ms(&self) -> i64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let real = i64::try_from(real).unwrap_or(LATEST_MS);
        real.saturating_add(self.offset_ms.load(Ordering::Relaxed)).clamp(0, LATEST_MS)
    }

    /// Sets it ahead of the real clock, or behind it.
    pub(super) fn set_offset_ms(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
    }
}

/// A time as the standard library has it, for those who write dates.
pub(super) fn system_time(unix_ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(unix_ms.clamp(0, LATEST_MS).unsigned_abs())
}

/// A time as the API writes it in its data: RFC 3339 with milliseconds, in UTC.
pub(super) fn iso(unix_ms: i64) -> String {
    humantime::format_rfc3339_millis(system_time(unix_ms)).to_string()
}

/// Reads `2026-01-31` or `2026-01-31T10:00:00.000Z` as Unix milliseconds; the bare day is its first
/// millisecond.
pub(super) fn parse_iso(text: &str) -> Option<i64> {
    let with_time =
        if text.len() == "2026-01-31".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let time = humantime::parse_rfc3339(&with_time).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_moves_it_and_the_calendar_bounds_it() {
        let clock = Clock::default();
        let real = clock.now_ms();
        clock.set_offset_ms(-3_600_000);
        assert!((clock.now_ms() - real + 3_600_000).abs() < 60_000);
        clock.set_offset_ms(i64::MAX);
        assert_eq!(iso(clock.now_ms()), "9999-12-31T23:59:59.999Z");
        clock.set_offset_ms(i64::MIN);
        assert_eq!(iso(clock.now_ms()), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn days_and_times_are_read() {
        assert_eq!(parse_iso("1970-01-02"), Some(86_400_000));
        assert_eq!(parse_iso("1970-01-01T00:00:01.500Z"), Some(1_500));
        assert_eq!(parse_iso("yesterday"), None);
    }
}

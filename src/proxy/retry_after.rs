//! When to come back, as an answer's headers tell it. Pure, and capped: a header from elsewhere
//! never makes anyone wait longer than [`MAX`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use sfv::{BareItem, Dictionary, List, ListEntry, Parameters, Parser};

/// The longest wait that is believed.
pub const MAX: Duration = Duration::from_secs(3600);

/// The wait where no header tells one.
pub const DEFAULT: Duration = Duration::from_secs(5);

/// From here on a bare number is a point in time in Unix seconds, below it a number of seconds from now.
const FIRST_UNIX_SECOND: f64 = 1e9;

/// From here on a bare number is a point in time in Unix milliseconds.
const FIRST_UNIX_MILLISECOND: f64 = 1e11;

/// How long to wait, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter {
    /// Whole seconds, at most [`MAX`]. What was derived is at least a second.
    pub wait: Duration,
    /// The header that it was read from.
    pub origin: Origin,
}

/// Where a wait was read from, in the order in which they are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `Retry-After` (RFC 9110, section 10.2.3): there was nothing to derive.
    RetryAfter,
    /// `RateLimit-Reset`
    RateLimitReset,
    /// `X-RateLimit-Reset`
    XRateLimitReset,
    /// `RateLimit` (draft-ietf-httpapi-ratelimit-headers, as a list with `t`, or its older form with `reset`).
    RateLimit,
    /// None of them: [`DEFAULT`].
    Default,
}

impl Origin {
    /// The header's name, or `default`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RetryAfter => "Retry-After",
            Self::RateLimitReset => "RateLimit-Reset",
            Self::XRateLimitReset => "X-RateLimit-Reset",
            Self::RateLimit => "RateLimit",
            Self::Default => "default",
        }
    }
}

/// Reads the wait from an answer's headers.
///
/// A point in time is compared with the answer's own `Date` where it has one, so that a clock that
/// differs from the server's does no harm, and with `now` otherwise. A header that makes no sense
/// counts as missing.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> RetryAfter {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let now = text(DATE.as_str()).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);

    if let Some(wait) = text(RETRY_AFTER.as_str()).and_then(|value| seconds_or_date(value, now)) {
        return RetryAfter { wait: whole_seconds(wait), origin: Origin::RetryAfter };
    }
    let derived = [
        (Origin::RateLimitReset, "ratelimit-reset"),
        (Origin::XRateLimitReset, "x-ratelimit-reset"),
        (Origin::RateLimit, "ratelimit"),
    ]
    .into_iter()
    .find_map(|(origin, name)| {
        let value = text(name)?;
        let wait = if origin == Origin::RateLimit { rate_limit(value) } else { reset(value, now) };
        wait.map(|wait| (origin, wait))
    });
    let (origin, wait) = derived.unwrap_or((Origin::Default, DEFAULT));
    RetryAfter { wait: whole_seconds(wait).max(Duration::from_secs(1)), origin }
}

/// `Retry-After`: `delay-seconds`, or an HTTP date in any of its three forms (RFC 9110, section 5.6.7).
fn seconds_or_date(value: &str, now: SystemTime) -> Option<Duration> {
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than a u64 holds are far beyond the cap.
        return Some(value.parse().map_or(MAX, Duration::from_secs));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// A bare number: seconds from now, Unix seconds or Unix milliseconds, told apart by size.
fn reset(value: &str, now: SystemTime) -> Option<Duration> {
    if !value.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let number: f64 = value.parse().ok().filter(|number: &f64| number.is_finite())?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let seconds = if number >= FIRST_UNIX_MILLISECOND {
        number / 1000.0 - now
    } else if number >= FIRST_UNIX_SECOND {
        number - now
    } else {
        number
    };
    Some(Duration::from_secs_f64(seconds.clamp(0.0, MAX.as_secs_f64())))
}

/// The `RateLimit` field: the longest wait among the exhausted policies, or among all where none
/// says that it is exhausted.
fn rate_limit(value: &str) -> Option<Duration> {
    let as_list = || {
        let list = Parser::new(value).parse::<List>().ok()?;
        let policies: Vec<_> = list
            .iter()
            .map(|entry| match entry {
                ListEntry::Item(item) => &item.params,
                ListEntry::InnerList(inner) => &inner.params,
            })
            .filter_map(|params| Some((integer(params, "t")?, integer(params, "r"))))
            .collect();
        let exhausted = policies.iter().filter(|(_, remaining)| *remaining == Some(0)).map(|(wait, _)| *wait);
        exhausted.max().or_else(|| policies.iter().map(|(wait, _)| *wait).max())
    };
    let as_dictionary = || match Parser::new(value).parse::<Dictionary>().ok()?.get("reset")? {
        ListEntry::Item(item) => match item.bare_item {
            BareItem::Integer(seconds) => u64::try_from(i64::from(seconds)).ok(),
            _ => None,
        },
        ListEntry::InnerList(_) => None,
    };
    as_list().or_else(as_dictionary).map(Duration::from_secs)
}

fn integer(params: &Parameters, name: &str) -> Option<u64> {
    match params.get(name)? {
        BareItem::Integer(number) => u64::try_from(i64::from(*number)).ok(),
        _ => None,
    }
}

/// Rounded up, so that who waits exactly so long is not early, and capped.
fn whole_seconds(wait: Duration) -> Duration {
    Duration::from_secs(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))).min(MAX)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
    const NOW: u64 = 784_111_777;

    /// 2026-01-01T00:00:00Z: bare numbers are told apart by size, so they need a clock of today.
    const TODAY: u64 = 1_767_225_600;

    fn read(now: u64, headers: &[(&'static str, &str)]) -> (u64, Origin) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let found = retry_after(&map, UNIX_EPOCH + Duration::from_secs(now));
        (found.wait.as_secs(), found.origin)
    }

    #[test]
    fn retry_after_itself() {
        for (value, expected) in [
            ("0", (0, Origin::RetryAfter)),
            ("7", (7, Origin::RetryAfter)),
            (" 7 ", (7, Origin::RetryAfter)),
            ("86400", (3600, Origin::RetryAfter)),
            ("99999999999999999999999999", (3600, Origin::RetryAfter)),
            ("Sun, 06 Nov 1994 08:49:40 GMT", (3, Origin::RetryAfter)),
            ("Sunday, 06-Nov-94 08:49:41 GMT", (4, Origin::RetryAfter)),
            ("Sun Nov  6 08:49:42 1994", (5, Origin::RetryAfter)),
            ("Sun, 06 Nov 1994 08:49:30 GMT", (0, Origin::RetryAfter)),
            ("Sat, 06 Nov 2094 08:49:30 GMT", (3600, Origin::RetryAfter)),
            ("", (5, Origin::Default)),
            ("-1", (5, Origin::Default)),
            ("1.5", (5, Origin::Default)),
            ("soon", (5, Origin::Default)),
            ("\u{fc}", (5, Origin::Default)),
        ] {
            assert_eq!(read(NOW, &[("retry-after", value)]), expected, "{value:?}");
        }
    }

    #[test]
    fn a_bare_number_is_told_apart_by_its_size() {
        for (value, expected) in [
            ("30", 30),
            ("0", 1),
            ("0.2", 1),
            ("2.1", 3),
            ("7200", 3600),
            ("1767225660", 60),
            ("1767225660000", 60),
            ("1767225660500", 61),
            ("1767225500", 1),
            ("1767225500000", 1),
            ("4102444800", 3600),
            ("1e300", 3600),
        ] {
            assert_eq!(
                read(TODAY, &[("ratelimit-reset", value)]),
                (expected, Origin::RateLimitReset),
                "{value:?}"
            );
            assert_eq!(
                read(TODAY, &[("x-ratelimit-reset", value)]),
                (expected, Origin::XRateLimitReset),
                "{value:?}"
            );
        }
        for nonsense in ["", "-5", "NaN", "inf", "1e999", "1 0", "tomorrow"] {
            assert_eq!(read(TODAY, &[("ratelimit-reset", nonsense)]), (5, Origin::Default), "{nonsense:?}");
        }
    }

    #[test]
    fn the_structured_field_in_both_its_forms() {
        for (value, expected) in [
            (r#""default";r=0;t=30"#, (30, Origin::RateLimit)),
            (r#""burst";r=0;t=3, "daily";r=50;t=3000"#, (3, Origin::RateLimit)),
            (r#""burst";r=0;t=3, "hourly";r=0;t=300"#, (300, Origin::RateLimit)),
            (r#""burst";t=3, "daily";t=40"#, (40, Origin::RateLimit)),
            (r#""default";r=0;t=90000"#, (3600, Origin::RateLimit)),
            ("limit=100, remaining=0, reset=50", (50, Origin::RateLimit)),
            ("limit=100, remaining=0, reset=-50", (5, Origin::Default)),
            (r#""default";r=0"#, (5, Origin::Default)),
            (r#""default";r=0;t=-3"#, (5, Origin::Default)),
            (r#""default";r=0;t=soon"#, (5, Origin::Default)),
            (";;;", (5, Origin::Default)),
        ] {
            assert_eq!(read(TODAY, &[("ratelimit", value)]), expected, "{value:?}");
        }
    }

    #[test]
    fn the_first_that_makes_sense_is_believed() {
        let all = [
            ("retry-after", "2"),
            ("ratelimit-reset", "3"),
            ("x-ratelimit-reset", "4"),
            ("ratelimit", "\"p\";t=5"),
        ];
        assert_eq!(read(TODAY, &all), (2, Origin::RetryAfter));
        assert_eq!(read(TODAY, &all[1..]), (3, Origin::RateLimitReset));
        assert_eq!(read(TODAY, &all[2..]), (4, Origin::XRateLimitReset));
        assert_eq!(read(TODAY, &all[3..]), (5, Origin::RateLimit));
        assert_eq!(
            read(TODAY, &[("retry-after", "later"), ("ratelimit", "\"p\";t=9")]),
            (9, Origin::RateLimit)
        );
        assert_eq!(read(TODAY, &[]), (5, Origin::Default));
    }

    #[test]
    fn a_date_is_compared_with_the_servers_own_clock() {
        // The local clock is a day ahead of the server's.
        let headers =
            [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")];
        assert_eq!(read(NOW + 86_400, &headers), (10, Origin::RetryAfter));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_capped(value in "\\PC*", name in 0..4usize, now in 0u64..5_000_000_000) {
            let name = ["retry-after", "ratelimit-reset", "x-ratelimit-reset", "ratelimit"][name];
            let mut map = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_str(&value) {
                map.insert(name, value);
            }
            let found = retry_after(&map, UNIX_EPOCH + Duration::from_secs(now));
            proptest::prop_assert!(found.wait <= MAX);
            proptest::prop_assert_eq!(found.wait.subsec_nanos(), 0);
        }
    }
}

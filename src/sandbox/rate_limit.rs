//! Rate limits: so many requests in so much time, and the headers that say when to come back.
//!
//! Which headers come with a 429 is not documented, so each kind that is seen elsewhere can be chosen.

use std::time::{Duration, Instant};

use http::HeaderValue;
use http::header::{HeaderMap, HeaderName, RETRY_AFTER};

use super::clock;
use super::faults::Scope;

/// A limit on the requests in its scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// What it counts.
    pub scope: Scope,
    /// How many requests pass in each window.
    pub requests: u32,
    /// How long a window is; the first request after a window's end opens the next.
    pub per: Duration,
    /// How a refusal says when to come back.
    pub headers: LimitHeaders,
}

/// How a 429 says when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitHeaders {
    /// `Retry-After` in seconds (RFC 9110, section 10.2.3).
    RetryAfterSeconds,
    /// `Retry-After` as an HTTP date (RFC 9110, section 10.2.3).
    RetryAfterDate,
    /// `RateLimit-Limit`, `RateLimit-Remaining`, `RateLimit-Reset`, the last in seconds from now.
    RateLimitReset,
    /// `X-RateLimit-Limit`, `X-RateLimit-Remaining`, `X-RateLimit-Reset`, the last in Unix seconds.
    XRateLimitReset,
    /// The structured `RateLimit` field (draft-ietf-httpapi-ratelimit-headers), `t` in seconds.
    RateLimitField,
    /// Nothing at all.
    None,
}

impl LimitHeaders {
    /// The headers that send a client away for `wait`, rounded up to whole seconds.
    pub(super) fn for_wait(self, wait: Duration, now_ms: i64) -> HeaderMap {
        let seconds = wait.as_millis().div_ceil(1000);
        let back_ms = now_ms.saturating_add(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX));
        let fields = match self {
            Self::RetryAfterSeconds => vec![(RETRY_AFTER, seconds.to_string())],
            Self::RetryAfterDate => {
                vec![(RETRY_AFTER, httpdate::fmt_http_date(clock::system_time(back_ms)))]
            }
            Self::RateLimitReset => vec![
                (HeaderName::from_static("ratelimit-limit"), "100".to_owned()),
                (HeaderName::from_static("ratelimit-remaining"), "0".to_owned()),
                (HeaderName::from_static("ratelimit-reset"), seconds.to_string()),
            ],
            Self::XRateLimitReset => vec![
                (HeaderName::from_static("x-ratelimit-limit"), "100".to_owned()),
                (HeaderName::from_static("x-ratelimit-remaining"), "0".to_owned()),
                (
                    HeaderName::from_static("x-ratelimit-reset"),
                    (back_ms.saturating_add(999) / 1000).to_string(),
                ),
            ],
            Self::RateLimitField => {
                vec![(HeaderName::from_static("ratelimit"), format!("\"default\";r=0;t={seconds}"))]
            }
            Self::None => vec![],
        };
        fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)))
            .collect()
    }
}

/// The limit in force and the window that it counts in.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    limit: Option<RateLimit>,
    window: Option<(Instant, u32)>,
}

impl Limiter {
    pub(super) fn set(&mut self, limit: Option<RateLimit>) {
        *self = Self { limit, window: None };
    }

    /// Counts a request; when it is one too many, says how and for how long to send it away.
    pub(super) fn count(&mut self, path: &str, now: Instant) -> Option<(LimitHeaders, Duration)> {
        let limit = self.limit.as_ref().filter(|limit| limit.scope.holds(path))?;
        let (opened, seen) = match self.window {
            Some((opened, seen)) if now.saturating_duration_since(opened) < limit.per => (opened, seen),
            _ => (now, 0),
        };
        self.window = Some((opened, seen.saturating_add(1)));
        let wait = limit.per.saturating_sub(now.saturating_duration_since(opened));
        (seen >= limit.requests).then_some((limit.headers, wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lets_so_many_through() {
        let start = Instant::now();
        let mut limiter = Limiter::default();
        assert_eq!(limiter.count("/orders", start), None);
        limiter.set(Some(RateLimit {
            scope: Scope::Path("/orders".to_owned()),
            requests: 2,
            per: Duration::from_secs(10),
            headers: LimitHeaders::None,
        }));
        let mut at = |path, seconds| limiter.count(path, start + Duration::from_secs(seconds));
        assert_eq!(at("/orders", 0), None);
        assert_eq!(at("/orders", 3), None);
        assert_eq!(at("/orders", 4), Some((LimitHeaders::None, Duration::from_secs(6))));
        assert_eq!(at("/cart/update", 4), None);
        assert_eq!(at("/orders", 10), None);
    }

    #[test]
    fn each_kind_of_header_says_when() {
        let header = |kind: LimitHeaders, name: &str| {
            let headers = kind.for_wait(Duration::from_millis(1_500), 1_000_000);
            headers.get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header(LimitHeaders::RetryAfterSeconds, "retry-after").unwrap(), "2");
        assert_eq!(
            header(LimitHeaders::RetryAfterDate, "retry-after").unwrap(),
            "Thu, 01 Jan 1970 00:16:42 GMT"
        );
        assert_eq!(header(LimitHeaders::RateLimitReset, "ratelimit-reset").unwrap(), "2");
        assert_eq!(header(LimitHeaders::XRateLimitReset, "x-ratelimit-reset").unwrap(), "1002");
        assert_eq!(header(LimitHeaders::RateLimitField, "ratelimit").unwrap(), "\"default\";r=0;t=2");
        assert!(LimitHeaders::None.for_wait(Duration::from_secs(1), 0).is_empty());
    }
}

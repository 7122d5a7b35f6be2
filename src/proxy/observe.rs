//! What an answer of the API's means, beyond what the client makes of it.

use std::time::SystemTime;

use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};

use super::proxy_status;
use super::retry_after::{Origin, retry_after};
use crate::telemetry::metrics::Metrics;

/// Sees to it that a 429 tells when to come back.
///
/// Status, body and headers stay as they are; only a `Retry-After` that is missing, or that no client
/// could make sense of, is derived from what else the API says, and `Proxy-Status` says so.
pub(super) fn rate_limit<B>(response: &mut Response<B>, metrics: &Metrics) {
    if response.status() != StatusCode::TOO_MANY_REQUESTS {
        return;
    }
    let found = retry_after(response.headers(), SystemTime::now());
    let derived = found.origin != Origin::RetryAfter;
    if derived {
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(found.wait.as_secs()));
        let details = match found.origin {
            Origin::Default => "Retry-After set to a default: the API gave none".to_owned(),
            origin => format!("Retry-After derived from {}", origin.as_str()),
        };
        proxy_status::append(headers, None, Some(&details));
    }
    metrics.rate_limit_passed(derived);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(status: u16, headers: &[(&'static str, &'static str)]) -> Response<()> {
        let mut builder = Response::builder().status(status);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let mut response = builder.body(()).unwrap();
        rate_limit(&mut response, &Metrics::new("sandbox"));
        response
    }

    #[test]
    fn a_hint_of_the_apis_is_left_alone() {
        for given in ["7", "86400", "Sat, 06 Nov 2094 08:49:37 GMT"] {
            let response = passed(429, &[("retry-after", given)]);
            assert_eq!(response.headers()["retry-after"], given);
            assert!(!response.headers().contains_key("proxy-status"));
        }
    }

    #[test]
    fn a_missing_hint_is_derived_and_said_to_be() {
        let response = passed(429, &[("ratelimit-reset", "30"), ("x-other", "1")]);
        assert_eq!(response.headers()["retry-after"], "30");
        assert_eq!(response.headers()["ratelimit-reset"], "30");
        assert_eq!(response.headers()["x-other"], "1");
        assert_eq!(
            response.headers()["proxy-status"],
            r#"liquid-auth-proxy;details="Retry-After derived from RateLimit-Reset""#
        );
    }

    #[test]
    fn without_any_hint_there_is_a_default() {
        assert_eq!(passed(429, &[]).headers()["retry-after"], "5");
        assert_eq!(passed(429, &[("retry-after", "soon")]).headers()["retry-after"], "5");
    }

    #[test]
    fn other_answers_are_not_touched() {
        assert!(passed(503, &[("ratelimit-reset", "30")]).headers().get("retry-after").is_none());
    }
}

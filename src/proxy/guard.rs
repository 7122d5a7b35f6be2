//! Which requests are passed on at all.

mod callers;
mod rules;

use http::header::{AUTHORIZATION, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, request};
use subtle::ConstantTimeEq;

pub use self::callers::Callers;
pub(super) use self::rules::Rules;
use super::error::Refusal;

/// Refuses what the proxy does not pass on, whoever asks for it.
pub(super) fn check(head: &request::Parts, max_body: u64) -> Result<(), Refusal> {
    method(&head.method)?;
    upgrade(&head.headers)?;
    content_length(&head.headers, max_body)
}

/// Refuses a request that bears the token which nobody has but this proxy: it comes from it.
pub(super) fn no_loop(headers: &HeaderMap, ours: &HeaderValue) -> Result<(), Refusal> {
    let is_ours = |given: &HeaderValue| bool::from(given.as_bytes().ct_eq(ours.as_bytes()));
    if headers.get_all(AUTHORIZATION).iter().any(is_ours) { Err(Refusal::LoopDetected) } else { Ok(()) }
}

fn method(method: &Method) -> Result<(), Refusal> {
    if method == Method::TRACE {
        // Its answer holds the request's headers (RFC 9110, section 9.3.8), and so the token.
        return Err(Refusal::RequestNotAllowed("TRACE is not served".into()));
    }
    if method == Method::CONNECT {
        return Err(Refusal::RequestNotAllowed(
            "CONNECT is not served: this proxy forwards to the API only, it is no general HTTP proxy".into(),
        ));
    }
    Ok(())
}

/// No protocol but HTTP gets through. `h2c` is an offer that servers ignore (RFC 9113, section 3.1);
/// Java's client makes it on every first request.
fn upgrade(headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = headers.get_all(UPGRADE).iter().any(|value| {
        !value.as_bytes().split(|b| *b == b',').all(|p| p.trim_ascii().eq_ignore_ascii_case(b"h2c"))
    });
    if refused {
        return Err(Refusal::RequestNotAllowed("upgrades to other protocols are not served".into()));
    }
    Ok(())
}

/// A body that says it is too large is refused before a byte of it is read.
fn content_length(headers: &HeaderMap, max_body: u64) -> Result<(), Refusal> {
    let length = headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    match length {
        Some(length) if length > max_body => Err(Refusal::RequestTooLarge(max_body)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn check_with(request: request::Builder) -> Result<(), String> {
        let (head, ()) = request.body(()).unwrap().into_parts();
        check(&head, 100).map_err(|refusal| refusal.code().to_owned())
    }

    #[test]
    fn plain_requests_pass() {
        for uri in ["/", "/catalog/search?q=a", "*"] {
            assert_eq!(check_with(Request::get(uri).header("host", "localhost:8000")), Ok(()));
        }
        assert_eq!(check_with(Request::post("/cart/update").header("content-length", "100")), Ok(()));
    }

    #[test]
    fn methods_that_are_for_other_proxies_are_refused() {
        assert!(check_with(Request::builder().method("CONNECT").uri("evil.example:443")).is_err());
        assert!(check_with(Request::builder().method("TRACE").uri("/")).is_err());
    }

    #[test]
    fn upgrades_are_refused_but_for_the_offer_of_h2c() {
        let offering = |value: &str| check_with(Request::get("/").header("upgrade", value));
        assert_eq!(offering("h2c"), Ok(()));
        assert_eq!(offering("H2C"), Ok(()));
        assert!(offering("websocket").is_err());
        assert!(offering("h2c, websocket").is_err());
        assert!(offering("").is_err());
    }

    #[test]
    fn a_body_that_says_it_is_too_large_is_refused() {
        let refused = check_with(Request::post("/").header("content-length", "101"));
        assert_eq!(refused, Err("request_too_large".into()));
    }
}

//! Which requests are passed on at all.

use http::header::UPGRADE;
use http::{HeaderMap, Method, Uri, request};

use super::error::Refusal;

/// Refuses what the proxy does not pass on. `host` is the authority that the client knows it by.
pub(super) fn check(head: &request::Parts, max_body: u64) -> Result<(), Refusal> {
    method(&head.method)?;
    target(&head.uri, &head.headers)?;
    upgrade(&head.headers)?;
    content_length(&head.headers, max_body)
}

fn method(method: &Method) -> Result<(), Refusal> {
    if method == Method::CONNECT {
        return Err(Refusal::RequestNotAllowed(
            "CONNECT is not served: this proxy forwards to the API only, it is no general HTTP proxy".into(),
        ));
    }
    Ok(())
}

/// An absolute-form target (RFC 9112, section 3.2.2) must name the host that `Host` names: this proxy.
fn target(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(authority) = uri.authority() else { return Ok(()) };
    // Over HTTP/2 the authority comes from `:authority` and there need be no `Host`.
    let same = headers
        .get(http::header::HOST)
        .is_none_or(|host| host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()));
    if same {
        Ok(())
    } else {
        Err(Refusal::RequestNotAllowed(
            "the request's target names another host than its Host header: this proxy forwards to the API only"
                .into(),
        ))
    }
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
    fn a_target_at_another_host_is_refused() {
        let at = |uri: &str, host: &str| check_with(Request::get(uri).header("host", host));
        assert_eq!(at("http://localhost:8000/x", "LOCALHOST:8000"), Ok(()));
        assert!(at("http://evil.example/x", "localhost:8000").is_err());
        assert_eq!(check_with(Request::get("http://localhost:8000/x")), Ok(()));
        assert!(check_with(Request::builder().method("CONNECT").uri("evil.example:443")).is_err());
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

//! Which requests are passed on at all.

use std::net::IpAddr;

use http::header::UPGRADE;
use http::{HeaderMap, Method, Version, request};

use super::error::Refusal;
use crate::config::Address;

/// Refuses what the proxy does not pass on. `listen` is where apps reach it.
pub(super) fn check(head: &request::Parts, listen: &Address, max_body: u64) -> Result<(), Refusal> {
    method(&head.method)?;
    target(head, listen)?;
    upgrade(&head.headers)?;
    content_length(&head.headers, max_body)
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

/// A target in absolute form (RFC 9112, section 3.2.2) must name this proxy: who names another host
/// takes it for a general HTTP proxy, and would get an answer of the API's for that host's.
fn target(head: &request::Parts, listen: &Address) -> Result<(), Refusal> {
    // In HTTP/2 every request has an authority (RFC 9113, section 8.3.1).
    let absolute = head.uri.authority().filter(|_| head.version <= Version::HTTP_11);
    match absolute {
        Some(authority) if !is_ours(authority.host(), listen.ip()) => {
            Err(Refusal::HostNotAllowed(authority.host().to_owned()))
        }
        _ => Ok(()),
    }
}

fn is_ours(host: &str, listen: Option<IpAddr>) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address {
        Ok(address) => address.is_loopback() || address.is_unspecified() || Some(address) == listen,
        Err(_) => host.eq_ignore_ascii_case("localhost"),
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
        check(&head, &Address::Tcp("192.0.2.7:8000".parse().unwrap()), 100)
            .map_err(|refusal| refusal.code().to_owned())
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
        let at = |uri: &str| check_with(Request::get(uri));
        for ours in
            ["http://LOCALHOST:8000/x", "http://127.0.0.1/x", "http://[::1]:8000/", "http://0.0.0.0:8000/"]
        {
            assert_eq!(at(ours), Ok(()), "{ours}");
        }
        for other in ["http://evil.example/x", "https://api.liquidcommerce.cloud/", "http://10.0.0.1/"] {
            assert_eq!(at(other), Err("host_not_allowed".into()), "{other}");
        }
        assert_eq!(at("http://192.0.2.7/"), Ok(()), "the address that it listens on");
        assert!(check_with(Request::builder().method("CONNECT").uri("evil.example:443")).is_err());
        assert!(check_with(Request::builder().method("TRACE").uri("/")).is_err());
    }

    #[test]
    fn an_authority_of_http2_is_no_absolute_form() {
        let request = Request::get("http://proxy.internal:8000/x").version(Version::HTTP_2);
        assert_eq!(check_with(request), Ok(()));
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

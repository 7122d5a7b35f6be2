//! Which requests are passed on at all.

mod callers;
mod rules;
mod size;

use http::header::{AUTHORIZATION, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Version, request};
use subtle::ConstantTimeEq;

pub use self::callers::Callers;
pub(super) use self::rules::Rules;
pub(super) use self::size::Limits;
use super::error::Refusal;
use super::present::Present;

/// Refuses what the proxy does not pass on, whoever asks for it.
pub(super) fn check(head: &request::Parts, present: Present, limits: &Limits) -> Result<(), Refusal> {
    limits.check_head(head)?;
    method(&head.method)?;
    target(head)?;
    if present.any(Present::TRANSFER_ENCODING) {
        transfer_encoding(&head.headers)?;
    }
    if present.any(Present::UPGRADE) {
        upgrade(&head.headers)?;
    }
    if present.any(Present::CONTENT_LENGTH) {
        limits.check_body(&head.headers)?;
    }
    Ok(())
}

/// Refuses a request that bears the token which nobody has but this proxy: it comes from it.
pub(super) fn no_loop(headers: &HeaderMap, ours: &HeaderValue) -> Result<(), Refusal> {
    let is_ours = |given: &HeaderValue| bool::from(given.as_bytes().ct_eq(ours.as_bytes()));
    if headers.get_all(AUTHORIZATION).iter().any(is_ours) { Err(Refusal::LoopDetected) } else { Ok(()) }
}

fn method(method: &Method) -> Result<(), Refusal> {
    let is = |name: &str| method.as_str().eq_ignore_ascii_case(name);
    if is("TRACE") {
        // Its answer holds the request's headers (RFC 9110, section 9.3.8), and so the token.
        return Err(Refusal::RequestNotAllowed("TRACE is not served".into()));
    }
    if is("CONNECT") {
        return Err(Refusal::RequestNotAllowed(
            "CONNECT is not served: this proxy forwards to the API only, it is no general HTTP proxy".into(),
        ));
    }
    Ok(())
}

/// The forms that a target may have (RFC 9112, section 3.2): a path, which a URL may stand before, or the
/// asterisk of OPTIONS. Anything else would reach the API as another target than was asked for.
fn target(head: &request::Parts) -> Result<(), Refusal> {
    let uri = &head.uri;
    let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
    let is_url = match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), _) if !matches!(scheme, "http" | "https") => {
            return Err(Refusal::RequestMalformed("its scheme is none of HTTP's"));
        }
        (None, Some(_)) => return Err(Refusal::RequestMalformed("its target is no path")),
        (scheme, _) => scheme.is_some() && head.version != Version::HTTP_2,
    };
    // Between a host and a query the path may be missing.
    let is_path = path.starts_with('/') || path == "*" && head.method == Method::OPTIONS;
    if is_path || is_url && (path.is_empty() || path.starts_with('?')) {
        return Ok(());
    }
    Err(Refusal::RequestMalformed("its target is no path"))
}

/// A coding under the chunks would be lost with its name: what is forwarded is cut into chunks anew. Servers
/// differ on what several names, or the same one twice, mean.
fn transfer_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::RequestMalformed("its Transfer-Encoding is not chunked and nothing else")),
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

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn check_with(request: request::Builder) -> Result<(), String> {
        let (head, ()) = request.body(()).unwrap().into_parts();
        let limits = Limits { max_body: 100, max_headers: 100, max_head: 1000, max_uri: 100 };
        check(&head, Present::of(&head.headers), &limits).map_err(|refusal| refusal.code().to_owned())
    }

    #[test]
    fn plain_requests_pass() {
        for uri in
            ["/", "/catalog/search?q=a", "http://localhost/x", "http://localhost", "https://localhost?q"]
        {
            assert_eq!(check_with(Request::get(uri).header("host", "localhost:8000")), Ok(()));
        }
        assert_eq!(check_with(Request::options("*")), Ok(()));
        assert_eq!(check_with(Request::post("/cart/update").header("content-length", "100")), Ok(()));
    }

    #[test]
    fn methods_that_are_for_other_proxies_are_refused() {
        assert!(check_with(Request::builder().method("CONNECT").uri("evil.example:443")).is_err());
        assert!(check_with(Request::builder().method("TRACE").uri("/")).is_err());
        assert!(check_with(Request::builder().method("Trace").uri("/")).is_err());
    }

    #[test]
    fn targets_that_are_no_paths_are_refused() {
        let malformed = Err("request_broken".to_owned());
        for uri in ["*", "localhost", "localhost:8000", "ftp://localhost/x"] {
            assert_eq!(check_with(Request::get(uri)), malformed, "{uri}");
        }
        assert_eq!(check_with(Request::get("http://localhost?q").version(Version::HTTP_2)), malformed);
    }

    #[test]
    fn codings_other_than_chunked_are_refused() {
        let coded = |values: &[&str]| {
            let request =
                values.iter().fold(Request::post("/"), |r, value| r.header("transfer-encoding", *value));
            check_with(request).is_ok()
        };
        assert!(coded(&["chunked"]));
        assert!(coded(&["Chunked"]));
        for values in
            [&["gzip, chunked"][..], &["identity", "chunked"], &["chunked", "chunked"], &["chunked,"], &[""]]
        {
            assert!(!coded(values), "{values:?}");
        }
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

//! Who may call, and what is left of a request's headers.

use std::net::IpAddr;
use std::sync::OnceLock;

use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, ORIGIN, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, request};

use super::super::guard::{self, Callers, Limits};
use super::super::inject::{self, Credentials};
use super::super::present::Present;
use crate::config::{self, Flags, Sources};
use crate::token::API_KEY_HEADER;

/// The most of a request.
const LIMITS: Limits = Limits { max_body: 1000, max_headers: 100, max_head: 2000, max_uri: 1000 };

/// Who may call, read once.
static CALLERS: OnceLock<Option<Callers>> = OnceLock::new();

/// What is gone from every request: it was the client's with us.
const GONE: [&str; 8] = [
    "connection",
    "transfer-encoding",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "upgrade",
    "http2-settings",
];

/// A request in lines: method and target, and headers; the first byte tells the version.
pub fn guard(data: &[u8]) {
    let Some(head) = head_of(data) else { return };
    let checked = guard::check(&head, Present::of(&head.headers), &LIMITS);
    if checked.is_ok() {
        passed(&head);
    }
    let Some(callers) = CALLERS.get_or_init(callers) else { return };
    if callers.check(&head).is_ok() {
        called(&head);
    }
    let mut headers = head.headers.clone();
    assert!(callers.take_token(&mut headers).is_ok(), "there is no client token");
    assert_eq!(headers, head.headers);
    for chunked in [false, true] {
        prepared(&head.headers, chunked);
    }
    let mut trailers = head.headers.clone();
    inject::trailers(&mut trailers, None);
    for name in [AUTHORIZATION, HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, API_KEY_HEADER] {
        assert!(!trailers.contains_key(&name), "{name} behind the body");
    }
}

fn head_of(data: &[u8]) -> Option<request::Parts> {
    let (version, text) = data.split_first()?;
    let mut lines = text.split(|byte| *byte == b'\n');
    let line = lines.next()?;
    let space = line.iter().position(|byte| *byte == b' ')?;
    let mut request = Request::builder()
        .version(if *version == b'2' { Version::HTTP_2 } else { Version::HTTP_11 })
        .method(Method::from_bytes(&line[..space]).ok()?)
        .uri(Uri::try_from(&line[space + 1..]).ok()?);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        request = request.header(name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

/// Callers by the default configuration, at a port.
fn callers() -> Option<Callers> {
    let flags = Flags { environment: Some("sandbox".into()), ..Flags::default() };
    let loaded = config::load(&Sources { flags, ..Sources::default() }).ok()?;
    let listen = loaded.config.listen;
    Some(Callers::new(&listen, listen.address.ip(), None))
}

/// What every request has that is passed on.
fn passed(head: &request::Parts) {
    assert!(head.method != Method::TRACE && head.method != Method::CONNECT);
    let is_offer = |value: &HeaderValue| {
        value
            .as_bytes()
            .to_ascii_lowercase()
            .split(|byte| *byte == b',')
            .all(|name| name.trim_ascii() == b"h2c")
    };
    assert!(head.headers.get_all(UPGRADE).iter().all(is_offer));
    assert!(head.headers.get_all(TRANSFER_ENCODING).iter().count() <= 1);
    let path = head.uri.path_and_query().map_or("", |path| path.as_str());
    let is_asterisk = path == "*" && head.method == Method::OPTIONS;
    let is_url = head.uri.scheme().is_some() && (path.is_empty() || path.starts_with('?'));
    assert!(path.starts_with('/') || is_asterisk || is_url, "{:?}", head.uri);
}

/// What every request has that was meant for the proxy, and came from no page.
fn called(head: &request::Parts) {
    assert!(!head.headers.contains_key(ORIGIN));
    let sites = head.headers.get_all("sec-fetch-site").iter();
    let is_own =
        |site: &HeaderValue| matches!(&*site.as_bytes().to_ascii_lowercase(), b"none" | b"same-origin");
    assert!(sites.into_iter().all(is_own));
    let hosts: Vec<_> = head.headers.get_all(HOST).iter().map(HeaderValue::as_bytes).collect();
    assert!(hosts.len() == 1 || hosts.is_empty() && head.version == Version::HTTP_2, "{hosts:?}");
    let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    for host in hosts.into_iter().chain(authority) {
        assert!(is_ours(host), "{:?}", String::from_utf8_lossy(host));
    }
}

/// `localhost` or a loopback address, and perhaps a port. Written apart from the code that it is to judge.
fn is_ours(host: &[u8]) -> bool {
    let host = String::from_utf8_lossy(host).to_ascii_lowercase();
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host.as_str(), ""),
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let loopback = ["127.0.0.1", "::1", "0.0.0.0"].map(|text| text.parse::<IpAddr>().ok());
    let is_loopback = address.parse::<IpAddr>().is_ok_and(|ip| loopback.contains(&Some(ip.to_canonical())));
    port.bytes().all(|byte| byte.is_ascii_digit()) && (name == "localhost" || is_loopback)
}

/// What every request's headers are when it leaves.
fn prepared(theirs: &HeaderMap, chunked: bool) {
    let (token, key) = (HeaderValue::from_static("Bearer ours"), HeaderValue::from_static("ours"));
    for api_key in [None, Some(&key)] {
        let mut headers = theirs.clone();
        let present = Present::of(&headers);
        inject::request(&mut headers, present, Credentials { authorization: &token, api_key }, chunked);
        let all = |name: &HeaderName| headers.get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(all(&AUTHORIZATION), [&token]);
        assert_eq!(all(&API_KEY_HEADER), Vec::from_iter(api_key));
        assert!(GONE.iter().all(|name| !headers.contains_key(*name)), "{headers:?}");
        let lengths = headers.get_all(CONTENT_LENGTH).iter().count();
        assert!(lengths <= usize::from(!chunked), "{headers:?}");
        // What is left of it is ours.
        assert!(all(&TE).is_empty() || all(&TE) == ["trailers"], "{headers:?}");
        for named in theirs.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok()) {
            for name in named.split(',').filter_map(|name| name.trim().parse::<HeaderName>().ok()) {
                let is_ours = [AUTHORIZATION, API_KEY_HEADER, TE].contains(&name);
                let is_named = !matches!(name.as_str(), "close" | "keep-alive");
                assert!(is_ours || !is_named || !headers.contains_key(&name), "{name}: {headers:?}");
            }
        }
    }
}

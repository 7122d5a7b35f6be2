//! Headers off, headers on. What the client may not send goes first, what is ours is set last, so
//! that nothing a client sends can take it away again.

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    COOKIE, HOST, HeaderName, MAX_FORWARDS, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};

use super::present::Present;
use crate::token::API_KEY_HEADER;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// What belongs to one connection and not to the message (RFC 9110, section 7.6.1). `Trailer` is not
/// among them: it tells what comes behind the body, and trailers pass.
static HOP_BY_HOP: [(HeaderName, Present); 9] = [
    (CONNECTION, Present::CONNECTION),
    (KEEP_ALIVE, Present::KEEP_ALIVE),
    (PROXY_CONNECTION, Present::PROXY_CONNECTION),
    (PROXY_AUTHENTICATE, Present::PROXY_AUTHENTICATE),
    (PROXY_AUTHORIZATION, Present::PROXY_AUTHORIZATION),
    (TE, Present::TE),
    (TRANSFER_ENCODING, Present::TRANSFER_ENCODING),
    (UPGRADE, Present::UPGRADE),
    (HTTP2_SETTINGS, Present::HTTP2_SETTINGS),
];

/// What servers act on wherever it stands, so that it must not come behind a body (RFC 9110, section 6.5.1).
static NO_TRAILERS: [HeaderName; 10] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    COOKIE,
    HOST,
    MAX_FORWARDS,
    TRAILER,
];

/// What goes on a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Credentials<'a> {
    /// `Bearer …`
    pub authorization: &'a HeaderValue,
    /// The API key, where `upstream.send_api_key` asks for it.
    pub api_key: Option<&'a HeaderValue>,
}

/// Turns a client's request headers into ours. `present` are those that it has; `chunked` tells that the body's
/// length is not known. `Host`, and what else the protocol wants, is for whoever sends it.
pub(super) fn request(
    headers: &mut HeaderMap,
    present: Present,
    credentials: Credentials<'_>,
    chunked: bool,
) {
    let wants_trailers = present.any(Present::TE) && accepts_trailers(headers);
    remove_hop_by_hop(headers, present);
    if present.any(Present::API_KEY) {
        headers.remove(API_KEY_HEADER);
    }
    if present.any(Present::COOKIE) {
        join_cookies(headers);
    }
    if present.any(Present::CONTENT_LENGTH) {
        remove_odd_length(headers);
    }
    if wants_trailers {
        // Ours to say again on our own connection.
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if chunked {
        headers.remove(CONTENT_LENGTH);
    }
    headers.insert(AUTHORIZATION, credentials.authorization.clone());
    if let Some(key) = credentials.api_key {
        headers.insert(API_KEY_HEADER, key.clone());
    }
}

/// Takes off what comes behind a body all that would count as a header of ours, or of the connection's, and
/// `private`.
pub(super) fn trailers(trailers: &mut HeaderMap, private: Option<&HeaderName>) {
    let hops = HOP_BY_HOP.iter().map(|(name, _)| name);
    for name in hops.chain(&NO_TRAILERS).chain(private) {
        trailers.remove(name);
    }
    trailers.remove(API_KEY_HEADER);
}

/// A length that is not written as everyone writes it, once and without zeros before it. It is known, and
/// the client library writes it anew.
fn remove_odd_length(headers: &mut HeaderMap) {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter().map(HeaderValue::as_bytes);
    let is_odd = match (lengths.next(), lengths.next()) {
        (None, _) => false,
        (Some(length), None) => length.len() > 1 && length.starts_with(b"0"),
        (Some(_), Some(_)) => true,
    };
    if is_odd {
        headers.remove(CONTENT_LENGTH);
    }
}

/// HTTP/2 may split `Cookie` at will; a server of HTTP/1.1 expects one (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // What is joined of valid values is valid.
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Takes off an answer what belonged to our connection with the API. `present` are the headers that it has.
pub(super) fn response(headers: &mut HeaderMap, present: Present) {
    if present.any(Present::TRANSFER_ENCODING) {
        // The body's length is that of its chunks, whatever else is said (RFC 9112, section 6.3).
        headers.remove(CONTENT_LENGTH);
    }
    remove_hop_by_hop(headers, present);
}

fn remove_hop_by_hop(headers: &mut HeaderMap, present: Present) {
    if present.any(Present::CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
    for (name, one) in &HOP_BY_HOP {
        if present.any(*one) {
            headers.remove(name);
        }
    }
}

/// The headers that `Connection` names: they go with it.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    // `close` and `keep-alive` are what nearly everyone sends, and name nothing: no list for them.
    headers
        .get_all(CONNECTION)
        .iter()
        .filter(|value| *value != "keep-alive" && *value != "close")
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|option| {
            !option.eq_ignore_ascii_case(b"close") && !option.eq_ignore_ascii_case(b"keep-alive")
        })
        .filter_map(|option| HeaderName::from_bytes(option).ok())
        .collect()
}

/// Whether the client takes trailers (`TE: trailers`, RFC 9110, section 10.1.4).
fn accepts_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(TE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_connection_is_seen() {
        for (name, one) in &HOP_BY_HOP {
            let headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("1"))]);
            assert_eq!(Present::of(&headers), *one, "{name}");
        }
    }

    fn prepared(sent: &[(&str, &str)], chunked: bool) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let ours = HeaderValue::from_static("Bearer real");
        let present = Present::of(&headers);
        request(&mut headers, present, Credentials { authorization: &ours, api_key: None }, chunked);
        let mut left: Vec<_> =
            headers.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
        left.sort();
        left
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_clients_credentials_go_and_ours_come() {
        let sent = [
            ("authorization", "Bearer placeholder"),
            ("Authorization", "Basic eDp5"),
            ("x-liquid-api-key", "theirs"),
            ("accept", "*/*"),
        ];
        assert_eq!(prepared(&sent, false), pairs(&[("accept", "*/*"), ("authorization", "Bearer real")]));
    }

    #[test]
    fn connection_cannot_take_away_what_is_ours() {
        let sent = [
            ("connection", "Authorization, X-LIQUID-API-KEY, x-mine ,close"),
            ("connection", "x-also,,"),
            ("x-mine", "1"),
            ("x-also", "2"),
            ("x-other", "3"),
        ];
        assert_eq!(prepared(&sent, false), pairs(&[("authorization", "Bearer real"), ("x-other", "3")]));
    }

    #[test]
    fn what_belongs_to_the_connection_goes() {
        let sent = [
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic eDp5"),
            ("te", "gzip"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAAQAAP__"),
            ("trailer", "x-checksum"),
        ];
        assert_eq!(
            prepared(&sent, false),
            pairs(&[("authorization", "Bearer real"), ("trailer", "x-checksum")])
        );
    }

    #[test]
    fn trailers_are_asked_for_anew_and_lengths_go_where_there_are_chunks() {
        let sent =
            [("te", "gzip;q=0.5, Trailers"), ("transfer-encoding", "chunked"), ("content-length", "5")];
        assert_eq!(prepared(&sent, true), pairs(&[("authorization", "Bearer real"), ("te", "trailers")]));
    }

    #[test]
    fn an_odd_length_is_left_to_the_library() {
        for (lengths, stays) in [(&["5"][..], true), (&["0"], true), (&["05"], false), (&["5", "5"], false)] {
            let sent: Vec<_> = lengths.iter().map(|length| ("content-length", *length)).collect();
            assert_eq!(prepared(&sent, false).len() == 2, stays, "{lengths:?}");
        }
    }

    #[test]
    fn what_counts_as_a_header_comes_not_behind_a_body() {
        let mut map = HeaderMap::new();
        for name in [
            "authorization",
            "x-liquid-api-key",
            "host",
            "content-length",
            "connection",
            "cookie",
            "x-token",
            "x-sum",
        ] {
            map.insert(name, HeaderValue::from_static("1"));
        }
        trailers(&mut map, Some(&HeaderName::from_static("x-token")));
        assert_eq!(map.keys().collect::<Vec<_>>(), ["x-sum"]);
    }

    #[test]
    fn crumbs_of_a_cookie_are_joined() {
        let sent = [("cookie", "a=1"), ("accept", "*/*"), ("cookie", "b=2; c=3")];
        assert_eq!(
            prepared(&sent, false),
            pairs(&[("accept", "*/*"), ("authorization", "Bearer real"), ("cookie", "a=1; b=2; c=3")])
        );
    }

    #[test]
    fn the_key_is_sent_only_where_it_is_asked_for() {
        let mut headers = HeaderMap::new();
        let (token, key) = (HeaderValue::from_static("Bearer real"), HeaderValue::from_static("key"));
        let present = Present::of(&headers);
        request(&mut headers, present, Credentials { authorization: &token, api_key: Some(&key) }, false);
        assert_eq!(headers[API_KEY_HEADER], "key");
    }
}

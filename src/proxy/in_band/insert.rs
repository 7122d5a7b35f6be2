//! Asking for a new token in an app's own request: which requests suit, and how it is put in.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, request};
use serde::de::IgnoredAny;

use super::scan;

const ASKING: &[u8] = b"\"refresh\":true";

/// With any of these a request is what it is: its bytes are vouched for, it waits for the API's word, or it
/// wants a part of an answer.
const UNTOUCHABLE: [HeaderName; 9] = [
    CONTENT_ENCODING,
    EXPECT,
    RANGE,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("signature"),
    HeaderName::from_static("signature-input"),
];

/// The types of an answer that is searched whole: any other may be one that never ends.
const TYPES: [&str; 4] = ["*/*", "application/*", "application/json", "text/plain"];

/// Whether a request's head promises a JSON object of at most `most` bytes in plain UTF-8, and an answer
/// that the proxy can search.
pub(in crate::proxy) fn suits(head: &request::Parts, most: usize) -> bool {
    let has_body = matches!(head.method, Method::POST | Method::PUT | Method::PATCH);
    has_body
        && !UNTOUCHABLE.iter().any(|name| head.headers.contains_key(name))
        && accepts_json(&head.headers)
        && length(&head.headers).is_some_and(|length| (2..=most).contains(&length))
        && is_json(&head.headers)
}

fn accepts_json(headers: &HeaderMap) -> bool {
    let is_known = |range: &str| {
        let name = range.split(';').next().unwrap_or_default().trim();
        TYPES.iter().any(|known| known.eq_ignore_ascii_case(name))
    };
    headers.get_all(ACCEPT).iter().all(|value| value.to_str().is_ok_and(|list| list.split(',').all(is_known)))
}

/// Sees to it that the answer's coding is one that can be taken off again.
pub(in crate::proxy) fn limit_codings(headers: &mut HeaderMap) {
    if headers.contains_key(ACCEPT_ENCODING) {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(content_type)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    let lower = content_type.to_ascii_lowercase();
    let (kind, parameters) = lower.split_once(';').unwrap_or((&lower, ""));
    let utf8 = !parameters.contains("charset") || parameters.contains("utf-8");
    kind.trim() == "application/json" && utf8
}

/// The body with `"refresh":true` as its first member, every other byte as it was; `None` where it is
/// no JSON object, or may ask for a refresh already.
pub(in crate::proxy) fn insert(body: &Bytes) -> Option<Bytes> {
    if scan::may_ask(body) {
        return None;
    }
    let members: HashMap<Cow<'_, str>, IgnoredAny> = serde_json::from_slice(body).ok()?;
    let open = body.iter().position(|byte| *byte == b'{')?;
    let mut asking = BytesMut::with_capacity(body.len() + ASKING.len() + 1);
    asking.put_slice(&body[..=open]);
    asking.put_slice(ASKING);
    if !members.is_empty() {
        asking.put_u8(b',');
    }
    asking.put_slice(&body[open + 1..]);
    Some(asking.freeze())
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    fn suited(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri("/cart/update");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        suits(&request.body(()).unwrap().into_parts().0, 100)
    }

    #[test]
    fn a_small_json_object_suits() {
        let json = ("content-type", "application/json");
        assert!(suited("POST", &[json, ("content-length", "2")]));
        assert!(suited(
            "PUT",
            &[("content-type", "Application/JSON; charset=UTF-8"), ("content-length", "100")]
        ));
        assert!(!suited("GET", &[json, ("content-length", "2")]));
        assert!(!suited("POST", &[json]));
        assert!(!suited("POST", &[json, ("content-length", "101")]));
        assert!(!suited("POST", &[json, ("content-length", "0")]));
        assert!(!suited("POST", &[("content-type", "text/plain"), ("content-length", "2")]));
        assert!(!suited(
            "POST",
            &[("content-type", "application/json;charset=utf-16"), ("content-length", "2")]
        ));
        for other in UNTOUCHABLE {
            assert!(!suited("POST", &[json, ("content-length", "2"), (other.as_str(), "gzip")]), "{other}");
        }
    }

    #[test]
    fn an_answer_that_could_not_be_searched_is_not_asked_for() {
        let asking = |name, value| {
            suited("POST", &[("content-type", "application/json"), ("content-length", "2"), (name, value)])
        };
        for accepted in
            ["*/*", "application/json, text/plain, */*", "application/json;q=0.9", "Application/JSON"]
        {
            assert!(asking("accept", accepted), "{accepted}");
        }
        assert!(!asking("accept", "text/event-stream"));
        assert!(!asking("accept", "application/json, text/event-stream"));
    }

    #[test]
    fn only_codings_that_can_be_taken_off_are_asked_for() {
        let mut headers = HeaderMap::new();
        limit_codings(&mut headers);
        assert!(headers.is_empty());
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("br"));
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("compress"));
        limit_codings(&mut headers);
        assert_eq!(headers.get_all(ACCEPT_ENCODING).iter().collect::<Vec<_>>(), ["gzip"]);
    }

    #[test]
    fn every_other_byte_stays() {
        for (body, expected) in [
            ("{}", r#"{"refresh":true}"#),
            (" { } ", r#" {"refresh":true } "#),
            (r#"{"a":1}"#, r#"{"refresh":true,"a":1}"#),
            ("\n{ \"a\" : [1, {}] }\n", "\n{\"refresh\":true, \"a\" : [1, {}] }\n"),
        ] {
            let inserted = insert(&Bytes::copy_from_slice(body.as_bytes())).unwrap();
            assert_eq!(inserted, expected);
        }
    }

    #[test]
    fn what_is_no_object_or_asks_already_is_left_alone() {
        for body in
            ["", "[]", "null", "{", "{\"a\":1", "{} {}", r#"{"refresh":false}"#, r#"{"\u0072efresh":1}"#]
        {
            assert_eq!(insert(&Bytes::copy_from_slice(body.as_bytes())), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn what_comes_out_says_the_same_and_asks(members in prop::collection::btree_map("[a-e]{1,3}", any::<u16>(), 0..5)) {
            let body = Bytes::from(serde_json::to_vec(&members).unwrap());
            let asking: serde_json::Value = serde_json::from_slice(&insert(&body).unwrap()).unwrap();
            prop_assert_eq!(&asking["refresh"], &serde_json::Value::Bool(true));
            prop_assert_eq!(asking.as_object().unwrap().len(), members.len() + 1);
            for (name, value) in &members {
                prop_assert_eq!(&asking[name], &serde_json::json!(value));
            }
        }
    }
}

//! Asking for a new token in an app's own request: which requests suit, and how it is put in.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, request};
use serde::de::IgnoredAny;

use super::scan;

const ASKING: &[u8] = b"\"refresh\":true";

/// Whether a request's head promises a JSON object of at most `most` bytes in plain UTF-8.
pub(in crate::proxy) fn suits(head: &request::Parts, most: usize) -> bool {
    let has_body = matches!(head.method, Method::POST | Method::PUT | Method::PATCH);
    has_body
        && !head.headers.contains_key(CONTENT_ENCODING)
        && length(&head.headers).is_some_and(|length| (2..=most).contains(&length))
        && is_json(&head.headers)
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
        assert!(!suited("POST", &[json, ("content-length", "2"), ("content-encoding", "gzip")]));
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

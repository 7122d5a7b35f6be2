//! What all answers of the proxy's own have in common, checked in one place.

use serde_json::Value;
use sfv::{BareItem, List, ListEntry, Parser};

use super::client::Answer;

/// Each code's status, and whether waiting helps (README, "What the proxy answers itself").
const CODES: [(&str, u16, bool); 18] = [
    ("token_unavailable", 503, true),
    ("authentication_rate_limited", 429, true),
    ("credential_rejected", 502, false),
    ("credential_not_configured", 502, false),
    ("upstream_unreachable", 502, true),
    ("upstream_timeout", 504, true),
    ("upstream_protocol_error", 502, false),
    ("request_broken", 400, false),
    ("head_too_large", 431, false),
    ("uri_too_long", 414, false),
    ("request_timeout", 408, false),
    ("overloaded", 503, true),
    ("request_too_large", 413, false),
    ("request_not_allowed", 403, false),
    ("host_not_allowed", 421, false),
    ("origin_not_allowed", 403, false),
    ("client_not_allowed", 403, false),
    ("loop_detected", 508, false),
];

/// Checks that the proxy itself gave `answer` to a request for `path`, with this code and this error
/// type in `Proxy-Status` (RFC 9209, section 2.3). Returns its message.
pub fn check(answer: &Answer, code: &str, error: &str, path: &str) -> String {
    let envelope = envelope(answer, code);
    assert_eq!(envelope["metadata"]["path"], path);
    assert_eq!(proxy_status(answer, "error"), BareItem::Token(error.to_owned().try_into().unwrap()));
    envelope["message"].as_str().unwrap().to_owned()
}

/// Checks that `answer` is the proxy's own, with this status and code. Returns its envelope.
pub async fn assert_own_answer(answer: reqwest::Response, status: u16, code: &str) -> Value {
    let path = answer.url().path().to_owned();
    let answer = Answer::of(answer).await;
    assert_eq!(answer.status.as_u16(), status);
    let envelope = envelope(&answer, code);
    assert_eq!(envelope["metadata"]["path"], path);
    envelope
}

fn envelope(answer: &Answer, code: &str) -> Value {
    let given = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.header("x-liquid-proxy-error"), [code], "{} {given}", answer.status);
    let (_, status, waiting_helps) = *CODES.iter().find(|(known, ..)| *known == code).unwrap();
    assert_eq!(answer.status.as_u16(), status, "{given}");
    assert_eq!(answer.header("content-type"), ["application/json"]);
    assert_eq!(answer.header("cache-control"), ["no-store"]);
    assert_eq!(answer.header("content-security-policy"), ["default-src 'none'"]);
    assert_eq!(answer.header("x-content-type-options"), ["nosniff"]);
    match answer.header("retry-after")[..] {
        [] => assert!(!waiting_helps, "{code} tells no Retry-After"),
        [seconds] => {
            assert!(
                waiting_helps && (1..=3660).contains(&seconds.parse::<u64>().unwrap()),
                "{code}: {seconds}"
            );
        }
        ref several => panic!("{several:?}"),
    }

    let envelope: Value = serde_json::from_slice(&answer.body).unwrap();
    let message = envelope["message"].as_str().unwrap();
    assert_eq!(envelope["statusCode"], status);
    let metadata = &envelope["metadata"];
    assert_eq!(metadata["timezone"], "UTC");
    assert_eq!(metadata["languages"], serde_json::json!(["en"]));
    assert!(metadata["timestamp"].as_u64().unwrap() > 1_700_000_000_000, "{metadata}");
    assert!(metadata["requestId"].as_str().unwrap().starts_with("lap_"), "{metadata}");
    assert!(!metadata["version"].as_str().unwrap().is_empty());

    let BareItem::String(details) = proxy_status(answer, "details") else { panic!("details are a string") };
    assert!(message.starts_with(details.as_str()), "{details:?} is not the begin of {message:?}");
    envelope
}

/// A parameter of the proxy's own member of `Proxy-Status`, which must be the last of the list.
pub fn proxy_status(answer: &Answer, parameter: &str) -> BareItem {
    let field = answer.header("proxy-status").join(", ");
    let list: List = Parser::new(&field).parse().unwrap();
    let Some(ListEntry::Item(item)) = list.last() else { panic!("{field}") };
    assert_eq!(item.bare_item, BareItem::Token("liquid-auth-proxy".to_owned().try_into().unwrap()));
    item.params.get(parameter).unwrap_or_else(|| panic!("no {parameter}: {field}")).clone()
}

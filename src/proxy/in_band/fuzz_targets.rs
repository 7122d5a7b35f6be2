//! Tokens in any answers, and wishes for them in any requests.

use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value};

use super::mask::Found;
use super::places::{self, UNMISTAKABLE};
use super::scan::{Scan, may_ask};
use super::{cut as cutting, insert as inserting, mask as masking};

/// Stands in no token of the targets' choice.
const PLACEHOLDER: &str = "~";

/// The types that the beginning of a request may tell, by a byte.
const TYPES: [Option<&str>; 5] = [
    None,
    Some("application/json"),
    Some("application/x-www-form-urlencoded"),
    Some("image/png"),
    Some("text/plain; charset=utf-8"),
];

fn object(body: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(body).ok()
}

fn contains(bytes: &[u8], what: &str) -> bool {
    memchr::memmem::find(bytes, what.as_bytes()).is_some()
}

/// An answer, which may hold a token that its app asked for.
pub fn mask(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let found = match masking::find(&body) {
        Found::Unclear => return,
        Found::Nothing => Vec::new(),
        Found::Tokens(places) => places,
    };
    assert!(found.iter().all(|place| place.start < place.end && place.end <= body.len()), "{found:?}");
    assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start), "{found:?}");
    let masked = places::replace(&body, &found, PLACEHOLDER);
    let Some(before) = object(&body) else { return };
    let Some(after) = object(&masked) else { panic!("it was an object: {masked:?}") };
    assert!(before.keys().eq(after.keys()) || !found.is_empty());

    let Some(Value::Object(auth)) = before.get("auth") else {
        if !before.contains_key("auth") {
            assert!(found.is_empty(), "{found:?}");
        }
        return;
    };
    let mut is_short = true;
    for (name, value) in auth {
        let Value::String(token) = value else { continue };
        if !["token", "accessToken", "access_token"].contains(&name.as_str()) || token.is_empty() {
            continue;
        }
        let left = after.get("auth").and_then(|auth| auth.get(name)).and_then(Value::as_str);
        is_short &= token.len() < UNMISTAKABLE;
        // A long token may also stand in its own name, and that is masked as well.
        assert!(left == Some(PLACEHOLDER) || left.is_none() && !is_short, "{left:?}");
        if token.len() >= UNMISTAKABLE && !token.contains(PLACEHOLDER) {
            assert!(!contains(&masked, token), "{token:?} is left");
        }
    }
    // Two `auth`, of which only one is seen here, may hold long tokens.
    if is_short && body.iter().filter(|byte| **byte == b'"').count() < 100 && has_one_auth(&body) {
        let others = |map: &Map<String, Value>| {
            map.iter()
                .filter(|(name, _)| *name != "auth")
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(others(&before), others(&after));
    }
}

/// Whether no more than one member may be named `auth`, and hold no more than one token, as far as their letters
/// tell.
fn has_one_auth(body: &[u8]) -> bool {
    let count = |name: &[u8]| memchr::memmem::find_iter(body, name).count();
    // Of two tokens in it, only the last is seen here.
    count(b"auth") == 1 && count(b"oken") <= 1 && memchr::memchr(b'\\', body).is_none()
}

/// An answer to a request in which the proxy asked for a token.
pub fn cut(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let Some(left) = cutting::without_auth(&body, PLACEHOLDER) else {
        assert!(object(&body).is_none(), "a whole object is not passed on");
        return;
    };
    let Some(mut before) = object(&body) else {
        if left != body {
            // Numbers and depths that this reader does not take.
            assert!(body.trim_ascii_start().starts_with(b"{"));
        }
        return;
    };
    let Some(after) = object(&left) else { panic!("it was an object: {left:?}") };
    assert!(!after.contains_key("auth"), "{left:?}");
    let Some(auth) = before.remove("auth") else {
        assert_eq!(body, left);
        return;
    };
    let mut texts = Vec::new();
    collect(&auth, &mut texts);
    // Between strings, or in a number, no text stands, though the same letters may.
    let stands_in_strings = |text: &str| {
        !text.contains(['"', '\\']) && text.contains(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c))
    };
    let long = texts.iter().filter(|text| text.len() >= UNMISTAKABLE && !text.contains(PLACEHOLDER));
    for text in long.filter(|text| stands_in_strings(text)) {
        assert!(!contains(&left, text), "{text:?} is left");
    }
    if has_one_auth(&body) && texts.iter().all(|text| text.len() < UNMISTAKABLE) {
        assert_eq!(before, after);
    }
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(members) => {
            for (name, value) in members {
                texts.push(name.clone());
                collect(value, texts);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A byte for the type of a request's body, one for the size of its pieces, and the body.
pub fn scan(data: &[u8]) {
    let [kind, size, body @ ..] = data else { return };
    let content_type = TYPES[usize::from(*kind) % TYPES.len()];
    let found = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut request = Request::post("/cart/update");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let Ok(request) = request.body(()) else { return false };
        let mut scan = Scan::of(&request.into_parts().0);
        for piece in pieces {
            let found = scan.feed(piece);
            assert_eq!(found, scan.found());
        }
        scan.found()
    };
    let whole = found(&mut std::iter::once(body));
    assert_eq!(whole, found(&mut body.chunks(usize::from(*size).max(1))), "in pieces of {size}");
    let at = usize::from(*size).min(body.len());
    assert_eq!(whole, found(&mut [&body[..at], &[], &body[at..]].into_iter()), "cut at {at}");
    if object(body).is_some_and(|members| members.contains_key("refresh")) {
        assert!(whole, "a wish was missed");
        assert!(may_ask(body));
    }
    // The same in encodings that do not show the name.
    let is_image = content_type.is_some_and(|kind| kind.starts_with("image/"));
    if let Some(text) =
        std::str::from_utf8(body).ok().filter(|text| text.contains("\"refresh\"") && !is_image)
    {
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert!(found(&mut wide.chunks(usize::from(*size).max(1))), "a wish in UTF-16 was missed");
    }
}

/// The body of a request in which the proxy would ask for a token.
pub fn insert(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let members = object(&body);
    let Some(asking) = inserting(&body) else {
        assert!(members.is_none() || may_ask(&body), "an object was not taken");
        return;
    };
    assert!(may_ask(&asking));
    assert!(!may_ask(&body));
    let wish = b"\"refresh\":true";
    let Some(at) = memchr::memmem::find(&asking, wish) else { panic!("there is no wish: {asking:?}") };
    let behind = &asking[at + wish.len()..];
    let behind = if asking.len() == body.len() + wish.len() { behind } else { &behind[1..] };
    assert_eq!([&asking[..at], behind].concat(), body, "every other byte stays");
    let Some(mut members) = members else { return };
    members.insert("refresh".into(), Value::Bool(true));
    assert_eq!(object(&asking), Some(members));
}

//! Taking `auth` out of an answer to a request in which the proxy asked for it: its app knows nothing of
//! that, and gets its own answer.

use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::mask::Auths;
use super::places::{Places, replace};

/// The answer without its top-level `auth`, whatever that holds, and with `placeholder` wherever else a text
/// of it stands. What is no JSON object stays as it is; `None` where it may be one that cannot be read.
pub(super) fn without_auth(body: &Bytes, placeholder: &str) -> Option<Bytes> {
    let Some(text) = std::str::from_utf8(body).ok() else {
        return (!may_be_object(body)).then(|| body.clone());
    };
    let Ok(Auths(auths)) = serde_json::from_str(text) else {
        return (!may_be_object(body)).then(|| body.clone());
    };
    let mut places = Places::new(text);
    for auth in auths {
        for content in texts(auth) {
            places.mark(&content);
        }
    }
    let mut left = replace(body, &places.in_order(), placeholder);
    // Members are taken out one at a time, as their places shift.
    while let Some(member) = first_auth(&left) {
        left = replace(&left, &[member], "");
    }
    Some(left)
}

/// Every text in a JSON value, as it is written and as it is meant.
fn texts(value: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = value;
    while let Some(open) = rest.find('"') {
        let mut strings = serde_json::Deserializer::from_str(&rest[open..]).into_iter::<&RawValue>();
        let Some(Ok(raw)) = strings.next() else { break };
        let raw = raw.get();
        texts.push(raw[1..raw.len() - 1].to_owned());
        texts.extend(serde_json::from_str::<String>(raw));
        rest = &rest[open + raw.len()..];
    }
    texts
}

/// Whether bytes that are no JSON object may be meant as one: cut short, compressed without saying so, or in
/// an encoding other than UTF-8.
fn may_be_object(body: &[u8]) -> bool {
    const MARKS: [&[u8]; 5] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"];
    let starts_as_one = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let start = &body[..body.len().min(4)];
    starts_as_one || MARKS.iter().any(|mark| body.starts_with(mark)) || start.contains(&0)
}

/// The place of the first top-level `auth` with its name and one comma.
fn first_auth(body: &[u8]) -> Option<Range<usize>> {
    let text = std::str::from_utf8(body).ok()?;
    let Auths(auths) = serde_json::from_str(text).ok()?;
    let value = auths.first()?;
    let value_start = value.as_ptr().addr() - text.as_ptr().addr();
    let before = text[..value_start].trim_end().strip_suffix(':')?.trim_end().strip_suffix('"')?;
    // The name's text holds no quote: even with escapes it is four letters.
    let start = before.rfind('"')?;
    let end = value_start + value.len();
    let behind = text[end..].trim_start();
    if behind.starts_with(',') {
        return Some(start..text.len() - behind.len() + 1);
    }
    let ahead = text[..start].trim_end();
    Some(ahead.strip_suffix(',').map_or(start, str::len)..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_is_taken_out_with_one_comma() {
        for (body, expected) in [
            (r#"{"auth":{"token":"t"}}"#, "{}"),
            (r#"{"auth":{"token":"t"},"a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1,"auth":{"token":"t"}}"#, r#"{"a":1}"#),
            (r#"{"a":1, "auth" : {"token":"t"} , "b":2}"#, r#"{"a":1,  "b":2}"#),
            (
                r#"{"\u0061uth":{"token":"t"},"a":{"auth":{"token":"decoy"}}}"#,
                r#"{"a":{"auth":{"token":"decoy"}}}"#,
            ),
            (r#"{"auth":{"token":"t"},"auth":{"token":"u"}}"#, "{}"),
            (r#"{"n":1111222233334444,"auth":{"exp":"1111222233334444"}}"#, r#"{"n":1111222233334444}"#),
        ] {
            assert_eq!(cut(body.as_bytes()).unwrap(), expected, "{body}");
        }
    }

    fn cut(body: &[u8]) -> Option<Bytes> {
        without_auth(&Bytes::copy_from_slice(body), "P")
    }

    #[test]
    fn auth_is_taken_out_whatever_it_holds() {
        for (body, expected) in [
            (r#"{"auth":null,"a":1}"#, r#"{"a":1}"#),
            (r#"{"auth":["x"],"a":1}"#, r#"{"a":1}"#),
            (r#"{"auth":"0123456789abcdef","a":"0123456789abcdef"}"#, r#"{"a":"P"}"#),
            (
                r#"{"auth":{"x":{"0123456789abcdef":"fedcba9876543210"}},"a":["fedcba9876543210","0123456789abcdef"]}"#,
                r#"{"a":["P","P"]}"#,
            ),
            (
                r#"{"auth":{"jwt":"0123456789\/abcdef"},"a":["0123456789\/abcdef","0123456789/abcdef"]}"#,
                r#"{"a":["P","P"]}"#,
            ),
        ] {
            assert_eq!(cut(body.as_bytes()).unwrap(), expected, "{body}");
        }
    }

    #[test]
    fn what_holds_no_auth_of_ours_passes_and_what_may_hold_one_does_not() {
        for body in [
            &b"[{\"name\":\"Jack \\\"JD\\\" Daniel\"}]"[..],
            b"id;token\n1;2\n",
            b"%PDF-1.7\n\xe2\xe3\xcf\xd3\0",
            b"",
            b"null",
            b"\"{\"",
            b"<h1>token</h1>",
        ] {
            assert_eq!(cut(body).as_deref(), Some(body));
        }
        for body in [
            &b"{\"auth\":{\"token\":\"secr"[..],
            b" {\"auth\":{\"token\":\"secret\"},\"name\":\"caf\xe9\"}",
            b"\x1f\x8b\x08",
            b"\xff\xfe{\0",
            b"{\0\"\0",
            b"\xef\xbb\xbf{\"auth\":{}}",
            b"{} {}",
        ] {
            assert_eq!(cut(body), None, "{body:?}");
        }
    }
}

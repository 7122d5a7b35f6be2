//! Finding the token of a refresh in band in an answer, and putting something else in its place.
//!
//! Only the top-level `auth` counts (wire contract, "Refreshing in band"); every other byte of the
//! answer stays as it is.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use memchr::memmem;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::places::Places;

/// The names under which a token may stand in `auth`.
const TOKENS: [&str; 3] = ["token", "accessToken", "access_token"];

/// What else is on record there, none of it secret.
const DETAILS: [&str; 6] = ["type", "tokenType", "token_type", "exp", "expiresIn", "expires_in"];

/// A name or a date is no longer than this; any token is.
const LONGEST_DETAIL: usize = 32;

/// What an answer holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No token.
    Nothing,
    /// Tokens, as the places of their JSON strings' contents, in order.
    Tokens(Vec<Range<usize>>),
    /// Perhaps a token, but not where it could be taken out.
    Unclear,
}

/// Looks for tokens in a whole answer, decoded.
pub(super) fn find(body: &[u8]) -> Found {
    // What is no text may be compressed without saying so: no word in it would show.
    let Ok(text) = std::str::from_utf8(body) else { return Found::Unclear };
    let Ok(Auths(auths)) = serde_json::from_str(text) else { return unless_suspicious(body) };
    let mut places = Places::new(text);
    for auth in auths {
        // An `auth` in any other shape than the one on record may hold a token anywhere.
        let Ok(Tokens(tokens)) = serde_json::from_str(auth) else {
            match auth {
                "null" | "true" | "false" => continue,
                _ => return Found::Unclear,
            }
        };
        if has_unknown_texts(auth) {
            return Found::Unclear;
        }
        for token in tokens {
            let Some(content) = token.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
                match token {
                    "null" => continue,
                    _ => return Found::Unclear,
                }
            };
            places.mark_slice(content);
            let unescaped = serde_json::from_str::<Cow<'_, str>>(token);
            if let Some(plain) = unescaped.ok().filter(|plain| plain != content) {
                places.mark(&plain);
            }
        }
    }
    let places = places.in_order();
    if places.is_empty() { Found::Nothing } else { Found::Tokens(places) }
}

/// Whether an `auth` holds more than its shape on record has: a text under another name, or anything but
/// a short text or a number as a detail.
fn has_unknown_texts(auth: &str) -> bool {
    let Ok(members) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(auth) else {
        return true;
    };
    members.iter().any(|(name, value)| {
        let is_detail = DETAILS.contains(&name.as_str());
        match value {
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => false,
            serde_json::Value::String(text) if is_detail => text.len() > LONGEST_DETAIL,
            // Each of these is looked at by itself.
            _ => !TOKENS.contains(&name.as_str()),
        }
    })
}

/// Whether bytes might be meant as JSON, in whatever encoding.
pub(super) fn looks_like_json(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    !matches!(first, Some(b'<')) || memchr::memchr(0, body).is_some()
}

/// What is no JSON object may be anything: a gateway's error page, or an answer cut short behind its
/// token. Only what does not even speak of a token is taken for the former.
fn unless_suspicious(bytes: &[u8]) -> Found {
    let lower = bytes.to_ascii_lowercase();
    // A NUL byte hints at an encoding in which the word would not show.
    if memmem::find(&lower, b"token").is_some() || memchr::memchr2(0, b'\\', &lower).is_some() {
        Found::Unclear
    } else {
        Found::Nothing
    }
}

/// The values of an object's members that are named `auth`, as they stand.
pub(super) struct Auths<'a>(pub(super) Vec<&'a str>);

/// The values of an object's members that hold a token, as they stand.
struct Tokens<'a>(Vec<&'a str>);

impl<'de: 'a, 'a> Deserialize<'de> for Auths<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(&["auth"])).map(Self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Tokens<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(&TOKENS)).map(Self)
    }
}

/// Collects the values of all members with one of these names, doubled ones too.
struct Members(&'static [&'static str]);

impl<'de> Visitor<'de> for Members {
    type Value = Vec<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if self.0.contains(&name.as_ref()) {
                values.push(map.next_value::<&'de RawValue>()?.get());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::proxy::in_band::places::replace;

    fn masked(body: &str) -> String {
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        match find(&bytes) {
            Found::Nothing => body.to_owned(),
            Found::Tokens(places) => String::from_utf8(replace(&bytes, &places, "P").to_vec()).unwrap(),
            Found::Unclear => "unclear".to_owned(),
        }
    }

    #[test]
    fn the_token_goes_and_every_other_byte_stays() {
        for (body, expected) in [
            (
                r#"{"auth":{"token":"secret","exp":1},  "cart":{"id":1.0}}"#,
                r#"{"auth":{"token":"P","exp":1},  "cart":{"id":1.0}}"#,
            ),
            (
                r#"{"cart":{"auth":{"token":"decoy"}},"auth":{"type":"A","token":"secret"}}"#,
                r#"{"cart":{"auth":{"token":"decoy"}},"auth":{"type":"A","token":"P"}}"#,
            ),
            (r#"{"\u0061uth":{"t\u006fken":"secret"}}"#, r#"{"\u0061uth":{"t\u006fken":"P"}}"#),
            (
                r#"{"auth":{"token":"one"},"auth":{"token":"two","token":"three"}}"#,
                r#"{"auth":{"token":"P"},"auth":{"token":"P","token":"P"}}"#,
            ),
            (r#"{"auth":{"accessToken":"secret"}}"#, r#"{"auth":{"accessToken":"P"}}"#),
            (r#"{"auth":{"token":"se\"cr\\et"}}"#, r#"{"auth":{"token":"P"}}"#),
        ] {
            assert_eq!(masked(body), expected);
        }
    }

    #[test]
    fn a_page_is_told_from_json_in_any_encoding() {
        for page in [&b"<html>"[..], b" \n<p>"] {
            assert!(!looks_like_json(page), "{page:?}");
        }
        for json in [&b"{}"[..], b"", b"token", b"<\0h\0", b" [1]"] {
            assert!(looks_like_json(json), "{json:?}");
        }
    }

    #[test]
    fn a_detail_is_short() {
        let auth = |length: usize| {
            masked(&format!(r#"{{"auth":{{"type":"{}","token":"secret"}}}}"#, "x".repeat(length)))
        };
        assert!(auth(LONGEST_DETAIL).contains(r#""token":"P""#));
        assert_eq!(auth(LONGEST_DETAIL + 1), "unclear");
    }

    #[test]
    fn a_long_token_is_masked_wherever_it_stands() {
        let token = "0123456789/abcdef0123456789";
        let escaped = token.replace('/', "\\/");
        let body = format!(
            r#"{{"auth":{{"token":"{escaped}"}},"data":{{"session":"{token}","again":"Bearer {escaped}"}}}}"#
        );
        assert_eq!(masked(&body), r#"{"auth":{"token":"P"},"data":{"session":"P","again":"Bearer P"}}"#);
    }

    #[test]
    fn what_holds_no_token_is_left_alone() {
        for body in [
            r#"{"cart":{"id":"c-1"}}"#,
            r#"{"auth":null}"#,
            r#"{"auth":{"token":null}}"#,
            r#"{"auth":{"token":""}}"#,
            r#"{"data":{"token":"of another kind"}}"#,
            "<html><h1>503 Service Unavailable</h1></html>",
            "",
            "[1,2]",
        ] {
            assert_eq!(masked(body), body);
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_passed() {
        for body in [
            r#"{"auth":{"token":"secr"#,
            r#"{"cart":{},"auth":{"token":"secret","exp":1}"#,
            r#"{"auth":{"token":"secret"}} trailing"#,
            r#"[{"auth":{"token":"secret"}}]"#,
            r#"{"auth":{"token":{"value":"secret"}}}"#,
            r#"{"auth":["token","secret"]}"#,
            r#"{"auth":"token=secret"}"#,
            r#"{"auth":"eyJhbGciOi"}"#,
            r#"{"auth":["eyJhbGciOi"]}"#,
            r#"{"auth":{"data":{"token":"secret"}}}"#,
            r#"{"auth":{"jwt":"secret"}}"#,
            r#"{"auth":{"type":{"token":"secret"},"token":"another"}}"#,
            r#"{"auth":{"type":"0123456789012345678901234567890123456789","token":"another"}}"#,
            r#"{"auth":{"Token":"secret"}}"#,
            r#"{"auth":{"token":"secret","refreshToken":"another"}}"#,
            "token: secret",
            "{\u{0}",
        ] {
            assert_eq!(masked(body), "unclear", "{body}");
        }
        for body in [&b"\xff\xfe{\0\"\0"[..], b"\x1f\x8b\x08", b"<h1>d\xe9sol\xe9</h1>"] {
            assert_eq!(find(body), Found::Unclear, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn no_long_token_survives(
            token in "[a-zA-Z0-9._-]{16,40}", before in "[a-z ]{0,9}", after in "[a-z0-9]{0,9}", twice: bool,
        ) {
            let again = if twice { token.as_str() } else { "" };
            let body = format!(r#"{{"a":"{before}{again}{after}","auth":{{"token":"{token}"}},"b":[1,{{}}]}}"#);
            prop_assert!(!masked(&body).contains(&token));
        }

        #[test]
        fn no_bytes_make_it_fail_badly(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = find(&body);
        }
    }
}

//! Prefixes of request paths. They decide about credentials and about sending twice, so they are
//! taken only where every server reads them alike.

use config::ValueKind;
use http::Method;

use super::{Kind, Parse, Refusal, text};
use crate::config::Rule;

/// The characters of a segment: those of RFC 3986, section 3.3, without escapes and without `;`, at
/// which some servers end a segment.
const PUNCTUATION: &str = "-._~!$&'()*+,=:@";

/// The beginning of a path, in whole segments.
pub(in crate::config) struct PathPrefix;

impl Kind for PathPrefix {
    fn allowed(&self) -> String {
        "plain paths such as `/orders`".into()
    }
}

impl Parse for PathPrefix {
    type Value = String;

    fn parse(&self, value: &ValueKind) -> Result<String, Refusal> {
        let path = text(value)?;
        match path {
            "/" => Err(Refusal::new("names no segment")),
            _ => plain(path).map(str::to_owned),
        }
    }
}

/// `POST /checkout/complete`, or `* /checkout` for any method.
pub(in crate::config) struct MethodAndPath;

/// The methods of RFC 9110 and RFC 5789 that the proxy forwards. A rule with a misspelt one would never
/// hold, so no other is taken; `*` covers those too.
const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
];

impl Kind for MethodAndPath {
    fn allowed(&self) -> String {
        "rules such as `POST /checkout/complete`, with the method `*` for any".into()
    }
}

impl Parse for MethodAndPath {
    type Value = Rule;

    fn parse(&self, value: &ValueKind) -> Result<Rule, Refusal> {
        let mut parts = text(value)?.split_ascii_whitespace();
        let (Some(method), Some(path), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Refusal::new("is not a method and a path with a space between them"));
        };
        let method = match method {
            "*" => None,
            name => match METHODS.into_iter().find(|method| method == name) {
                Some(method) => Some(method),
                None => {
                    let what = format!(
                        "has a method that is neither `*` nor one of {}",
                        METHODS.map(|m| m.to_string()).join(", ")
                    );
                    return Err(Refusal::new(what));
                }
            },
        };
        let path = if path == "/" { "" } else { plain(path)? };
        // The same endpoint: who writes the one form means the other as well.
        let prefix = match path.strip_prefix("/api") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
            _ => path,
        };
        Ok(Rule { method, prefix: prefix.to_owned() })
    }
}

/// `/` and segments with one `/` between them, none of which could mean something else.
fn plain(path: &str) -> Result<&str, Refusal> {
    let Some(segments) = path.strip_prefix('/') else {
        return Err(Refusal::new("does not begin with a slash"));
    };
    if segments.ends_with('/') {
        return Err(Refusal::new("ends with a slash"));
    }
    for segment in segments.split('/') {
        match segment {
            "" => return Err(Refusal::new("has an empty segment")),
            "." | ".." => return Err(Refusal::new("has a segment of dots")),
            _ => {}
        }
        if !segment.chars().all(|c| c.is_ascii_alphanumeric() || PUNCTUATION.contains(c)) {
            let what = format!("has a character that is no letter, no digit and none of {PUNCTUATION}");
            return Err(Refusal::new(what));
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_a_method_and_a_path() {
        for (rule, method, prefix) in [
            ("POST /checkout/complete", Some(Method::POST), "/checkout/complete"),
            ("POST   /api/checkout/complete", Some(Method::POST), "/checkout/complete"),
            ("* /checkout", None, "/checkout"),
            ("DELETE /apis", Some(Method::DELETE), "/apis"),
            ("POST /", Some(Method::POST), ""),
            ("* /api", None, ""),
        ] {
            let expected = Rule { method, prefix: prefix.to_owned() };
            assert_eq!(MethodAndPath.parse(&rule.into()), Ok(expected), "{rule}");
        }
        for (rule, why) in [
            ("", "is empty"),
            (" ", "not a method and a path"),
            ("POST", "not a method and a path"),
            ("/checkout", "not a method and a path"),
            ("POST /a /b", "not a method and a path"),
            ("post /checkout", "has a method"),
            ("PSOT /checkout", "has a method"),
            ("CONNECT /checkout", "has a method"),
            ("POST checkout", "begin with a slash"),
            ("POST /checkout/", "ends with a slash"),
            ("POST /api//checkout", "empty segment"),
            ("POST /api/%63heckout", "character"),
        ] {
            let refusal = MethodAndPath.parse(&rule.into()).unwrap_err();
            assert!(refusal.what.contains(why), "{rule}: {refusal:?}");
        }
    }

    #[test]
    fn prefixes_are_plain() {
        for path in ["/orders", "/api/orders", "/a/b.c/~d", "/orders:list", "/a,b"] {
            assert_eq!(PathPrefix.parse(&path.into()).as_deref(), Ok(path));
        }
        for (path, why) in [
            ("", "is empty"),
            ("orders", "begin with a slash"),
            ("https://host/orders", "begin with a slash"),
            (" /orders", "begin with a slash"),
            ("/", "no segment"),
            ("//", "ends with a slash"),
            ("/orders/", "ends with a slash"),
            ("//orders", "empty segment"),
            ("/api//orders", "empty segment"),
            ("/./orders", "dots"),
            ("/orders/..", "dots"),
            ("/%6Frders", "character"),
            ("/orders;x", "character"),
            ("/orders?x=1", "character"),
            ("/orders#x", "character"),
            ("/api\\orders", "character"),
            ("/orders ", "character"),
            ("/commandé", "character"),
        ] {
            let refusal = PathPrefix.parse(&path.into()).unwrap_err();
            assert!(refusal.what.contains(why), "{path}: {refusal:?}");
        }
    }
}

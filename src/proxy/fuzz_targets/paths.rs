//! Paths that servers may read in more than one way, and the rules that decide about them.

use http::uri::PathAndQuery;
use http::{Method, Request, Uri, request};

use super::super::guard::Rules;
use super::super::path::{Authentication, OrdersPaths, Readings};
use crate::config::Rule;
use crate::token::Credential;

const ORDERS: [&str; 2] = ["/orders", "/api/orders"];

/// A path, as far as a request's target can have one.
pub fn paths(data: &[u8]) {
    let Ok(target) = PathAndQuery::try_from(data) else { return };
    let path = target.path();
    let readings = Readings::of(path);
    assert_eq!(readings.as_written(), path);
    let credential = OrdersPaths::new(ORDERS.map(String::from).to_vec()).credential(&readings);
    let lenient = lenient(path);
    match credential {
        // No server that resolves, unescapes or ignores case may take it for the other API's.
        Ok(Credential::Api) => {
            assert!(!ORDERS.iter().any(|prefix| begins_with(&lenient, prefix)), "{path:?}: {lenient:?}");
        }
        Ok(Credential::Orders) => {
            assert!(ORDERS.iter().any(|prefix| begins_with(&lenient, prefix)), "{path:?}: {lenient:?}");
            assert!(ORDERS.iter().any(|prefix| path.starts_with(prefix)), "{path:?}");
        }
        Err(_) => {}
    }
    // No token is handed out to whom some server would give one.
    let endpoint = lenient.join("/");
    let endpoint = endpoint.strip_prefix("api/").unwrap_or(&endpoint);
    match endpoint {
        "authentication" => assert_eq!(Authentication::of(&readings), Some(Authentication::Api), "{path:?}"),
        "order-authentication" => assert!(Authentication::of(&readings).is_some(), "{path:?}"),
        _ => {}
    }
    if !readings.is_doubtful() {
        let segments = path.trim_matches('/').split('/').filter(|segment| !segment.is_empty()).count();
        assert!(path == "*" || lenient.len() == segments, "{path:?}: {lenient:?}");
    }
}

/// A target, and on a line each the rules: `+` or `-`, a method or nothing, a path.
pub fn rules(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let Some((method, target)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    let (Ok(method), Ok(uri)) = (Method::try_from(method), Uri::try_from(target)) else { return };
    let Ok(request) = Request::builder().method(method).uri(uri).body(()) else { return };
    let (head, ()) = request.into_parts();
    let (mut allow, mut deny) = (Vec::new(), Vec::new());
    for line in lines.take(8) {
        let Some((sign, rule)) = line.split_at_checked(1) else { continue };
        let list = if sign == "+" { &mut allow } else { &mut deny };
        list.extend(rule_of(rule));
    }

    let passes = |allow: &[Rule], deny: &[Rule]| {
        Rules::new(allow.to_vec(), deny.to_vec()).check(&head, &Readings::of(head.uri.path())).is_ok()
    };
    let passed = passes(&allow, &deny);
    let more = Rule { method: None, prefix: "/checkout".into() };
    // One rule more to deny lets nothing more through, nor does one less to allow.
    if passed {
        for left_out in 0..deny.len() {
            let mut fewer = deny.clone();
            fewer.remove(left_out);
            assert!(passes(&allow, &fewer), "{text:?}: without {:?}", deny[left_out]);
        }
    } else {
        assert!(!passes(&allow, &[&deny[..], &[more]].concat()), "{text:?}");
        for left_out in 0..allow.len() {
            let mut fewer = allow.clone();
            fewer.remove(left_out);
            assert!(fewer.is_empty() || !passes(&fewer, &deny), "{text:?}: without {:?}", allow[left_out]);
        }
    }
    if passed {
        assert!(!deny.iter().any(|rule| names(rule, &head)), "{text:?}");
        assert!(allow.is_empty() || allow.iter().any(|rule| names(rule, &head)), "{text:?}");
    }
}

/// A rule as the configuration lets it be.
fn rule_of(text: &str) -> Option<Rule> {
    let (method, prefix) = text.split_once(' ')?;
    let method = if method.is_empty() { None } else { Some(Method::try_from(method).ok()?) };
    let is_plain = |segment: &str| {
        let mut bytes = segment.bytes();
        !segment.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_path =
        prefix.is_empty() || prefix.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_plain));
    is_path.then(|| Rule { method, prefix: prefix.to_owned() })
}

/// Whether a rule names a request as the most lenient server reads it.
fn names(rule: &Rule, head: &request::Parts) -> bool {
    let is_of = rule
        .method
        .as_ref()
        .is_none_or(|method| *method == head.method || *method == Method::GET && head.method == Method::HEAD);
    let path = lenient(head.uri.path());
    let without_api = path.strip_prefix(&["api".to_owned()][..]).unwrap_or(&path);
    is_of && (begins_with(&path, &rule.prefix) || begins_with(without_api, &rule.prefix))
}

/// The segments of a path as a server reads it that unescapes until nothing is left to, ignores case,
/// parameters and empty segments, and resolves dots. Written apart from the code that it is to judge.
fn lenient(path: &str) -> Vec<String> {
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..4 {
        let mut unescaped = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let hex = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
            match (bytes[at], hex(at + 1), hex(at + 2)) {
                (b'%', Some(high), Some(low)) => {
                    unescaped.push((high * 16 + low) as u8);
                    at += 3;
                }
                (byte, ..) => {
                    unescaped.push(byte);
                    at += 1;
                }
            }
        }
        bytes = unescaped;
    }
    let mut segments = Vec::new();
    for segment in String::from_utf8_lossy(&bytes).replace('\\', "/").split('/') {
        let end = segment.find([';', '?', '#', '\0']).unwrap_or(segment.len());
        match segment[..end].trim() {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment.to_ascii_lowercase()),
        }
    }
    segments
}

fn begins_with(path: &[String], prefix: &str) -> bool {
    let prefix: Vec<_> = prefix.split('/').filter(|s| !s.is_empty()).map(str::to_ascii_lowercase).collect();
    path.starts_with(&prefix)
}

//! What a path might mean to the server behind it.
//!
//! Paths are forwarded byte for byte, but servers differ in how they read them: escapes, doubled
//! slashes, dot segments, parameters, case. Where a path decides about a credential, every reading counts.

mod authentication;
mod credential;

use percent_encoding::percent_decode;

pub(super) use self::authentication::Authentication;
pub(super) use self::credential::{Doubtful, OrdersPaths};

/// How often escapes are taken off: what is escaped more deeply than this means nothing to any server.
const MAX_DECODING: usize = 4;

/// The ways in which servers may read a path.
#[derive(Debug)]
pub(super) struct Readings<'a> {
    /// As it stands.
    raw: &'a str,
    /// As the most lenient server reads it; `None` where there is but one way.
    lenient: Option<Lenient>,
}

#[derive(Debug)]
struct Lenient {
    /// Escapes off, backslashes as slashes, no parameters, no empty segments, dot segments resolved.
    resolved: String,
    /// The same with dot segments left out instead: some servers match a prefix before they resolve.
    unresolved: String,
    is_doubtful: bool,
}

impl<'a> Readings<'a> {
    pub(super) fn of(path: &'a str) -> Self {
        Self { raw: path, lenient: (!is_plain(path)).then(|| Lenient::of(path)) }
    }

    /// The path as it stands.
    pub(super) fn as_written(&self) -> &'a str {
        self.raw
    }

    /// Whether servers may differ on which resource this is: on where its segments end, or which there are.
    /// Letters that are escaped for being no ASCII raise no doubt.
    pub(super) fn is_doubtful(&self) -> bool {
        self.lenient.as_ref().is_some_and(|lenient| lenient.is_doubtful)
    }

    /// Whether `matches` holds for some reading.
    pub(super) fn any(&self, matches: impl Fn(&str) -> bool) -> bool {
        matches(self.raw)
            || self.lenient.as_ref().is_some_and(|l| matches(&l.resolved) || matches(&l.unresolved))
    }

    /// Whether `matches` holds for every reading.
    pub(super) fn all(&self, matches: impl Fn(&str) -> bool) -> bool {
        !self.any(|path| !matches(path))
    }
}

impl Lenient {
    fn of(path: &str) -> Self {
        // Bytes until the end: what is no text after one step may be after two.
        let mut decoded = path.as_bytes().to_vec();
        for _ in 0..MAX_DECODING {
            let next: Vec<u8> = percent_decode(&decoded).collect();
            if next == decoded {
                break;
            }
            decoded = next;
        }
        let decoded = String::from_utf8_lossy(&decoded);
        let mut resolved: Vec<&str> = Vec::new();
        let mut unresolved: Vec<&str> = Vec::new();
        for segment in decoded.split(['/', '\\']) {
            let segment = segment.split([';', '?', '#', '\0']).next().unwrap_or_default().trim();
            match segment {
                "" | "." => {}
                ".." => {
                    resolved.pop();
                }
                _ => {
                    resolved.push(segment);
                    unresolved.push(segment);
                }
            }
        }
        Self {
            is_doubtful: is_doubtful(path, &decoded),
            resolved: format!("/{}", resolved.join("/")),
            unresolved: format!("/{}", unresolved.join("/")),
        }
    }
}

/// Whether servers may find other segments in a path than stand there.
fn is_doubtful(path: &str, decoded: &str) -> bool {
    let has_marks =
        decoded.contains(|c: char| matches!(c, ';' | '\\' | '?' | '#' | '%' | '\u{fffd}') || c.is_control());
    let has_more_slashes = decoded.matches('/').count() != path.matches('/').count();
    // One slash at the end may be.
    let segments = decoded.strip_suffix('/').unwrap_or(decoded).split('/').skip(1);
    let odd = |segment: &str| matches!(segment, "" | "." | "..") || segment.trim() != segment;
    has_marks || has_more_slashes || { segments }.any(odd)
}

/// Whether `path` is `prefix` or below it, on whole segments, whatever the case. Everything is below the
/// empty prefix, the asterisk of OPTIONS too.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    if prefix.is_empty() {
        return true;
    }
    match path.get(..prefix.len()) {
        Some(head) if head.eq_ignore_ascii_case(prefix) => {
            matches!(path.as_bytes().get(prefix.len()), None | Some(b'/'))
        }
        _ => false,
    }
}

/// The path without the `/api` that every endpoint may be written with.
pub(super) fn without_api(path: &str) -> &str {
    if is_below(path, "/api") && path.len() > 4 { &path[4..] } else { path }
}

/// Whether every server reads `path` alike, but for case.
fn is_plain(path: &str) -> bool {
    let mut previous = 0;
    path.bytes().all(|byte| {
        let plain = match byte {
            b'/' => previous != b'/',
            b'.' => previous != b'/' && previous != b'.',
            b'%' | b';' | b'\\' => false,
            _ => byte.is_ascii_graphic(),
        };
        previous = byte;
        plain
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_prefix_ends_where_a_segment_does() {
        for (path, below) in [
            ("/orders", true),
            ("/orders/", true),
            ("/orders/1", true),
            ("/ORDERS/1", true),
            ("/ordersx", false),
            ("/order", false),
            ("/", false),
            ("", false),
            ("*", false),
            ("/ord\u{e9}rs", false),
        ] {
            assert_eq!(is_below(path, "/orders"), below, "{path}");
            assert!(is_below(path, ""), "{path}");
        }
    }

    #[test]
    fn api_is_taken_off_once() {
        assert_eq!(without_api("/api/cart/update"), "/cart/update");
        assert_eq!(without_api("/cart/update"), "/cart/update");
        assert_eq!(without_api("/apis/x"), "/apis/x");
        assert_eq!(without_api("/api"), "/api");
        assert_eq!(without_api("/api/api/x"), "/api/x");
    }

    #[test]
    fn what_servers_may_read_otherwise_is_doubtful() {
        for path in [
            "/",
            "/a",
            "/a/",
            "/a/b.c",
            "/a%20b",
            "/caf%C3%A9/x",
            "/a:b/c,d",
            "/api/cart/update",
            "*",
            "/%41",
        ] {
            assert!(!Readings::of(path).is_doubtful(), "{path}");
        }
        for path in [
            "//",
            "//a",
            "/a//b",
            "/a//",
            "/./a",
            "/a/.",
            "/a/../b",
            "/..",
            "/a%2Fb",
            "/a%2fb",
            "/a%252Fb",
            "/a%5Cb",
            "/a\\b",
            "/a;x",
            "/a%3Bx",
            "/a/%2e%2e/b",
            "/%2e/a",
            "/a%00",
            "/a%0ab",
            "/a%3Fb",
            "/a%23b",
            "/a%25",
            "/a%",
            "/a%zz",
            "/a%20/b",
            "/a/%20b",
            "/%ff",
        ] {
            assert!(Readings::of(path).is_doubtful(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_path_has_one_reading(path in "(/[a-zA-Z0-9_-]{1,8}){1,4}") {
            prop_assert!(is_plain(&path));
            let lenient = Lenient::of(&path);
            prop_assert_eq!(&lenient.resolved, &path);
            prop_assert_eq!(&lenient.unresolved, &path);
        }

        #[test]
        fn no_path_makes_it_fail_badly(path in "\\PC*") {
            let _ = Readings::of(&path).any(|reading| is_below(reading, "/orders"));
            let _ = without_api(&path);
        }
    }
}

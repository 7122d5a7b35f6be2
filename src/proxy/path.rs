//! What a path might mean to the server behind it.
//!
//! Paths are forwarded byte for byte, but servers differ in how they read them: escapes, doubled
//! slashes, dot segments, case. Where a path decides about a credential, every reading counts.

use percent_encoding::percent_decode_str;

/// The endpoints that hand out tokens (wire contract). They are answered by the proxy, so that no
/// real token gets to an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authentication {
    /// `[/api]/authentication`
    Api,
    /// `[/api]/order-authentication`
    Orders,
}

/// How often escapes are taken off: what is escaped more deeply than this means nothing to any server.
const MAX_DECODING: usize = 4;

impl Authentication {
    /// The authentication endpoint that some server might see in `path`.
    pub(super) fn of(path: &str) -> Option<Self> {
        if is_plain(path) { Self::named(path) } else { Self::named(&most_lenient(path)) }
    }

    /// `path` has single slashes and no escapes; its case and a slash at its end do not matter.
    fn named(path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let path = match path.get(..5) {
            Some(prefix) if prefix.eq_ignore_ascii_case("/api/") => &path[4..],
            _ => path,
        };
        if path.eq_ignore_ascii_case("/authentication") {
            Some(Self::Api)
        } else if path.eq_ignore_ascii_case("/order-authentication") {
            Some(Self::Orders)
        } else {
            None
        }
    }
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

/// The path as the most lenient of servers reads it: escapes off until none is left, backslashes as
/// slashes, parameters and empty segments dropped, dot segments resolved.
fn most_lenient(path: &str) -> String {
    let mut decoded = path.to_owned();
    for _ in 0..MAX_DECODING {
        let next = percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
        if next == decoded {
            break;
        }
        decoded = next;
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        let segment = segment.split([';', '?', '#', '\0']).next().unwrap_or_default().trim();
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_endpoints_by_their_names() {
        for (path, expected) in [
            ("/authentication", Some(Authentication::Api)),
            ("/api/authentication", Some(Authentication::Api)),
            ("/order-authentication", Some(Authentication::Orders)),
            ("/api/order-authentication", Some(Authentication::Orders)),
            ("/", None),
            ("/api", None),
            ("/api/", None),
            ("*", None),
            ("", None),
            ("/authentications", None),
            ("/authentication/more", None),
            ("/cart/authentication", None),
            ("/api/api/authentication", None),
            ("/catalog/search", None),
        ] {
            assert_eq!(Authentication::of(path), expected, "{path}");
        }
    }

    #[test]
    fn every_reading_of_a_path_counts() {
        for path in [
            "/authentication/",
            "/Authentication",
            "/API/AUTHENTICATION",
            "//authentication",
            "/api//authentication",
            "/./authentication",
            "/x/../authentication",
            "/api/x/%2e%2e/authentication",
            "/%61uthentication",
            "/%2561uthentication",
            "/api%2Fauthentication",
            "/api\\authentication",
            "/authentication;v=1",
            "/api;v=1/authentication",
            "/authentication%00",
            "/authentication%20",
            "/authentication%3Fa=b",
        ] {
            assert_eq!(Authentication::of(path), Some(Authentication::Api), "{path}");
        }
    }

    #[test]
    fn odd_paths_that_mean_something_else() {
        for path in ["/%", "/%zz", "/..", "//", "/catalog//search", "/users/a%2Fauthentication", "/%ff%fe"] {
            assert_eq!(Authentication::of(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_path_is_read_the_same_both_ways(path in "(/[a-zA-Z0-9_-]{1,8}){0,4}/?") {
            prop_assert!(is_plain(&path));
            prop_assert_eq!(Authentication::named(&path), Authentication::named(&most_lenient(&path)));
        }

        #[test]
        fn no_path_makes_it_fail_badly(path in "\\PC*") {
            let _ = Authentication::of(&path);
        }
    }
}

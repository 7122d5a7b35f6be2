//! The endpoints that hand out tokens.

use super::{Readings, without_api};
use crate::token::Credential;

/// The endpoints that hand out tokens (wire contract). They are answered by the proxy, so that no
/// real token gets to an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Authentication {
    /// `[/api]/authentication`
    Api,
    /// `[/api]/order-authentication`
    Orders,
}

impl Authentication {
    /// The authentication endpoint that some server might see in a path.
    pub(in crate::proxy) fn of(path: &Readings<'_>) -> Option<Self> {
        [(Self::Api, "/authentication"), (Self::Orders, "/order-authentication")]
            .into_iter()
            .find(|(_, name)| path.any(|path| names(path, name)))
            .map(|(endpoint, _)| endpoint)
    }

    /// The credential that it is about.
    pub(in crate::proxy) fn credential(self) -> Credential {
        match self {
            Self::Api => Credential::Api,
            Self::Orders => Credential::Orders,
        }
    }
}

/// Case, and a slash at the end, do not matter.
fn names(path: &str, endpoint: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    without_api(path).eq_ignore_ascii_case(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Option<Authentication> {
        Authentication::of(&Readings::of(path))
    }

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
            assert_eq!(of(path), expected, "{path}");
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
            assert_eq!(of(path), Some(Authentication::Api), "{path}");
        }
    }

    #[test]
    fn odd_paths_that_mean_something_else() {
        for path in ["/%", "/%zz", "/..", "//", "/catalog//search", "/users/a%2Fauthentication", "/%ff%fe"] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}

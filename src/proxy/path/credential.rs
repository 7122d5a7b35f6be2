//! Which credential a path is for.

use super::{Readings, is_below};
use crate::token::Credential;

/// The prefixes below which the Orders credential is used (`credentials.orders.paths`).
#[derive(Debug, Clone)]
pub(in crate::proxy) struct OrdersPaths(Vec<String>);

/// Servers may differ on whether a path belongs to the Orders API.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Doubtful;

impl OrdersPaths {
    pub(in crate::proxy) fn new(prefixes: Vec<String>) -> Self {
        Self(prefixes)
    }

    /// The credential for a path. One that some servers take for an Orders path and others do not gets
    /// none: the wrong one could be shown to whoever answers there.
    pub(in crate::proxy) fn credential(&self, path: &Readings<'_>) -> Result<Credential, Doubtful> {
        if path.all(|path| !self.contain(path)) {
            Ok(Credential::Api)
        } else if path.all(|path| self.contain_as_written(path)) {
            Ok(Credential::Orders)
        } else {
            Err(Doubtful)
        }
    }

    fn contain(&self, path: &str) -> bool {
        self.0.iter().any(|prefix| is_below(path, prefix))
    }

    fn contain_as_written(&self, path: &str) -> bool {
        self.0.iter().any(|prefix| is_below(path, prefix) && path.starts_with(prefix.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn credential(path: &str) -> Result<Credential, Doubtful> {
        OrdersPaths::new(vec!["/orders".into(), "/api/orders".into()]).credential(&Readings::of(path))
    }

    #[test]
    fn orders_paths_on_whole_segments() {
        for path in ["/orders", "/orders/", "/orders/123", "/api/orders", "/api/orders/1/x", "/orders/a%20b"]
        {
            assert_eq!(credential(path), Ok(Credential::Orders), "{path}");
        }
        for path in [
            "/",
            "*",
            "/ordersx",
            "/order",
            "/api",
            "/api/ordersx/1",
            "/users/orders",
            "/catalog//search",
            "/users/a%20b;c",
            "/cart/../cart",
        ] {
            assert_eq!(credential(path), Ok(Credential::Api), "{path}");
        }
    }

    #[test]
    fn what_servers_may_differ_on_gets_neither() {
        for path in [
            "/orders;x",
            "/orders;x/1",
            "/api//orders",
            "//orders",
            "/%6Frders",
            "/%256Frders/1",
            "/orders%2F1",
            "/Orders/1",
            "/API/orders",
            "/orders/../cart",
            "/orders/%2e%2e/cart",
            "/orders%2f..%2f..",
            "/cart/../orders",
            "/cart/..;/orders/1",
            "/./orders",
            "/api\\orders",
            "/orders%00",
            "/%25C2%A0/orders/1",
        ] {
            assert_eq!(credential(path), Err(Doubtful), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_two_readings_get_different_credentials(path in "(/|%2f|\\\\|;|\\.|\\.\\.|orders|Orders|api|%6frders|x){1,7}") {
            let path = format!("/{path}");
            let readings = Readings::of(&path);
            match credential(&path) {
                Ok(Credential::Orders) => prop_assert!(readings.all(|p| is_below(p, "/orders") || is_below(p, "/api/orders"))),
                Ok(Credential::Api) => prop_assert!(!readings.any(|p| is_below(p, "/orders") || is_below(p, "/api/orders"))),
                Err(Doubtful) => {}
            }
        }
    }
}

//! What may be called: `requests.allow` and `requests.deny`, deny first.
//!
//! A rule decides about a path as the API reads it, and nobody knows how it does: so a path that servers
//! may read in more than one way is refused where there are rules.

use http::{HeaderMap, HeaderName, Method, request};

use super::super::error::Refusal;
use super::super::path::{Readings, is_below, without_api};
use crate::config::Rule;

/// With these a server may take the request for one with another method or path.
const OVERRIDES: [HeaderName; 5] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
];

/// What may be called.
#[derive(Debug, Clone)]
pub(in crate::proxy) struct Rules {
    allow: Vec<Rule>,
    deny: Vec<Rule>,
}

impl Rules {
    /// Everything that `allow` names, or everything if it is empty, but for what `deny` names.
    pub(in crate::proxy) fn new(allow: Vec<Rule>, deny: Vec<Rule>) -> Self {
        Self { allow, deny }
    }

    /// Refuses what may not be called.
    pub(in crate::proxy) fn check(&self, head: &request::Parts, path: &Readings<'_>) -> Result<(), Refusal> {
        if self.allow.is_empty() && self.deny.is_empty() {
            return Ok(());
        }
        if path.is_doubtful() {
            return Err(Refusal::RequestNotAllowed(
                "servers may differ on what this path means, so no rule of requests.allow or requests.deny can \
                 decide about it: write it plainly"
                    .into(),
            ));
        }
        overrides(&head.headers)?;
        let method = &head.method;
        if let Some(rule) = self.deny.iter().find(|rule| denies(rule, method, path)) {
            return Err(Refusal::RequestNotAllowed(format!("requests.deny forbids {}", shown(rule))));
        }
        if !self.allow.is_empty() && !self.allow.iter().any(|rule| allows(rule, method, path)) {
            return Err(Refusal::RequestNotAllowed(format!(
                "no rule of requests.allow names {method} and this path"
            )));
        }
        Ok(())
    }
}

fn overrides(headers: &HeaderMap) -> Result<(), Refusal> {
    match OVERRIDES.iter().find(|name| headers.contains_key(*name)) {
        Some(name) => Err(Refusal::RequestNotAllowed(format!(
            "{name} could make another request of it than the one that requests.allow and requests.deny saw"
        ))),
        None => Ok(()),
    }
}

fn is_of(rule: &Rule, method: &Method) -> bool {
    rule.method.as_ref().is_none_or(|named| {
        // Servers answer HEAD as they do GET (RFC 9110, section 9.3.2).
        named == method || *named == Method::GET && *method == Method::HEAD
    })
}

fn may_be_of(rule: &Rule, method: &Method) -> bool {
    rule.may_mean(method) || rule.method == Some(Method::GET) && method.as_str().eq_ignore_ascii_case("HEAD")
}

/// In every way that some server could read method and path, whatever their case.
fn denies(rule: &Rule, method: &Method, path: &Readings<'_>) -> bool {
    may_be_of(rule, method)
        && path.any(|path| is_below(path, &rule.prefix) || is_below(without_api(path), &rule.prefix))
}

/// As it is written, and in every other way.
fn allows(rule: &Rule, method: &Method, path: &Readings<'_>) -> bool {
    let exactly = |path: &str| {
        let path =
            path.strip_prefix("/api").filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path);
        path.strip_prefix(&rule.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    is_of(rule, method) && path.all(exactly)
}

fn shown(rule: &Rule) -> String {
    let method = rule.method.as_ref().map_or("*", Method::as_str);
    let prefix = if rule.prefix.is_empty() { "/" } else { &rule.prefix };
    format!("{method} {prefix}")
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn rule(method: Option<Method>, prefix: &str) -> Rule {
        Rule { method, prefix: prefix.into() }
    }

    fn checked(rules: &Rules, method: &str, path: &str) -> bool {
        let (head, ()) = Request::builder().method(method).uri(path).body(()).unwrap().into_parts();
        rules.check(&head, &Readings::of(head.uri.path())).is_ok()
    }

    #[test]
    fn without_rules_everything_passes() {
        let none = Rules::new(Vec::new(), Vec::new());
        for path in ["/", "//a", "/a;b", "/a/%2e%2e/b", "*"] {
            assert!(checked(&none, "POST", path), "{path}");
        }
    }

    #[test]
    fn deny_wins() {
        let rules = Rules::new(
            vec![rule(None, "/cart"), rule(None, "/checkout")],
            vec![rule(Some(Method::POST), "/checkout/complete")],
        );
        assert!(checked(&rules, "POST", "/cart/update"));
        assert!(checked(&rules, "POST", "/api/checkout/prepare"));
        assert!(checked(&rules, "GET", "/checkout/complete"));
        for path in [
            "/checkout/complete",
            "/api/checkout/complete",
            "/checkout/complete/x",
            "/CHECKOUT/complete",
            "/checkout/%63omplete",
        ] {
            assert!(!checked(&rules, "POST", path), "{path}");
        }
        assert!(!checked(&rules, "POST", "/users/session"));
    }

    #[test]
    fn a_method_in_small_letters_is_denied_and_not_allowed() {
        let rules =
            Rules::new(vec![rule(Some(Method::POST), "/cart")], vec![rule(Some(Method::GET), "/cart")]);
        assert!(checked(&rules, "POST", "/cart"));
        for method in ["post", "Post", "get", "head"] {
            assert!(!checked(&rules, method, "/cart"), "{method}");
        }
        let rules = Rules::new(Vec::new(), vec![rule(Some(Method::GET), "/cart")]);
        assert!(!checked(&rules, "Head", "/cart") && checked(&rules, "post", "/cart"));
    }

    #[test]
    fn what_denies_everything_denies_the_asterisk() {
        let rules = Rules::new(Vec::new(), vec![rule(Some(Method::OPTIONS), "")]);
        assert!(!checked(&rules, "OPTIONS", "*"));
        assert!(!checked(&rules, "OPTIONS", "/x"));
        assert!(checked(&rules, "GET", "/x"));
    }

    #[test]
    fn what_is_allowed_is_allowed_as_it_is_written() {
        let rules = Rules::new(vec![rule(Some(Method::GET), "/catalog"), rule(None, "/a/b")], Vec::new());
        for (method, path) in [
            ("GET", "/catalog"),
            ("HEAD", "/catalog/x"),
            ("GET", "/api/catalog/"),
            ("PUT", "/a/b/c"),
            ("GET", "/catalog/caf%C3%A9"),
        ] {
            assert!(checked(&rules, method, path), "{method} {path}");
        }
        for (method, path) in [
            ("POST", "/catalog"),
            ("GET", "/catalogue"),
            ("GET", "/Catalog"),
            ("GET", "/api/api/catalog"),
            ("GET", "/a"),
            ("GET", "/"),
            ("OPTIONS", "*"),
        ] {
            assert!(!checked(&rules, method, path), "{method} {path}");
        }
    }

    #[test]
    fn under_rules_a_doubtful_path_is_refused() {
        for rules in [
            Rules::new(vec![rule(None, "")], Vec::new()),
            Rules::new(Vec::new(), vec![rule(Some(Method::DELETE), "/nothing")]),
        ] {
            assert!(checked(&rules, "GET", "/a/b"));
            for path in ["//a", "/a//b", "/a;b", "/a%2fb", "/a/../b", "/a/%2e%2e/b", "/a\\b", "/a%00b"] {
                assert!(!checked(&rules, "GET", path), "{path}");
            }
        }
    }

    #[test]
    fn under_rules_a_request_is_what_it_says() {
        let rules = Rules::new(Vec::new(), vec![rule(Some(Method::DELETE), "/users")]);
        for name in OVERRIDES {
            let (head, ()) = Request::post("/users/1").header(name, "DELETE").body(()).unwrap().into_parts();
            assert!(rules.check(&head, &Readings::of("/users/1")).is_err());
        }
    }
}

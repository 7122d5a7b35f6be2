//! Single steps of a request, for `benches/pure.rs` to time: what the targets judge, without the judging.

use http::request;

use super::super::guard::{self, Limits, Rules};
use super::super::in_band::Scan;
use super::super::path::{Authentication, OrdersPaths, Readings};
use super::super::present::Present;
use crate::config::Rule;

/// The most of a request, as it is by default.
const LIMITS: Limits = Limits { max_body: 64 << 20, max_headers: 100, max_head: 64 << 10, max_uri: 16 << 10 };

/// What a path decides: whether the proxy answers itself, and else by which credential it is sent.
#[derive(Debug)]
pub struct Paths(OrdersPaths);

impl Paths {
    /// The paths of the Orders API.
    pub fn new(orders: &[&str]) -> Self {
        Self(OrdersPaths::new(orders.iter().map(|path| (*path).to_owned()).collect()))
    }

    /// Whether it is sent to the API.
    pub fn is_sent(&self, path: &str) -> bool {
        let readings = Readings::of(path);
        Authentication::of(&readings).is_none() && self.0.credential(&readings).is_ok()
    }
}

/// What may be called.
#[derive(Debug)]
pub struct Ruled(Rules);

impl Ruled {
    /// Everything that `allow` names but for what `deny` names.
    pub fn new(allow: Vec<Rule>, deny: Vec<Rule>) -> Self {
        Self(Rules::new(allow, deny))
    }

    /// Whether a request may be.
    pub fn passes(&self, head: &request::Parts) -> bool {
        self.0.check(head, &Readings::of(head.uri.path())).is_ok()
    }
}

/// Whether the form of a request's head is one that is passed on.
pub fn form(head: &request::Parts) -> bool {
    guard::check(head, Present::of(&head.headers), &LIMITS).is_ok()
}

/// Whether a request with this head and body may ask for a token.
pub fn asks(head: &request::Parts, body: &[u8]) -> bool {
    Scan::of(head).feed(body)
}

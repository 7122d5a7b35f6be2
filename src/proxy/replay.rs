//! Sending a request a second time, after a 401: which ones may be, and what of their body is kept for it.

mod routes;

use std::collections::VecDeque;

use bytes::Bytes;
use http::{Method, request};

pub(super) use self::routes::Route;
pub use self::routes::Routes;

use super::path::{Readings, is_below, without_api};
use crate::config::Rule;

/// What may be sent twice.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    buffer: usize,
    deny: Vec<Rule>,
}

/// The copy of a request's body: its pieces, as long as they fit.
#[derive(Debug)]
pub(super) struct Kept {
    pieces: VecDeque<Bytes>,
    left: usize,
    whole: bool,
}

impl Replay {
    pub(super) fn new(buffer: usize, deny: Vec<Rule>) -> Self {
        Self { buffer, deny }
    }

    /// Whether a request may be sent twice, as far as its head tells. In doubt about its path, it may not.
    pub(super) fn allows(&self, head: &request::Parts, path: &Readings<'_>) -> bool {
        let denied = |rule: &Rule| {
            let method = rule.method.as_ref().is_none_or(|method: &Method| *method == head.method);
            method
                && path.any(|path| is_below(path, &rule.prefix) || is_below(without_api(path), &rule.prefix))
        };
        !self.deny.iter().any(denied)
    }

    /// The most bytes of a body that are kept.
    pub(super) fn buffer(&self) -> usize {
        self.buffer
    }
}

impl Kept {
    /// Room for a body of `room` bytes.
    pub(super) fn new(room: usize) -> Self {
        Self { pieces: VecDeque::new(), left: room, whole: true }
    }

    /// Nothing is kept, and so nothing is whole.
    pub(super) fn nothing() -> Self {
        Self { pieces: VecDeque::new(), left: 0, whole: false }
    }

    /// Keeps a piece: another reference to its bytes, no copy. One that does not fit ends the keeping.
    pub(super) fn keep(&mut self, piece: &Bytes) {
        if !self.whole {
            return;
        }
        match self.left.checked_sub(piece.len()) {
            Some(left) => {
                self.left = left;
                self.pieces.push_back(piece.clone());
            }
            None => self.give_up(),
        }
    }

    /// Something came that cannot be kept.
    pub(super) fn give_up(&mut self) {
        self.whole = false;
        self.pieces.clear();
    }

    /// The whole of what came, if all of it was kept.
    pub(super) fn take(&mut self) -> Option<VecDeque<Bytes>> {
        self.whole.then(|| std::mem::take(&mut self.pieces))
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn allowed(method: &str, path: &str) -> bool {
        let deny = vec![
            Rule { method: Some(Method::POST), prefix: "/checkout/complete".into() },
            Rule { method: None, prefix: "/webhook".into() },
        ];
        let (head, ()) = Request::builder().method(method).uri(path).body(()).unwrap().into_parts();
        Replay::new(100, deny).allows(&head, &Readings::of(path))
    }

    #[test]
    fn what_is_denied_is_denied_in_every_reading() {
        for path in [
            "/checkout/complete",
            "/api/checkout/complete",
            "/checkout/complete/x",
            "/Checkout/Complete",
            "/checkout//complete",
            "/checkout/%63omplete",
        ] {
            assert!(!allowed("POST", path), "{path}");
        }
        assert!(allowed("POST", "/checkout/prepare"));
        assert!(allowed("GET", "/checkout/complete"));
        assert!(!allowed("GET", "/webhook/test"));
    }

    #[test]
    fn a_body_is_kept_whole_or_not_at_all() {
        let mut kept = Kept::new(5);
        kept.keep(&Bytes::from_static(b"abc"));
        kept.keep(&Bytes::from_static(b"de"));
        assert_eq!(kept.take().unwrap(), ["abc", "de"]);

        let mut kept = Kept::new(5);
        kept.keep(&Bytes::from_static(b"abc"));
        kept.keep(&Bytes::from_static(b"def"));
        kept.keep(&Bytes::from_static(b"g"));
        assert!(kept.take().is_none());
    }
}

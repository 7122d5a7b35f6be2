//! Sending a request a second time, after a 401: which ones may be, and what of their body is kept for it.

mod routes;
mod saved;

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderMap, request};

pub(super) use self::routes::Route;
pub use self::routes::Routes;
pub(super) use self::saved::SavedHead;

use super::path::{Readings, is_below, without_api};
use crate::config::Rule;

/// What may be sent twice.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    buffer: usize,
    deny: Vec<Rule>,
}

/// A request's body, whole, as it came.
#[derive(Debug, Clone, Default)]
pub(super) struct Whole {
    /// Its data.
    pub pieces: VecDeque<Bytes>,
    /// What came behind it (RFC 9110, section 6.5).
    pub trailers: Option<HeaderMap>,
}

/// The copy of a request's body, as long as it fits.
#[derive(Debug)]
pub(super) struct Kept {
    whole: Whole,
    left: usize,
    fits: bool,
}

impl Replay {
    pub(super) fn new(buffer: usize, deny: Vec<Rule>) -> Self {
        Self { buffer, deny }
    }

    /// Whether a request may be sent twice, as far as its head tells. In doubt about its path, it may not.
    pub(super) fn allows(&self, head: &request::Parts, path: &Readings<'_>) -> bool {
        let denied = |rule: &Rule| {
            rule.may_mean(&head.method)
                && path.any(|path| is_below(path, &rule.prefix) || is_below(without_api(path), &rule.prefix))
        };
        !self.deny.iter().any(denied)
    }

    /// The most bytes of a body that are kept.
    pub(super) fn buffer(&self) -> usize {
        self.buffer
    }
}

impl Whole {
    /// How long its data is, bytes.
    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }
}

impl From<Bytes> for Whole {
    fn from(piece: Bytes) -> Self {
        Self { pieces: VecDeque::from([piece]), trailers: None }
    }
}

impl Kept {
    /// Room for a body of `room` bytes.
    pub(super) fn new(room: usize) -> Self {
        Self { whole: Whole::default(), left: room, fits: true }
    }

    /// Nothing is kept, and so nothing is whole.
    pub(super) fn nothing() -> Self {
        Self { whole: Whole::default(), left: 0, fits: false }
    }

    /// A body that is there already.
    pub(super) fn all(whole: Whole) -> Self {
        Self { whole, left: 0, fits: true }
    }

    /// Keeps a piece: another reference to its bytes, no copy. One that does not fit ends the keeping.
    pub(super) fn keep(&mut self, piece: &Bytes) {
        if !self.fits {
            return;
        }
        match self.left.checked_sub(piece.len()) {
            Some(left) => {
                self.left = left;
                self.whole.pieces.push_back(piece.clone());
            }
            None => self.give_up(),
        }
    }

    /// Keeps what comes behind the data.
    pub(super) fn keep_trailers(&mut self, trailers: &HeaderMap) {
        if self.fits {
            self.whole.trailers = Some(trailers.clone());
        }
    }

    /// Nothing of it will be needed.
    pub(super) fn give_up(&mut self) {
        *self = Self::nothing();
    }

    /// Whether all that came so far is kept.
    pub(super) fn fits(&self) -> bool {
        self.fits
    }

    /// No more than `most` bytes are to be added.
    pub(super) fn limit(&mut self, most: u64) {
        self.left = self.left.min(usize::try_from(most).unwrap_or(usize::MAX));
    }

    /// All of what came, if it was kept.
    pub(super) fn take(&mut self) -> Option<Whole> {
        self.fits.then(|| std::mem::replace(self, Self::nothing()).whole)
    }
}

#[cfg(test)]
mod tests {
    use http::{Method, Request};

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
        assert!(!allowed("post", "/checkout/complete"));
        assert!(allowed("POST", "/checkout/prepare"));
        assert!(allowed("GET", "/checkout/complete"));
        assert!(!allowed("GET", "/webhook/test"));
    }

    #[test]
    fn a_body_is_kept_whole_or_not_at_all() {
        let mut kept = Kept::new(5);
        kept.keep(&Bytes::from_static(b"abc"));
        kept.keep(&Bytes::from_static(b"de"));
        kept.keep_trailers(&HeaderMap::new());
        let whole = kept.take().unwrap();
        assert_eq!(
            (whole.pieces, whole.trailers.is_some()),
            (VecDeque::from([Bytes::from("abc"), "de".into()]), true)
        );
        assert!(kept.take().is_none(), "it was taken");

        let mut kept = Kept::new(5);
        kept.keep(&Bytes::from_static(b"abc"));
        kept.keep(&Bytes::from_static(b"def"));
        kept.keep(&Bytes::from_static(b"g"));
        assert!(kept.take().is_none());
    }
}

//! Whether a request may ask for a refresh in band, told from its bytes as they go by.
//!
//! A false alarm costs that the answer is read whole; a request that is missed would leak a token. So
//! the ways to write the member's name count: plainly, with escapes, in an encoding that does not show it.

use std::sync::LazyLock;

use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, request};
use memchr::memmem::{self, Finder};
use percent_encoding::percent_decode_str;

/// The member's name, as nearly everyone writes it.
const NAME: &[u8] = b"\"refresh\"";

/// JSON's escapes of the name's letters begin with this, followed by a 6 or a 7 (RFC 8259, section 7).
const ESCAPE: &[u8] = b"\\u00";

/// The name in a form or a query, where it stands without quotes.
const FIELD: &[u8] = b"refresh";

/// The parameter of a `Content-Type` that names its charset (RFC 9110, section 8.3.2).
const CHARSET: &[u8] = b"charset";

/// How the one charset that shows the name is written.
const UTF8: [&[u8]; 4] = [b"charset=utf-8", b"charset=\"utf-8\"", b"charset=us-ascii", b"charset=utf8"];

// The searches for them are prepared once: that takes longer than to look through a cart.
static NAMES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(NAME));
static ESCAPES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(ESCAPE));
static FIELDS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(FIELD));

/// The bytes that a match may reach back into: one less than the longest of them.
const KEPT: usize = NAME.len() - 1;

/// How a body's bytes have to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notation {
    /// JSON, or nothing that says otherwise: in UTF-8, UTF-16 or UTF-32.
    Json,
    /// `application/x-www-form-urlencoded`. It is also what curl calls any body.
    Form,
    /// Something that no server reads as JSON. It may still be called wrongly.
    Other,
}

/// A search through bytes that come in pieces.
#[derive(Debug)]
pub(crate) struct Scan {
    found: bool,
    notation: Notation,
    /// The end of what went by.
    tail: [u8; KEPT],
    kept: usize,
}

impl Scan {
    /// The scan of a request with this head. Where its body's bytes would not show the name, the
    /// answer is yes from the start.
    pub(crate) fn of(head: &request::Parts) -> Self {
        let query = query_asks(head);
        let coded = head.headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity");
        let mut types = head.headers.get_all(CONTENT_TYPE).iter();
        let content_type = types.next().map(|value| value.as_bytes().to_ascii_lowercase());
        // Of several types, servers may take any.
        let unsure = types.next().is_some() || names_content(&head.headers);
        Self {
            found: query || coded || unsure || content_type.as_deref().is_some_and(has_other_charset),
            notation: content_type.as_deref().map_or(Notation::Json, Notation::of),
            tail: [0; KEPT],
            kept: 0,
        }
    }

    /// The scan of a request that has no body.
    pub(crate) fn without_body(head: &request::Parts) -> Self {
        Self { found: query_asks(head), notation: Notation::Other, tail: [0; KEPT], kept: 0 }
    }

    /// Whether what went by so far may ask for a refresh.
    pub(crate) fn found(&self) -> bool {
        self.found
    }

    /// Looks at the next piece; tells whether anything up to its end may ask for a refresh.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> bool {
        if !self.found {
            self.found = self.across_the_seam(piece) || self.notation.may_ask(piece);
            self.keep_tail(piece);
        }
        self.found
    }

    fn across_the_seam(&self, piece: &[u8]) -> bool {
        if self.kept == 0 {
            return false;
        }
        let mut seam = [0; 2 * KEPT];
        let ahead = piece.len().min(KEPT);
        seam[..self.kept].copy_from_slice(&self.tail[..self.kept]);
        seam[self.kept..self.kept + ahead].copy_from_slice(&piece[..ahead]);
        self.notation.may_ask(&seam[..self.kept + ahead])
    }

    fn keep_tail(&mut self, piece: &[u8]) {
        if piece.len() >= KEPT {
            self.tail.copy_from_slice(&piece[piece.len() - KEPT..]);
            self.kept = KEPT;
        } else {
            let stay = self.kept.min(KEPT - piece.len());
            self.tail.copy_within(self.kept - stay..self.kept, 0);
            self.tail[stay..stay + piece.len()].copy_from_slice(piece);
            self.kept = stay + piece.len();
        }
    }
}

/// Whether the bytes of a whole JSON text may ask for a refresh.
pub(super) fn may_ask(bytes: &[u8]) -> bool {
    Notation::Json.may_ask(bytes)
}

impl Notation {
    /// What this `Content-Type`, in lower case, says.
    fn of(content_type: &[u8]) -> Self {
        let holds = |word: &[u8]| memmem::find(content_type, word).is_some();
        if holds(b"form-urlencoded") {
            Self::Form
        } else if holds(b"json") || content_type.starts_with(b"text/") {
            Self::Json
        } else {
            Self::Other
        }
    }

    fn may_ask(self, bytes: &[u8]) -> bool {
        let named = NAMES.find(bytes).is_some();
        // A NUL byte is in no JSON text in UTF-8, but in every one in UTF-16 or UTF-32.
        let escaped =
            || ESCAPES.find_iter(bytes).any(|at| matches!(bytes.get(at + ESCAPE.len()), Some(b'6' | b'7')));
        let hidden = || escaped() || memchr::memchr(0, bytes).is_some();
        let field = || FIELDS.find(bytes).is_some() || memchr::memchr(b'%', bytes).is_some();
        match self {
            Self::Json => named || hidden(),
            Self::Form => named || hidden() || field(),
            Self::Other => named || escaped(),
        }
    }
}

fn query_asks(head: &request::Parts) -> bool {
    head.uri.query().is_some_and(|query| {
        let decoded: Vec<u8> = percent_decode_str(query).collect();
        FIELDS.find(&decoded).is_some()
    })
}

/// Whether `Connection` takes a header away that says how the body is to be read.
fn names_content(headers: &HeaderMap) -> bool {
    let names = headers.get_all(CONNECTION).iter().map(|value| value.as_bytes().to_ascii_lowercase());
    names.into_iter().any(|names| memmem::find(&names, b"content-").is_some())
}

/// Whether this `Content-Type`, in lower case, names a charset that may hide the name, or several.
fn has_other_charset(content_type: &[u8]) -> bool {
    let charset = |text: &[u8]| memmem::find(text, CHARSET).map(|at| at + CHARSET.len());
    let Some(end) = charset(content_type) else { return false };
    charset(&content_type[end..]).is_some()
        || !UTF8.iter().any(|utf8| memmem::find(content_type, utf8).is_some())
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    fn scan(headers: &[(&str, &str)], uri: &str) -> Scan {
        let mut request = Request::post(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Scan::of(&request.body(()).unwrap().into_parts().0)
    }

    fn asks(pieces: &[&[u8]]) -> bool {
        let mut scan = scan(&[("content-type", "application/json")], "/cart/update");
        for piece in pieces {
            scan.feed(piece);
        }
        scan.found()
    }

    #[test]
    fn a_body_that_asks_is_seen_however_it_is_cut() {
        let body = br#"{"id":"c-1","refresh":true}"#;
        for at in 0..body.len() {
            assert!(asks(&[&body[..at], &body[at..]]), "cut at {at}");
        }
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert!(asks(&bytes));
    }

    #[test]
    fn a_body_that_does_not_ask_is_let_by() {
        assert!(!asks(&[br#"{"search":"gin","page":1}"#]));
        assert!(!asks(&[br#"{"search":"refreshing gin"}"#]));
        assert!(!asks(&[b"{\"refr\":1}", b"{\"esh\":1}"]));
        assert!(!asks(&[]));
    }

    #[test]
    fn hiding_the_name_is_no_use() {
        assert!(asks(&[br#"{"\u0072efresh":true}"#]));
        assert!(asks(&[br#"{"ref\"#, br#"u0072esh":true}"#]));
        let utf16: Vec<u8> = "{\"refresh\":true}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(asks(&[&utf16]));
        assert!(scan(&[("content-encoding", "gzip")], "/").found());
        assert!(scan(&[("content-type", "application/json; charset=UTF-16")], "/").found());
        assert!(!scan(&[("content-type", "application/json; charset=UTF-8")], "/").found());
        assert!(scan(&[], "/cart?refresh=true").found());
        assert!(scan(&[], "/cart?%72efresh=true").found());
        let mut form = scan(&[("content-type", "application/x-www-form-urlencoded")], "/");
        assert!(form.feed(b"refresh=true"));
        let mut form = scan(&[("content-type", "application/x-www-form-urlencoded")], "/");
        assert!(form.feed(b"%72efresh=true"));
    }

    #[test]
    fn what_clients_escape_in_texts_raises_no_alarm() {
        assert!(!asks(&[br#"{"search":"Jack Daniel\u0027s \u003c caf\u00e9"}"#]));
    }

    #[test]
    fn two_types_are_read_as_the_one_that_shows() {
        let both = [("content-type", "application/octet-stream"), ("content-type", "application/json")];
        assert!(scan(&both, "/").found());
        assert!(scan(&[("content-type", "application/json"), ("connection", "Content-Type")], "/").found());
        assert!(scan(&[("content-type", "application/json; charset=utf-7; x=utf-8")], "/").found());
    }

    #[test]
    fn bytes_that_are_no_text_raise_no_alarm() {
        let mut image = scan(&[("content-type", "image/png")], "/");
        assert!(!image.feed(b"\x89PNG\0\0\\u00e9"));
        assert!(image.feed(b"{\"refresh\":true}"), "unless they are");
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(body in "[refsh\\\\u067\"]{0,60}", cuts in prop::collection::vec(0usize..60, 0..6)) {
            let body = body.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
            prop_assert_eq!(asks(&pieces), may_ask(body));
        }
    }
}

//! Where a text stands in JSON, and another in its place.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

/// A text of this length or more is no word of the answer's own: each place where it stands counts.
pub(super) const UNMISTAKABLE: usize = 16;

/// Places in a JSON text, each inside one of its strings.
#[derive(Debug)]
pub(super) struct Places<'a> {
    text: &'a str,
    found: Vec<Range<usize>>,
}

impl<'a> Places<'a> {
    /// None yet in `text`, which is JSON.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Marks `content`, which is the content of one of the text's strings, and wherever else it stands.
    pub(super) fn mark_slice(&mut self, content: &'a str) {
        if content.is_empty() {
            return;
        }
        let start = content.as_ptr().addr() - self.text.as_ptr().addr();
        self.found.push(start..start + content.len());
        self.mark(content);
    }

    /// Marks wherever `content` stands, if it is long enough.
    pub(super) fn mark(&mut self, content: &str) {
        if content.len() >= UNMISTAKABLE {
            let found = memmem::find_iter(self.text.as_bytes(), content).map(|at| at..at + content.len());
            self.found.extend(found);
        }
    }

    /// The places in order, those that overlap made one. What stands in no string is none: a long number may be
    /// written like a text, and something in its place would be no JSON. A place takes in all of an escape.
    pub(super) fn in_order(mut self) -> Vec<Range<usize>> {
        self.found.sort_unstable_by_key(|place| place.start);
        let mut strings = Strings { bytes: self.text.as_bytes(), at: 0 };
        let mut string = strings.next();
        let mut places: Vec<Range<usize>> = Vec::with_capacity(self.found.len());
        for place in self.found {
            while string.as_ref().is_some_and(|string| string.end < place.end) {
                string = strings.next();
            }
            let Some(around) = string.as_ref().filter(|string| string.start <= place.start) else { continue };
            let place = strings.with_whole_escapes(around, place);
            match places.last_mut() {
                Some(last) if place.start < last.end => last.end = last.end.max(place.end),
                _ => places.push(place),
            }
        }
        places
    }
}

/// The contents of a JSON text's strings.
struct Strings<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Strings<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.at + memchr::memchr(b'"', &self.bytes[self.at..])? + 1;
        let mut end = start;
        while *self.bytes.get(end)? != b'"' {
            end += self.unit(end);
        }
        self.at = end + 1;
        Some(start..end)
    }
}

impl Strings<'_> {
    /// How long what stands at `at` in a string is: an escape (RFC 8259, section 7), or a byte.
    fn unit(&self, at: usize) -> usize {
        match (self.bytes[at], self.bytes.get(at + 1)) {
            (b'\\', Some(b'u')) => 6,
            (b'\\', _) => 2,
            _ => 1,
        }
    }

    fn with_whole_escapes(&self, string: &Range<usize>, place: Range<usize>) -> Range<usize> {
        let (mut at, mut start) = (string.start, string.start);
        while at < place.end {
            if at <= place.start {
                start = at;
            }
            at += self.unit(at);
        }
        start..at
    }
}

/// The answer with `placeholder` in each of the places.
pub(super) fn replace(body: &Bytes, places: &[Range<usize>], placeholder: &str) -> Bytes {
    let mut masked = BytesMut::with_capacity(body.len());
    let mut from = 0;
    for place in places {
        masked.extend_from_slice(&body[from..place.start]);
        masked.extend_from_slice(placeholder.as_bytes());
        from = place.end;
    }
    masked.extend_from_slice(&body[from..]);
    masked.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0123456789abcdef";

    fn replaced(json: &str, content: &str) -> String {
        let mut places = Places::new(json);
        places.mark(content);
        let bytes = replace(&Bytes::copy_from_slice(json.as_bytes()), &places.in_order(), "P");
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_text_is_found_in_strings_and_names_wherever_it_stands() {
        let json = format!(r#"{{"{TEXT}":["a {TEXT} b","{TEXT}{TEXT}"],"{}":1}}"#, &TEXT[1..]);
        assert_eq!(replaced(&json, TEXT), r#"{"P":["a P b","PP"],"123456789abcdef":1}"#);
        assert_eq!(replaced(r#"["short","short"]"#, "short"), r#"["short","short"]"#);
    }

    #[test]
    fn a_number_is_no_text() {
        let json = r#"{"a":11112222333344445,"b":"1111222233334444","c":[1111222233334444]}"#;
        let expected = r#"{"a":11112222333344445,"b":"P","c":[1111222233334444]}"#;
        assert_eq!(replaced(json, "1111222233334444"), expected);
    }

    #[test]
    fn what_lies_between_strings_is_no_text() {
        let json = r#"{"aaaaaaa":"bbbbbbb","cccc":"dd"}"#;
        assert_eq!(replaced(json, r#"aaa":"bbbbbbb","c"#), json);
    }

    #[test]
    fn an_escape_goes_as_a_whole() {
        assert_eq!(replaced(r#"["x\\u0041456789abcdef y"]"#, "u0041456789abcdef"), r#"["x\\P y"]"#);
        assert_eq!(replaced(r#"["x\u0041456789abcdef y"]"#, "u0041456789abcdef"), r#"["xP y"]"#);
        assert_eq!(replaced(r#"["x0123456789abcde\" y"]"#, r"0123456789abcde\"), r#"["xP y"]"#);
    }
}

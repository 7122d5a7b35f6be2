//! A row of the corpus: bytes, what must come back, what may arrive.

use std::fmt::Write;

use crate::support::strict::{Field, Framing, Request};

/// Stands in a row for its mark, which is as long and no other row's.
pub const MARK: &str = "MARK";

/// What the bytes of a connection are.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: &'static str,
    /// What stands in the place of [`MARK`].
    pub mark: String,
    pub protocol: Protocol,
    pub bytes: Vec<u8>,
    pub back: Back,
    /// The requests that arrive, in no order, as [`shown`] tells them.
    pub arrives: Vec<String>,
}

/// How the bytes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    /// Behind the preface and a frame of settings.
    Http2,
}

/// What comes back.
#[derive(Debug, Clone)]
pub enum Back {
    /// Answers with these statuses. The connection serves another request.
    Answers(Vec<u16>),
    /// Answers with these statuses, and then the connection closes.
    Last(Vec<u16>),
    /// After answers with these statuses the connection closes; a refusal may come before that.
    Refused(Vec<u16>),
    /// The same, when the client sends no more. Until then, the request could be completed.
    Cut(Vec<u16>),
}

impl Row {
    /// Bytes of which nothing arrives, and that end their connection.
    pub fn refused(name: &'static str, bytes: impl AsRef<[u8]>) -> Self {
        let back = Back::Refused(Vec::new());
        let (mark, bytes) = (MARK.to_owned(), bytes.as_ref().to_vec());
        Self { name, mark, protocol: Protocol::Http1, bytes, back, arrives: Vec::new() }
    }

    /// Bytes that are not all of a request.
    pub fn cut(name: &'static str, bytes: impl AsRef<[u8]>) -> Self {
        Self { back: Back::Cut(Vec::new()), ..Self::refused(name, bytes) }
    }

    /// A request that the proxy answers itself, with this status.
    pub fn own(name: &'static str, bytes: impl AsRef<[u8]>, status: u16) -> Self {
        Self { back: Back::Answers(vec![status]), ..Self::refused(name, bytes) }
    }

    /// A request that arrives like this.
    pub fn passes(name: &'static str, bytes: impl AsRef<[u8]>, arrives: &str) -> Self {
        Self::own(name, bytes, 200).arrives(&[arrives])
    }

    /// The same, and what comes is this.
    pub fn back(self, back: Back) -> Self {
        Self { back, ..self }
    }

    /// The same, as the last of its connection.
    pub fn last(self) -> Self {
        match self.back {
            Back::Answers(statuses) => Self { back: Back::Last(statuses), ..self },
            _ => self,
        }
    }

    /// The same, and what arrives is this.
    pub fn arrives(self, arrives: &[&str]) -> Self {
        Self { arrives: arrives.iter().map(ToString::to_string).collect(), ..self }
    }

    /// The same with frames for bytes.
    pub fn http2(self) -> Self {
        Self { protocol: Protocol::Http2, ..self }
    }

    /// The row as it is sent: with its mark in place.
    pub fn marked(mut self, number: usize) -> Self {
        self.mark = format!("Q{number:03}");
        while let Some(at) = memchr::memmem::find(&self.bytes, MARK.as_bytes()) {
            self.bytes[at..at + MARK.len()].copy_from_slice(self.mark.as_bytes());
        }
        for arrives in &mut self.arrives {
            *arrives = arrives.replace(MARK, &self.mark);
        }
        self
    }

    /// Whether part of a request may arrive: what is sent before the fault is in it.
    pub fn may_break_off(&self) -> bool {
        matches!(self.back, Back::Refused(_) | Back::Cut(_))
    }
}

/// The numbers of the rows whose marks are in these bytes.
pub fn marks(bytes: &[u8]) -> Vec<usize> {
    let found = bytes.windows(MARK.len()).filter_map(|window| {
        let digits = window.strip_prefix(b"Q")?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    });
    let mut marks: Vec<_> = found.collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}

/// A request in a line: method, target, headers by their names but for those that every request has, body,
/// and trailers. A body in chunks is told by its header.
pub fn shown(request: &Request) -> String {
    let mut text = format!("{} {}", request.method, request.target.escape_ascii());
    let fields =
        listed(request.fields.iter().filter(|(name, _)| !matches!(name.as_str(), "host" | "authorization")));
    if !fields.is_empty() {
        let _ = write!(text, " [{fields}]");
    }
    if request.framing != Framing::None {
        let _ = write!(text, " {}", request.body.escape_ascii());
    }
    if !request.trailers.is_empty() {
        let _ = write!(text, " {{{}}}", listed(request.trailers.iter()));
    }
    text
}

fn listed<'a>(fields: impl Iterator<Item = &'a Field>) -> String {
    let mut fields: Vec<_> =
        fields.map(|(name, value)| format!("{name}: {}", value.escape_ascii())).collect();
    fields.sort();
    fields.join("; ")
}

//! HTTP/2 by hand (RFC 9113, RFC 7541): frames with any headers, and what comes back of them.

use super::exchange::{Link, good_target};
use super::row::{Back, Row};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// The stream that a row is about.
pub const STREAM: u32 = 1;

/// The stream of the good request behind it.
const GOOD: u32 = 3;

/// One header, or one of those that begin with a colon.
pub type Field<'a> = (&'a str, &'a str);

/// The headers of every good request but for its path.
pub const PSEUDO: [Field<'static>; 3] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "localhost")];

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Headers as literals that are not indexed, as their bytes stand.
pub fn block(fields: &[Field<'_>]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            string(&mut block, text.as_bytes());
        }
    }
    block
}

/// A string's length in a prefix of 7 bits, and the string.
fn string(block: &mut Vec<u8>, text: &[u8]) {
    match text.len().checked_sub(127) {
        None => block.push(text.len() as u8),
        Some(mut rest) => {
            block.push(127);
            while rest >= 128 {
                block.push((rest % 128) as u8 | 128);
                rest /= 128;
            }
            block.push(rest as u8);
        }
    }
    block.extend_from_slice(text);
}

/// A request without a body.
pub fn request(fields: &[Field<'_>]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, STREAM, &block(fields))
}

/// The head of a request that goes on.
pub fn head(fields: &[Field<'_>]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, STREAM, &block(fields))
}

/// The head of a request whose headers go on.
pub fn unfinished(fields: &[Field<'_>]) -> Vec<u8> {
    frame(HEADERS, END_STREAM, STREAM, &block(fields))
}

/// The end of a body.
pub fn data(bytes: &str) -> Vec<u8> {
    frame(DATA, END_STREAM, STREAM, bytes.as_bytes())
}

/// A piece of a body.
pub fn piece(bytes: &str) -> Vec<u8> {
    frame(DATA, 0, STREAM, bytes.as_bytes())
}

/// What became of a stream.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// An answer, with its body.
    Answer(u16, String),
    /// The stream was taken back.
    Reset,
    /// The connection is at its end.
    Closed,
}

/// Sends the row's frames, and a good request behind them.
pub async fn exchange(link: &mut Link, row: &Row) -> Result<(), String> {
    let opening = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &row.bytes].concat();
    let _ = link.send(&opening).await;
    let end = end_of(link, STREAM).await?;
    let target = row.arrives.first().and_then(|arrives| arrives.split(' ').nth(1)).unwrap_or_default();
    match (&row.back, &end) {
        (Back::Answers(statuses), End::Answer(status, body)) if statuses == &[*status] => {
            if *status == 200 && *body != target {
                return Err(format!("the answer to {target} is {end:?}"));
            }
        }
        (Back::Refused(_), End::Reset | End::Answer(400, _)) => {}
        (Back::Refused(_), End::Closed) => return Ok(()),
        (back, end) => return Err(format!("{end:?} came back, not {back:?}")),
    }
    let path = good_target(row);
    let fields = [&PSEUDO[..], &[(":path", path.as_str())]].concat();
    let _ = link.send(&frame(HEADERS, END_HEADERS | END_STREAM, GOOD, &block(&fields))).await;
    match end_of(link, GOOD).await? {
        End::Answer(200, body) if body == path => Ok(()),
        // What breaks the rules of a connection ends it.
        End::Closed if matches!(row.back, Back::Refused(_)) => Ok(()),
        other => Err(format!("a good request on the same connection got {other:?}")),
    }
}

async fn end_of(link: &mut Link, stream: u32) -> Result<End, String> {
    loop {
        if let Some(end) = look(&link.read, stream) {
            return Ok(end);
        }
        if !link.more().await? {
            return Ok(End::Closed);
        }
    }
}

/// What the frames so far tell of a stream.
fn look(mut bytes: &[u8], stream: u32) -> Option<End> {
    let (mut status, mut body) = (0, Vec::new());
    while let [a, b, c, kind, flags, s @ ..] = bytes {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let (id, rest) = s.split_first_chunk()?;
        let payload = rest.get(..length)?;
        bytes = &rest[length..];
        if *kind == GOAWAY {
            return Some(End::Closed);
        }
        if u32::from_be_bytes(*id) != stream {
            continue;
        }
        match *kind {
            HEADERS => status = status_of(payload),
            DATA => body.extend_from_slice(payload),
            RST_STREAM if status == 0 => return Some(End::Reset),
            _ => {}
        }
        if matches!(*kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            return Some(End::Answer(status, body.escape_ascii().to_string()));
        }
    }
    None
}

/// The status, which comes first: one of the table (RFC 7541, appendix A), or three digits.
fn status_of(block: &[u8]) -> u16 {
    let mut block = block;
    // The size of the table may be told before.
    while let [first, rest @ ..] = block
        && first & 0xe0 == 0x20
    {
        block = rest;
    }
    match block {
        [index @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(index - 0x88)],
        [0x08 | 0x18 | 0x48, length, text @ ..] if length & 0x80 != 0 => {
            digits(text.get(..usize::from(length & 0x7f)).unwrap_or_default())
        }
        [0x08 | 0x18 | 0x48, 3, a, b, c, ..] => {
            [a, b, c].iter().fold(0, |number, digit| number * 10 + u16::from(**digit - b'0'))
        }
        _ => 0,
    }
}

/// Three digits in Huffman's code (RFC 7541, appendix B): 0 to 2 have five bits, the others six.
fn digits(text: &[u8]) -> u16 {
    let bits =
        text.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte)) << (64 - 8 * text.len().min(8));
    let (mut number, mut at) = (0, 0);
    for _ in 0..3 {
        let five = (bits << at >> 59) as u16;
        let (digit, width) =
            if five < 3 { (five, 5) } else { ((bits << at >> 58) as u16 - 0b01_1001 + 3, 6) };
        number = number * 10 + digit;
        at += width;
    }
    number
}

#[test]
fn statuses_are_read_in_every_notation() {
    assert_eq!(status_of(&[0x88]), 200);
    assert_eq!(status_of(&[0x3f, 0x48, 3, b'4', b'2', b'1']), 421);
    // RFC 7541, appendix C.6.1: 302.
    assert_eq!(status_of(&[0x48, 0x82, 0x64, 0x02]), 302);
}

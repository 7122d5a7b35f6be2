//! Reads HTTP/1.1 requests as the strictest server would (RFC 9112). Where any server could read the bytes
//! in another way, it gives up: what the proxy sends must leave no choice.
//!
//! It shares no code with the proxy or its libraries.

/// A request that can be read in one way only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: Vec<u8>,
    /// As they came, names in lower case.
    pub fields: Vec<Field>,
    pub framing: Framing,
    pub body: Vec<u8>,
    pub trailers: Vec<Field>,
}

/// A name and its value.
pub type Field = (String, Vec<u8>);

/// What tells where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    Length,
    Chunked,
}

/// What bytes are, from their beginning.
#[derive(Debug)]
pub enum Read {
    /// A request, and how many bytes it takes up.
    Whole(Request, usize),
    /// The beginning of one, as far as can be told.
    Part,
}

/// What must not come behind a body: servers may take it for a header (RFC 9110, section 6.5.1).
const NO_TRAILERS: [&str; 12] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "x-liquid-api-key",
];

/// The size of a chunk has no more digits: far below what overflows anywhere.
const MOST_DIGITS: usize = 8;

/// Reads one request from the beginning of `bytes`.
///
/// # Errors
/// Why the bytes are no request, or could be taken for two different ones.
pub fn read(bytes: &[u8]) -> Result<Read, String> {
    let Some(end) = find(bytes, b"\r\n\r\n") else {
        return Ok(Read::Part);
    };
    let mut lines = lines(&bytes[..end + 2])?.into_iter();
    let (method, target) = request_line(lines.next().unwrap_or_default())?;
    let fields = lines.map(field).collect::<Result<Vec<_>, _>>()?;
    let framing = framing(&fields)?;
    let body = &bytes[end + 4..];
    let read = match framing {
        Framing::None => Some((Vec::new(), Vec::new(), 0)),
        Framing::Length => {
            let length = number(only(&fields, "content-length")?.unwrap_or_default(), 10)?;
            body.get(..length).map(|body| (body.to_vec(), Vec::new(), length))
        }
        Framing::Chunked => chunked(body)?,
    };
    Ok(match read {
        Some((body, trailers, length)) => {
            let request = Request { method, target, fields, framing, body, trailers };
            Read::Whole(request, end + 4 + length)
        }
        None => Read::Part,
    })
}

impl Request {
    /// All values of a header.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_slice())
    }
}

/// Lines that end with CR and LF, and have neither elsewhere.
fn lines(bytes: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    while let Some(end) = find(rest, b"\r\n") {
        let line = &rest[..end];
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
            return Err(format!("half a line end in {}", show(line)));
        }
        lines.push(line);
        rest = &rest[end + 2..];
    }
    Ok(lines)
}

fn request_line(line: &[u8]) -> Result<(String, Vec<u8>), String> {
    let fault = |why: &str| Err(format!("{why}: {}", show(line)));
    let parts: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let &[method, target, version] = parts.as_slice() else {
        return fault("no request line");
    };
    if !is_token(method) || version != b"HTTP/1.1" {
        return fault("no request line of HTTP/1.1");
    }
    let is_asterisk = target == b"*" && method == b"OPTIONS";
    if !is_asterisk && !target.starts_with(b"/") {
        return fault("a target that is no path");
    }
    // What is no ASCII is sent by many clients, and read alike by all servers.
    if target.iter().any(|byte| byte.is_ascii_control() || *byte == b' ' || *byte == b'#') {
        return fault("a target with more than a path and a query");
    }
    Ok((String::from_utf8_lossy(method).into_owned(), target.to_vec()))
}

fn field(line: &[u8]) -> Result<Field, String> {
    let fault = |why: &str| Err(format!("{why}: {}", show(line)));
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return fault("no colon");
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !is_token(name) {
        return fault("no name of a header");
    }
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return fault("a control character");
    }
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    Ok((name, value.trim_ascii().to_vec()))
}

fn framing(fields: &[Field]) -> Result<Framing, String> {
    match (only(fields, "content-length")?, only(fields, "transfer-encoding")?) {
        (None, None) => Ok(Framing::None),
        (Some(_), None) => Ok(Framing::Length),
        (None, Some(b"chunked")) => Ok(Framing::Chunked),
        (None, Some(other)) => Err(format!("the coding {}", show(other))),
        (Some(_), Some(_)) => Err("a length and chunks".into()),
    }
}

type Chunks = (Vec<u8>, Vec<Field>, usize);

fn chunked(bytes: &[u8]) -> Result<Option<Chunks>, String> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(length) = find(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        let size = number(&bytes[at..at + length], 16)?;
        at += length + 2;
        if size == 0 {
            break;
        }
        let Some(chunk) = bytes.get(at..at + size + 2) else {
            return Ok(None);
        };
        let Some(chunk) = chunk.strip_suffix(b"\r\n") else {
            return Err("a chunk that does not end where it says".into());
        };
        body.extend_from_slice(chunk);
        at += size + 2;
    }
    if bytes[at..].starts_with(b"\r\n") {
        return Ok(Some((body, Vec::new(), at + 2)));
    }
    let Some(end) = find(&bytes[at..], b"\r\n\r\n") else {
        return Ok(None);
    };
    let lines = lines(&bytes[at..at + end + 2])?;
    let trailers = lines.into_iter().map(field).collect::<Result<Vec<_>, _>>()?;
    if let Some((name, _)) = trailers.iter().find(|(name, _)| NO_TRAILERS.contains(&name.as_str())) {
        return Err(format!("{name} behind the body"));
    }
    Ok(Some((body, trailers, at + end + 4)))
}

/// Digits and nothing else, and the first is no zero but that of the number 0.
fn number(digits: &[u8], radix: u32) -> Result<usize, String> {
    let is_digit = |byte: &u8| char::from(*byte).is_digit(radix);
    let is_plain = digits == b"0" || !digits.starts_with(b"0");
    if digits.is_empty() || digits.len() > MOST_DIGITS || !is_plain || !digits.iter().all(is_digit) {
        return Err(format!("the number {}", show(digits)));
    }
    let number = usize::from_str_radix(&String::from_utf8_lossy(digits), radix);
    number.map_err(|error| error.to_string())
}

/// The value of a header that may be there once.
fn only<'a>(fields: &'a [Field], name: &str) -> Result<Option<&'a [u8]>, String> {
    let mut values = fields.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_slice());
    let first = values.next();
    match values.next() {
        Some(_) => Err(format!("{name} twice")),
        None => Ok(first),
    }
}

fn is_token(name: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_tchar)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn show(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_fault(bytes: &[u8]) -> bool {
        read(bytes).is_err()
    }

    #[test]
    fn plain_requests_are_read() {
        let bytes = b"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiGET";
        let Ok(Read::Whole(request, 52)) = read(bytes) else { panic!("{:?}", read(bytes)) };
        assert_eq!((request.target, request.body), (b"/a?b".to_vec(), b"hi".to_vec()));
        let bytes =
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\na\r\n0123456789\r\n0\r\nA: b\r\n\r\n";
        let Ok(Read::Whole(request, length)) = read(bytes) else { panic!("{:?}", read(bytes)) };
        assert_eq!((request.body, length), (b"hi0123456789".to_vec(), bytes.len()));
        assert_eq!(request.trailers, [("a".to_owned(), b"b".to_vec())]);
        assert!(matches!(read(b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nhi"), Ok(Read::Part)));
        assert!(matches!(read(b"GET / HTT"), Ok(Read::Part)));
    }

    #[test]
    fn what_two_servers_could_read_in_two_ways_is_not() {
        let length = |lines: &str| format!("POST / HTTP/1.1\r\n{lines}\r\n\r\nhello").into_bytes();
        for lines in [
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: Chunked",
            "Transfer-Encoding: gzip, chunked",
            "Content-Length: 05",
            "Content-Length: +5",
            "Content-Length: 5, 5",
            "Content-Length : 5",
            "A: b\nContent-Length: 5",
            "A: b\r C: d",
            "A: b\0",
            ": b",
            "A",
        ] {
            assert!(is_fault(&length(lines)), "{lines}");
        }
        for line in ["GET  / HTTP/1.1", "GET / HTTP/1.0", "GET x HTTP/1.1", "GET * HTTP/1.1", "GET /", "/"] {
            assert!(is_fault(format!("{line}\r\n\r\n").as_bytes()), "{line}");
        }
        for chunks in [
            "0x2\r\nhi\r\n0\r\n\r\n",
            "2;a\r\nhi\r\n0\r\n\r\n",
            "2\r\nhi!\r\n0\r\n\r\n",
            "0\r\nHost: x\r\n\r\n",
        ] {
            let bytes = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
            assert!(is_fault(bytes.as_bytes()), "{chunks}");
        }
    }
}

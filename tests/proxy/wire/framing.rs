//! Where a request's body ends: `Content-Length`, `Transfer-Encoding`, both, and what looks like them
//! (RFC 9112, section 6).

use super::row::{Back, Row};

/// A POST with these header lines behind its `Host`, and these bytes behind its head.
fn post(lines: &str, rest: &str) -> Vec<u8> {
    format!("POST /MARK HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n{rest}").into_bytes()
}

/// A body in two chunks, which is `hello`.
const CHUNKS: &str = "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";

const LENGTH: &str = "POST /MARK [content-length: 5] hello";
const CHUNKED: &str = "POST /MARK [transfer-encoding: chunked] hello";

pub fn rows() -> Vec<Row> {
    [lengths(), odd_lengths(), codings(), odd_codings(), both(), lookalikes()].concat()
}

fn lengths() -> Vec<Row> {
    let get = "GET /MARK HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    let chunked_get =
        format!("GET /MARK HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}");
    let delete = "DELETE /MARK HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    let old = "POST /MARK HTTP/1.0\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    vec![
        Row::passes("length", post("Content-Length: 5", "hello"), LENGTH),
        Row::passes("length without a space", post("Content-Length:5", "hello"), LENGTH),
        Row::passes("length in odd case", post("cOnTeNt-lEnGtH: 5", "hello"), LENGTH),
        Row::passes("length in white space", post("Content-Length: \t 5 \t", "hello"), LENGTH),
        Row::passes("length 0", post("Content-Length: 0", ""), "POST /MARK [content-length: 0] "),
        Row::passes("no length", post("X: y", ""), "POST /MARK [x: y]"),
        Row::passes("length with zeros before it", post("Content-Length: 005", "hello"), LENGTH),
        Row::passes("length twice, equal", post("Content-Length: 5\r\nContent-Length: 5", "hello"), LENGTH),
        Row::passes(
            "length twice, equal as numbers",
            post("Content-Length: 05\r\nContent-Length: 5", "hello"),
            LENGTH,
        ),
        Row::passes(
            "length that Connection names",
            post("Connection: Content-Length\r\nContent-Length: 5", "hello"),
            LENGTH,
        ),
        Row::passes("GET with a body", get, "GET /MARK [content-length: 5] hello"),
        Row::passes("GET with chunks", chunked_get, "GET /MARK [transfer-encoding: chunked] hello"),
        Row::passes("DELETE with a body", delete, "DELETE /MARK [content-length: 5] hello"),
        Row::passes("length in HTTP/1.0", old, LENGTH).last(),
        Row::cut("length that is not reached", post("Content-Length: 50", "hello")),
        Row::cut("length of the largest number", post("Content-Length: 18446744073709551613", "hello"))
            .back(Back::Last(vec![413])),
    ]
}

fn odd_lengths() -> Vec<Row> {
    let rows = [
        ("length with a plus", "+5"),
        ("length with a minus", "-5"),
        ("length of minus zero", "-0"),
        ("length in hex", "0x5"),
        ("length with a hex digit", "a"),
        ("length with a fraction", "5.0"),
        ("length with an exponent", "5e0"),
        ("length with an underscore", "0_5"),
        ("length with a comma", "5,"),
        ("length as a list, equal", "5, 5"),
        ("length as a list, different", "5, 6"),
        ("length as two words", "5 5"),
        ("length with a parameter", "5;a=b"),
        ("length in quotes", "\"5\""),
        ("length as a word", "five"),
        ("length with a vertical tab", "\u{b}5"),
        ("length with a form feed", "5\u{c}"),
        ("length with a NUL", "5\0"),
        ("length with a no-break space", "\u{a0}5"),
        ("length in full-width digits", "５"),
        ("length in Arabic digits", "٥"),
        ("length one beyond 64 bits", "18446744073709551616"),
        ("length that wraps to 5", "18446744073709551621"),
        ("length far beyond 64 bits", "99999999999999999999999999"),
        ("length that means chunks inside", "18446744073709551615"),
        ("length that is empty", ""),
        ("length of white space", " \t "),
    ];
    let twice = [
        ("length twice, different", "Content-Length: 5\r\nContent-Length: 6"),
        ("length twice, the first odd", "Content-Length: x\r\nContent-Length: 5"),
        ("length twice, the second odd", "Content-Length: 5\r\nContent-Length: +5"),
        ("length twice, one empty", "Content-Length: 5\r\nContent-Length:"),
        (
            "length three times, the last different",
            "Content-Length: 5\r\nContent-Length: 5\r\nContent-Length: 0",
        ),
    ];
    let rows =
        rows.map(|(name, length)| Row::refused(name, post(&format!("Content-Length: {length}"), "hello")));
    let twice = twice.map(|(name, lines)| Row::refused(name, post(lines, "hello")));
    rows.into_iter().chain(twice).collect()
}

fn codings() -> Vec<Row> {
    let chunked = |name, line: &str| Row::passes(name, post(line, CHUNKS), CHUNKED);
    vec![
        chunked("chunks", "Transfer-Encoding: chunked"),
        chunked("chunks in odd case", "TRANSFER-encoding: ChunKed"),
        chunked("chunks without a space", "Transfer-Encoding:chunked"),
        chunked("chunks in white space", "Transfer-Encoding: \t chunked\t "),
        chunked(
            "chunks that Connection names",
            "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
        ),
        chunked("chunks behind a bare LF", "A: b\nTransfer-Encoding: chunked")
            .arrives(&["POST /MARK [a: b; transfer-encoding: chunked] hello"]),
    ]
}

fn odd_codings() -> Vec<Row> {
    let rows = [
        ("coding with a space before its colon", "Transfer-Encoding : chunked"),
        ("coding with a tab before its colon", "Transfer-Encoding\t: chunked"),
        ("coding xchunked", "Transfer-Encoding: xchunked"),
        ("coding chunkedx", "Transfer-Encoding: chunkedx"),
        ("coding chunk", "Transfer-Encoding: chunk"),
        ("coding identity", "Transfer-Encoding: identity"),
        ("coding gzip", "Transfer-Encoding: gzip"),
        ("coding that nobody knows", "Transfer-Encoding: cow"),
        ("coding that is empty", "Transfer-Encoding:"),
        ("coding in quotes", "Transfer-Encoding: \"chunked\""),
        ("coding with a parameter", "Transfer-Encoding: chunked;q=1"),
        ("coding with a vertical tab", "Transfer-Encoding: \u{b}chunked"),
        ("coding with a NUL", "Transfer-Encoding: chunked\0"),
        ("coding behind a fold", "Transfer-Encoding:\r\n chunked"),
        ("coding behind a bare CR", "A: b\rTransfer-Encoding: chunked"),
        ("chunked, identity", "Transfer-Encoding: chunked, identity"),
        ("identity, chunked", "Transfer-Encoding: identity, chunked"),
        ("gzip, chunked", "Transfer-Encoding: gzip, chunked"),
        ("chunked, chunked", "Transfer-Encoding: chunked, chunked"),
        ("chunked and a comma", "Transfer-Encoding: chunked,"),
        ("a comma and chunked", "Transfer-Encoding: ,chunked"),
        ("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        ("identity and chunked", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
        ("chunked and identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
        ("xchunked and chunked", "Transfer-Encoding: xchunked\r\nTransfer-Encoding: chunked"),
        ("gzip and chunked", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"),
        ("an empty coding and chunked", "Transfer-Encoding:\r\nTransfer-Encoding: chunked"),
    ];
    let old = format!("POST /MARK HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}");
    let rows = rows.map(|(name, lines)| Row::refused(name, post(lines, CHUNKS)));
    rows.into_iter().chain([Row::refused("chunks in HTTP/1.0", old)]).collect()
}

/// Chunks win, and the connection ends with the answer (RFC 9112, section 6.1).
fn both() -> Vec<Row> {
    let smuggled = format!("{CHUNKS}GET /MARK-smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let chunked = |name, lines: &str| Row::passes(name, post(lines, &smuggled), CHUNKED).last();
    let refused = |name, lines: &str| Row::refused(name, post(lines, "0\r\n\r\n"));
    let short = |name, lines: &str| {
        Row::passes(name, post(lines, "0\r\n\r\nGET /MARK-smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"), "")
            .last()
            .arrives(&["POST /MARK [transfer-encoding: chunked] "])
    };
    vec![
        chunked("a length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        chunked("chunks and a length", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
        chunked("chunks and an odd length", "Transfer-Encoding: chunked\r\nContent-Length: +5"),
        chunked(
            "chunks between two lengths",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 6",
        ),
        short("a length of 0 and chunks", "Content-Length: 0\r\nTransfer-Encoding: chunked"),
        short(
            "chunks and a length that takes in the next",
            "Transfer-Encoding: chunked\r\nContent-Length: 60",
        ),
        refused("an odd length and chunks", "Content-Length: +5\r\nTransfer-Encoding: chunked"),
        refused("a length and an odd coding", "Content-Length: 5\r\nTransfer-Encoding: xchunked"),
        refused("an odd coding and a length", "Transfer-Encoding: identity\r\nContent-Length: 5"),
        refused("a length and a coding with a space", "Content-Length: 5\r\nTransfer-Encoding : chunked"),
        refused(
            "a length and codings twice",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x",
        ),
    ]
}

/// Names that are not these names: the request has no body.
fn lookalikes() -> Vec<Row> {
    vec![
        Row::passes(
            "length with an underscore in its name",
            post("Content_Length: 5", ""),
            "POST /MARK [content_length: 5]",
        ),
        Row::passes(
            "coding with an underscore in its name",
            post("Transfer_Encoding: chunked", ""),
            "POST /MARK [transfer_encoding: chunked]",
        ),
        Row::passes(
            "length with a longer name",
            post("X-Content-Length: 5", ""),
            "POST /MARK [x-content-length: 5]",
        ),
        Row::refused("a body that nothing tells of", post("Content_Length: 5", "hello\r\n\r\n"))
            .back(Back::Refused(vec![200]))
            .arrives(&["POST /MARK [content_length: 5]"]),
    ]
}

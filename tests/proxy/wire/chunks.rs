//! Bodies in chunks (RFC 9112, section 7.1): sizes, extensions, ends, and what comes behind them.

use super::row::{Back, Row};

/// A body in chunks, as these bytes.
fn chunked(bytes: &str) -> Vec<u8> {
    with_trailer_names("", bytes)
}

/// The same behind a header that tells which trailers come.
fn with_trailer_names(names: &str, bytes: &str) -> Vec<u8> {
    let trailer = if names.is_empty() { String::new() } else { format!("Trailer: {names}\r\n") };
    format!("POST /MARK HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n{trailer}\r\n{bytes}")
        .into_bytes()
}

const HELLO: &str = "POST /MARK [transfer-encoding: chunked] hello";

pub fn rows() -> Vec<Row> {
    [sizes(), extensions(), ends(), trailers(), forbidden_trailers(), odd_trailers()].concat()
}

fn sizes() -> Vec<Row> {
    let passes = |name, bytes: &str| Row::passes(name, chunked(bytes), HELLO);
    let refused = [
        ("size with 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("size with a minus", "-5\r\nhello\r\n0\r\n\r\n"),
        ("size with a plus", "+5\r\nhello\r\n0\r\n\r\n"),
        ("size with a space before it", " 5\r\nhello\r\n0\r\n\r\n"),
        ("size in two words", "0 5\r\nhello\r\n0\r\n\r\n"),
        ("size with an underscore", "0_5\r\nhello\r\n0\r\n\r\n"),
        ("size with a comma", "5,5\r\nhello\r\n0\r\n\r\n"),
        ("size with a vertical tab", "5\u{b}\r\nhello\r\n0\r\n\r\n"),
        ("size with a NUL", "5\0\r\nhello\r\n0\r\n\r\n"),
        ("size that is no number", "g\r\nhello\r\n0\r\n\r\n"),
        ("size that is empty", "\r\nhello\r\n0\r\n\r\n"),
        ("size of 65 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("size of many digits", "fffffffffffffffffffff5\r\nhello\r\n0\r\n\r\n"),
        ("size behind a bare LF", "5\nhello\r\n0\r\n\r\n"),
        ("size behind a bare CR", "5\rhello\r\n0\r\n\r\n"),
        ("size behind two CR", "5\r\r\nhello\r\n0\r\n\r\n"),
    ];
    let refused = refused.map(|(name, bytes)| Row::refused(name, chunked(bytes)));
    let passing = [
        passes("size with zeros before it", "0005\r\nhello\r\n0\r\n\r\n"),
        passes("size with a space behind it", "5 \r\nhello\r\n0\r\n\r\n"),
        passes("size with a tab behind it", "5\t\r\nhello\r\n0\r\n\r\n"),
        passes("last size of many zeros", "5\r\nhello\r\n0000\r\n\r\n"),
        Row::passes(
            "size in capitals",
            chunked("A\r\n0123456789\r\n0\r\n\r\n"),
            "POST /MARK [transfer-encoding: chunked] 0123456789",
        ),
        Row::cut("size of all 64 bits", chunked("ffffffffffffffff\r\nhello")),
        Row::cut("size that is not reached", chunked("50\r\nhello")),
    ];
    refused.into_iter().chain(passing).collect()
}

fn extensions() -> Vec<Row> {
    let passes = |name, bytes: &str| Row::passes(name, chunked(bytes), HELLO);
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(20_000));
    vec![
        passes("extension", "5;a=b\r\nhello\r\n0;c\r\n\r\n"),
        passes("extension in quotes", "5;a=\"b;c\\\"\"\r\nhello\r\n0\r\n\r\n"),
        passes("extension in white space", "5 ; a = b\r\nhello\r\n0\r\n\r\n"),
        passes("extension without a name", "5;\r\nhello\r\n0\r\n\r\n"),
        passes("extension of many bytes", &format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(10_000))),
        Row::refused("extension of too many bytes", chunked(&long)),
        Row::refused("extension with a bare LF", chunked("5;a\nb\r\nhello\r\n0\r\n\r\n")),
        Row::refused("extension with a bare LF in quotes", chunked("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n")),
        Row::refused("extension with a bare CR", chunked("5;a\rb\r\nhello\r\n0\r\n\r\n")),
        Row::refused("extension with a line end in quotes", chunked("5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n")),
        Row::refused("extension of the last chunk with a bare LF", chunked("5\r\nhello\r\n0;a\n\r\n")),
    ]
}

fn ends() -> Vec<Row> {
    let two = chunked("5\r\nhello\r\n0\r\n\r\nGET /MARK-next HTTP/1.1\r\nHost: localhost\r\n\r\n");
    vec![
        Row::refused("chunk without its end", chunked("5\r\nhello0\r\n\r\n")),
        Row::refused("chunk longer than it says", chunked("5\r\nhello!\r\n0\r\n\r\n")),
        Row::refused("chunk shorter than it says", chunked("6\r\nhello\r\n0\r\n\r\n")),
        Row::refused("chunk that ends with a bare LF", chunked("5\r\nhello\n0\r\n\r\n")),
        Row::refused("chunk that ends with a bare CR", chunked("5\r\nhello\r0\r\n\r\n")),
        Row::refused("chunk behind an empty line", chunked("\r\n5\r\nhello\r\n0\r\n\r\n")),
        Row::cut("chunks without the last one", chunked("5\r\nhello\r\n")),
        Row::cut("chunks without the last line end", chunked("5\r\nhello\r\n0\r\n")),
        Row::passes(
            "chunk that is the last one",
            chunked("0\r\n\r\n"),
            "POST /MARK [transfer-encoding: chunked] ",
        ),
        Row::passes("chunks and the next request", two, "")
            .back(Back::Answers(vec![200, 200]))
            .arrives(&[HELLO, "GET /MARK-next"]),
    ]
}

fn trailers() -> Vec<Row> {
    vec![
        Row::passes(
            "trailer that was told",
            with_trailer_names("X-Sum", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
            "POST /MARK [trailer: X-Sum; transfer-encoding: chunked] hello {x-sum: 1}",
        ),
        Row::passes("trailer that was not told", chunked("5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"), HELLO),
        Row::passes(
            "trailer that Connection takes away",
            with_trailer_names("X-Sum\r\nConnection: Trailer", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
            HELLO,
        ),
    ]
}

/// What would be taken for a header, or for ours.
fn forbidden_trailers() -> Vec<Row> {
    [
        ("trailer Content-Length", "Content-Length", "0"),
        ("trailer Transfer-Encoding", "Transfer-Encoding", "chunked"),
        ("trailer Authorization", "Authorization", "Bearer theirs"),
        ("trailer Host", "Host", "evil.example"),
        ("trailer X-LIQUID-API-KEY", "X-LIQUID-API-KEY", "theirs"),
        ("trailer Proxy-Authorization", "Proxy-Authorization", "Basic eDp5"),
        ("trailer Connection", "Connection", "close"),
        ("trailer Cookie", "Cookie", "a=b"),
        ("trailer TE", "TE", "trailers"),
        ("trailer Trailer", "Trailer", "X-Sum"),
        ("trailer Content-Type", "Content-Type", "application/json"),
        ("trailer Content-Encoding", "Content-Encoding", "gzip"),
        ("trailer Upgrade", "Upgrade", "h2c"),
    ]
    .into_iter()
    .map(|(name, header, value)| {
        let bytes = with_trailer_names(header, &format!("5\r\nhello\r\n0\r\n{header}: {value}\r\n\r\n"));
        Row::passes(name, bytes, &format!("POST /MARK [trailer: {header}; transfer-encoding: chunked] hello"))
    })
    .collect()
}

fn odd_trailers() -> Vec<Row> {
    let refused = [
        ("trailer without a colon", "X-Sum\r\n\r\n"),
        ("trailer with a space before its colon", "X-Sum : 1\r\n\r\n"),
        ("trailer with a fold", "X-Sum: 1\r\n 2\r\n\r\n"),
        ("trailer without a name", ": 1\r\n\r\n"),
        ("trailer behind a bare LF", "X-Sum: 1\nHost: evil.example\r\n\r\n"),
        ("trailer with a NUL", "X-Sum: \0\r\n\r\n"),
        ("trailer with a bare CR", "X-Sum: 1\rHost: x\r\n\r\n"),
        ("trailer that begins with a space", " X-Sum: 1\r\n\r\n"),
    ];
    let many = "X-Sum: 1\r\n".repeat(200) + "\r\n";
    let long = format!("X-Sum: {}\r\n\r\n", "1".repeat(20_000));
    let odd = refused.into_iter().chain([("trailers, too many", &*many), ("trailer, too long", &*long)]);
    let row = |(name, trailer): (&'static str, &str)| {
        Row::refused(name, with_trailer_names("X-Sum", &format!("5\r\nhello\r\n0\r\n{trailer}")))
    };
    odd.map(row).collect()
}

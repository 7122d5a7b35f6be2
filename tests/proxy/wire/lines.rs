//! Request lines of every shape (RFC 9112, section 3).

use super::row::{Back, Row};

/// A request with this line.
fn with(line: impl AsRef<[u8]>) -> Vec<u8> {
    [line.as_ref(), b"\r\nHost: localhost\r\nX-Mark: MARK\r\n\r\n"].concat()
}

fn passes(name: &'static str, target: &str) -> Row {
    let arrives = format!("GET {} [x-mark: MARK]", target.as_bytes().escape_ascii());
    Row::passes(name, with(format!("GET {target} HTTP/1.1")), &arrives)
}

pub fn rows() -> Vec<Row> {
    [versions(), spaces(), methods(), forms(), targets(), odd_targets(), beginnings()].concat()
}

fn versions() -> Vec<Row> {
    let refused = [
        ("no version", "GET /MARK"),
        ("no version, and a space", "GET /MARK "),
        ("HTTP/0.9", "GET /MARK HTTP/0.9"),
        ("HTTP/1.2", "GET /MARK HTTP/1.2"),
        ("HTTP/1.10", "GET /MARK HTTP/1.10"),
        ("HTTP/01.1", "GET /MARK HTTP/01.1"),
        ("HTTP/1", "GET /MARK HTTP/1"),
        ("HTTP/1,1", "GET /MARK HTTP/1,1"),
        ("HTTP/2.0 in a line", "GET /MARK HTTP/2.0"),
        ("HTTP/3", "GET /MARK HTTP/3"),
        ("version in small letters", "GET /MARK http/1.1"),
        ("version of another protocol", "GET /MARK ICY/1.1"),
        ("version with a space inside", "GET /MARK HTTP /1.1"),
        ("version with something behind it", "GET /MARK HTTP/1.1 x"),
        ("version with a NUL behind it", "GET /MARK HTTP/1.1\0"),
    ];
    let old = Row::passes("HTTP/1.0", with("GET /MARK HTTP/1.0"), "GET /MARK [x-mark: MARK]").last();
    refused.into_iter().map(|(name, line)| Row::refused(name, with(line))).chain([old]).collect()
}

fn spaces() -> Vec<Row> {
    [
        ("line with a space before it", " GET /MARK HTTP/1.1"),
        ("line with two spaces behind the method", "GET  /MARK HTTP/1.1"),
        ("line with two spaces behind the target", "GET /MARK  HTTP/1.1"),
        ("line with a space behind it", "GET /MARK HTTP/1.1 "),
        ("line with tabs", "GET\t/MARK\tHTTP/1.1"),
        ("line with a tab behind the method", "GET\t/MARK HTTP/1.1"),
        ("line with a vertical tab", "GET\u{b}/MARK HTTP/1.1"),
        ("line with a bare CR", "GET /MARK\rHTTP/1.1"),
        ("line that ends with two CR", "GET /MARK HTTP/1.1\r"),
        ("line without a target", "GET HTTP/1.1"),
        ("line without a method", "/MARK HTTP/1.1"),
        ("line with a space in the target", "GET /MARK a HTTP/1.1"),
        ("line in two lines", "GET /MARK\r\n HTTP/1.1"),
    ]
    .into_iter()
    .map(|(name, line)| Row::refused(name, with(line)))
    .collect()
}

fn methods() -> Vec<Row> {
    let refused = ["G@T", "GE(T", "GET,", "\"GET\"", "GE\0T", "GÉT", "GET:"];
    let names = [
        "method G@T",
        "method GE(T",
        "method GET,",
        "method in quotes",
        "method with a NUL",
        "method GÉT",
        "method GET:",
    ];
    let refused = names
        .into_iter()
        .zip(refused)
        .map(|(name, method)| Row::refused(name, with(format!("{method} /MARK HTTP/1.1"))));
    let passes = |name, method: &str| {
        Row::passes(name, with(format!("{method} /MARK HTTP/1.1")), &format!("{method} /MARK [x-mark: MARK]"))
    };
    let passing = [
        passes("method in small letters", "get"),
        passes("method that nobody knows", "M-SEARCH"),
        passes("method of odd letters", "!#$%&'*+-.^_`|~"),
        Row::own("TRACE", with("TRACE /MARK HTTP/1.1"), 403),
        Row::own("trace in small letters", with("trace /MARK HTTP/1.1"), 403),
    ];
    refused.chain(passing).collect()
}

/// The four forms of a target (RFC 9112, section 3.2).
fn forms() -> Vec<Row> {
    let refused = |name, line: &str| Row::refused(name, with(line));
    vec![
        Row::passes("OPTIONS *", with("OPTIONS * HTTP/1.1"), "OPTIONS * [x-mark: MARK]"),
        refused("GET *", "GET * HTTP/1.1"),
        refused("OPTIONS *x", "OPTIONS *MARK HTTP/1.1"),
        Row::own("CONNECT", with("CONNECT MARK.example:443 HTTP/1.1"), 403),
        Row::own("CONNECT to the proxy itself", with("CONNECT localhost:8000 HTTP/1.1"), 403),
        Row::own("CONNECT with a path", with("CONNECT /MARK HTTP/1.1"), 403),
        refused("authority of the proxy", "GET localhost:8000 HTTP/1.1"),
        refused("name of the proxy", "GET localhost HTTP/1.1"),
        refused("authority of another", "GET evil.example:80 HTTP/1.1"),
        refused("path without a slash", "GET MARK HTTP/1.1"),
        refused("path with a question mark first", "GET ?MARK HTTP/1.1"),
        refused("scheme without an authority", "GET http:/MARK HTTP/1.1"),
        refused("absolute form without a host", "GET http:///MARK HTTP/1.1"),
        refused("absolute form of ftp", "GET ftp://localhost/MARK HTTP/1.1"),
        refused("absolute form of file", "GET file:///MARK HTTP/1.1"),
        refused("absolute form of javascript", "GET javascript:alert(MARK) HTTP/1.1"),
    ]
}

fn targets() -> Vec<Row> {
    vec![
        passes("target with a query", "/MARK?a=b&c"),
        passes("target with an empty query", "/MARK?"),
        passes("target with two question marks", "/MARK?a?b"),
        passes("target with two slashes first", "//MARK"),
        passes("target that looks like another server", "//evil.example/MARK"),
        passes("target with dots", "/a/../MARK/./b"),
        passes("target with escapes", "/MARK%2e%2e%2f%00%0d%0a"),
        passes("target with broken escapes", "/MARK%zz%"),
        passes("target with an at sign", "/MARK@evil.example:80/"),
        passes("target with a URL inside", "/MARK/http://evil.example/"),
        passes("target with parameters", "/MARK;a=b"),
        passes("target with a backslash", "/MARK\\..\\a"),
        passes("target with braces and quotes", "/MARK{\"a\"}|^"),
        passes("target in UTF-8", "/MARKé"),
        passes("target of many bytes", &format!("/MARK{}", "a".repeat(8000))),
    ]
}

fn odd_targets() -> Vec<Row> {
    let refused =
        |name, target: &[u8]| Row::refused(name, with([b"GET /MARK", target, b" HTTP/1.1"].concat()));
    vec![
        refused("target with a NUL", b"\0"),
        refused("target with a control byte", b"\x01"),
        refused("target with DEL", b"\x7f"),
        refused("target in Latin-1", b"\xe9"),
        refused("target with an angle bracket", b"<"),
        refused("target with an angle bracket in its query", b"?a=<"),
        refused("target of too many bytes", "a".repeat(70_000).as_bytes()),
        // The library's type for targets leaves a fragment out, and tells nobody.
        passes("target with a fragment", "/MARK#b").arrives(&["GET /MARK [x-mark: MARK]"]),
    ]
}

/// What comes before a request, or instead of one.
fn beginnings() -> Vec<Row> {
    let behind = |begin: &[u8]| [begin, &with("GET /MARK HTTP/1.1")].concat();
    let passes = |name, begin: &[u8]| Row::passes(name, behind(begin), "GET /MARK [x-mark: MARK]");
    let hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\x00\x01\x02\x03";
    vec![
        passes("empty line first", b"\r\n"),
        passes("empty lines first", b"\r\n\r\n\r\n"),
        passes("bare LF first", b"\n"),
        Row::refused("bare CR first", behind(b"\rX")),
        Row::refused("NUL first", behind(b"\0")),
        Row::refused("byte order mark first", behind(b"\xef\xbb\xbf")),
        Row::refused("TLS", behind(hello)),
        Row::refused("SOCKS 5", behind(b"\x05\x01\x00")),
        Row::refused("SOCKS 4", behind(b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00")),
        Row::refused("the PROXY protocol", behind(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n")),
        Row::refused("a header first", behind(b"X: y\r\n")),
        Row::refused("an answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        Row::refused("half the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"),
        Row::cut("no more than a line", b"GET /MARK HTTP/1.1\r\n"),
        Row::cut("no end of the head", b"GET /MARK HTTP/1.1\r\nHost: localhost\r\n"),
        Row::cut("bare CR for line ends", b"GET /MARK HTTP/1.1\rHost: localhost\r\r")
            .back(Back::Refused(Vec::new())),
        Row::cut("nothing", b""),
    ]
}

//! Header lines of every shape (RFC 9112, section 5), and the headers that ask for another protocol or wait
//! for a word.

use super::row::{Back, Row};

/// A GET with these bytes behind the line of its `Host`, and the empty line.
fn get(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [b"GET /MARK HTTP/1.1\r\nHost: localhost\r\n", bytes.as_ref(), b"\r\n\r\n"].concat()
}

pub fn rows() -> Vec<Row> {
    [line_ends(), names(), values(), amounts(), upgrades(), expectations(), ends()].concat()
}

fn line_ends() -> Vec<Row> {
    let plain = |name, bytes: &[u8]| Row::passes(name, bytes, "GET /MARK [x: y]");
    vec![
        plain("bare LF everywhere", b"GET /MARK HTTP/1.1\nHost: localhost\nX: y\n\n"),
        plain("bare LF behind the line", b"GET /MARK HTTP/1.1\nHost: localhost\r\nX: y\r\n\r\n"),
        plain("bare LF behind a header", b"GET /MARK HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n"),
        plain("bare LF for the empty line", b"GET /MARK HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\n"),
        Row::refused("bare CR behind a header", get("X: y\rZ: z")),
        Row::refused("bare CR for the empty line", get("X: y\r\n\rZ: z")),
        Row::refused("two CR before an LF", get("X: y\r\r\nZ: z")),
        Row::refused("LF and CR", get("X: y\n\rZ: z")),
        Row::refused("fold with a space", get("X: y\r\n z")),
        Row::refused("fold with a tab", get("X: y\r\n\tz")),
        Row::refused("fold of nothing but a space", get("X: y\r\n ")),
        Row::refused("fold of the first header", "GET /MARK HTTP/1.1\r\n X: y\r\nHost: localhost\r\n\r\n"),
        Row::refused("fold that hides a header", get("X: y\r\n Content-Length: 5")),
    ]
}

fn names() -> Vec<Row> {
    let refused = [
        ("name with a space behind it", "X : y"),
        ("name with a tab behind it", "X\t: y"),
        ("name with a space inside", "X Y: z"),
        ("name that is empty", ": y"),
        ("name that is a space", " : y"),
        ("line without a colon", "X"),
        ("name with a NUL", "X\0: y"),
        ("name with a control byte", "X\u{1}: y"),
        ("name with DEL", "X\u{7f}: y"),
        ("name with a bracket", "X(: y"),
        ("name with an at sign", "X@Y: z"),
        ("name with a slash", "X/Y: z"),
        ("name in quotes", "\"X\": y"),
        ("name with a comma", "X,Y: z"),
        ("name with a semicolon", "X;Y: z"),
        ("name with an equals sign", "X=Y: z"),
        ("name in UTF-8", "É: y"),
        ("name of a pseudo header", ":path: /evil"),
    ];
    let refused = refused.into_iter().map(|(name, line)| Row::refused(name, get(line)));
    let odd =
        Row::passes("name of odd letters", get("!#$%&'*+-.^_`|~: y"), "GET /MARK [!#$%&\\'*+-.^_`|~: y]");
    refused.chain([odd.arrives(&["GET /MARK [!#$%&'*+-.^_`|~: y]"])]).collect()
}

fn values() -> Vec<Row> {
    let passes = |name, value: &[u8], arrives: &str| {
        Row::passes(name, get([b"X:", value].concat()), &format!("GET /MARK [x: {arrives}]"))
    };
    let refused = |name, value: &[u8]| Row::refused(name, get([b"X: ", value].concat()));
    vec![
        passes("value that is empty", b"", ""),
        passes("value of white space", b" \t ", ""),
        passes("value with a tab inside", b" a\tb", "a\\tb"),
        passes("value with colons", b" a: b: c", "a: b: c"),
        passes("value in UTF-8", "é".as_bytes(), "\\xc3\\xa9"),
        passes("value in Latin-1", b"\xe9", "\\xe9"),
        passes("value of odd bytes", b"\x80\xff", "\\x80\\xff"),
        passes("value of many bytes", "a".repeat(8000).as_bytes(), &"a".repeat(8000)),
        refused("value with a NUL", b"a\0b"),
        refused("value with a NUL behind it", b"a\0"),
        refused("value with a control byte", b"a\x01b"),
        refused("value with a vertical tab", b"a\x0bb"),
        refused("value with an escape", b"a\x1b[2Jb"),
        refused("value with DEL", b"a\x7fb"),
    ]
}

fn amounts() -> Vec<Row> {
    let lines = |count: usize| (0..count).map(|n| format!("X-{n}: y")).collect::<Vec<_>>().join("\r\n");
    let listed = |count: usize| {
        let mut fields: Vec<_> = (0..count).map(|n| format!("x-{n}: y")).collect();
        fields.sort();
        format!("GET /MARK [{}]", fields.join("; "))
    };
    vec![
        Row::passes("headers, many", get(lines(60)), &listed(60)),
        Row::refused("headers, too many", get(lines(400))),
        Row::refused("header, too long", get(format!("X: {}", "a".repeat(600_000)))),
        Row::refused("name, too long", get(format!("{}: y", "a".repeat(70_000)))),
    ]
}

/// No protocol but HTTP/1.1 gets through; an offer of another that may be left alone is (RFC 9110, section 7.8).
fn upgrades() -> Vec<Row> {
    let plain = |name, lines: &str| Row::passes(name, get(lines), "GET /MARK");
    let refused = |name, lines: &str| Row::own(name, get(lines), 403);
    let settings = "HTTP2-Settings: AAMAAABkAAQAAP__";
    let body = format!(
        "POST /MARK HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n{settings}\r\nContent-Length: 5\r\n\r\nhello"
    );
    let preface = [
        &get(format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n{settings}"))[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
    .concat();
    vec![
        plain("offer of h2c", &format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n{settings}")),
        plain("offer of h2c that Connection does not name", &format!("Upgrade: h2c\r\n{settings}")),
        plain("offer of h2c with no settings", "Connection: Upgrade\r\nUpgrade: h2c"),
        plain("offer of h2c twice", "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: h2c"),
        plain("offer of h2c in capitals", "Connection: upgrade\r\nUpgrade: H2C"),
        Row::passes("offer of h2c with a body", body, "POST /MARK [content-length: 5] hello"),
        Row::refused("offer of h2c that is taken for granted", preface)
            .back(Back::Refused(vec![200]))
            .arrives(&["GET /MARK"]),
        refused(
            "offer of websocket",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13",
        ),
        refused("offer of h2c and websocket", "Connection: Upgrade\r\nUpgrade: h2c, websocket"),
        refused("offer of h2c with a version", "Connection: Upgrade\r\nUpgrade: h2c/2.0"),
        refused("offer of TLS", "Connection: Upgrade\r\nUpgrade: TLS/1.2"),
        refused("offer of nothing", "Connection: Upgrade\r\nUpgrade:"),
    ]
}

fn expectations() -> Vec<Row> {
    let post = |lines: &str, rest: &str| {
        format!("POST /MARK HTTP/1.1\r\nHost: localhost\r\n{lines}\r\nContent-Length: 5\r\n\r\n{rest}")
    };
    let old =
        "POST /MARK HTTP/1.0\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello";
    let arrives = |expect: &str| format!("POST /MARK [content-length: 5; expect: {expect}] hello");
    let passes = |name, lines: &str, expect: &str| Row::passes(name, post(lines, "hello"), &arrives(expect));
    vec![
        passes("go-ahead that nobody waits for", "Expect: 100-continue", "100-continue")
            .back(Back::Answers(vec![100, 200])),
        passes("go-ahead in odd case", "expect: 100-Continue", "100-Continue")
            .back(Back::Answers(vec![100, 200])),
        passes("expectation that nobody knows", "Expect: tea", "tea"),
        Row::passes("go-ahead in HTTP/1.0", old, &arrives("100-continue")).last(),
        Row::passes(
            "go-ahead without a body",
            get("Expect: 100-continue"),
            "GET /MARK [expect: 100-continue]",
        ),
        Row::cut("go-ahead without what follows", post("Expect: 100-continue", ""))
            .back(Back::Cut(vec![100])),
        Row::own(
            "go-ahead for what is refused",
            post("Expect: 100-continue\r\nOrigin: http://evil.example", "hello"),
            403,
        ),
    ]
}

/// How the connection ends.
fn ends() -> Vec<Row> {
    let next = "\r\n\r\nGET /MARK-next HTTP/1.1\r\nHost: localhost";
    let closes = |name, lines: &str| Row::passes(name, get(format!("{lines}{next}")), "GET /MARK").last();
    let old = |lines: &str| format!("GET /MARK HTTP/1.0\r\nHost: localhost\r\n{lines}\r\n");
    vec![
        closes("Connection: close", "Connection: close"),
        closes("Connection: close in odd case", "CONNECTION: ClOsE"),
        closes("Connection: close among others", "Connection: x, close ,y"),
        closes("Connection: close and keep-alive", "Connection: close\r\nConnection: keep-alive"),
        Row::passes("HTTP/1.0 that stays", old("Connection: keep-alive\r\n"), "GET /MARK"),
        Row::passes("HTTP/1.0 that goes", format!("{}{}", old(""), old("")), "GET /MARK").last(),
    ]
}

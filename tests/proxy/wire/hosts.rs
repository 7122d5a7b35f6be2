//! For whom a request is: `Host`, and the authority of a target in absolute form (RFC 9112, section 3.2).

use super::row::Row;

/// A GET with this target and these lines.
fn get(target: &str, lines: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{lines}X: y\r\n\r\n")
}

const ARRIVES: &str = "GET /MARK [x: y]";

pub fn rows() -> Vec<Row> {
    [ours(), others(), absolute(), pages()].concat()
}

fn ours() -> Vec<Row> {
    let names = [
        ("Host localhost", "localhost"),
        ("Host with a port", "localhost:8000"),
        ("Host with any port", "localhost:1"),
        ("Host with an empty port", "localhost:"),
        ("Host in capitals", "LOCALHOST"),
        ("Host 127.0.0.1", "127.0.0.1:8000"),
        ("Host ::1", "[::1]:8000"),
        ("Host ::1 in full", "[0:0:0:0:0:0:0:1]"),
        ("Host 127.0.0.1 as IPv6", "[::ffff:127.0.0.1]"),
        ("Host 0.0.0.0", "0.0.0.0:8000"),
        ("Host in white space", "\t localhost \t"),
    ];
    let rows = names
        .into_iter()
        .map(|(name, host)| Row::passes(name, get("/MARK", &format!("Host: {host}\r\n")), ARRIVES));
    rows.chain([Row::passes(
        "Host as the last header",
        "GET /MARK HTTP/1.1\r\nX: y\r\nhOST:localhost\r\n\r\n",
        ARRIVES,
    )])
    .collect()
}

fn others() -> Vec<Row> {
    let names = [
        ("Host of another", "evil.example"),
        ("Host that begins like ours", "localhost.evil.example"),
        ("Host that ends like ours", "evil.localhost"),
        ("Host with a dot behind it", "localhost."),
        ("Host that resolves to us", "127.0.0.1.nip.io"),
        ("Host as a number", "2130706433"),
        ("Host as a short address", "127.1"),
        ("Host in octal", "0177.0.0.1"),
        ("Host in hex", "0x7f000001"),
        ("Host with a user", "user@localhost"),
        ("Host with a user and a password", "localhost:8000@evil.example"),
        ("Host with ours as a user", "localhost@evil.example"),
        ("Host with a path", "localhost/x"),
        ("Host with a scheme", "http://localhost"),
        ("Host with two ports", "localhost:80:80"),
        ("Host with a port that is none", "localhost:x"),
        ("Host with a port that is too large", "localhost:99999"),
        ("Host with a space", "localhost evil.example"),
        ("Host as a list", "localhost, localhost"),
        ("Host in quotes", "\"localhost\""),
        ("Host in brackets", "[localhost]"),
        ("Host ::1 with a zone", "[::1%25lo]"),
        ("Host ::1 without brackets", "::1"),
        ("Host that is empty", ""),
        ("Host that is a port", ":8000"),
        ("Host in UTF-8", "löcalhost"),
        ("Host with an escape", "%6cocalhost"),
        (
            "Host of many bytes",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
        ),
    ];
    let row =
        |(name, host): (&'static str, &str)| Row::own(name, get("/MARK", &format!("Host: {host}\r\n")), 421);
    let lines = [
        ("no Host", ""),
        ("Host twice", "Host: localhost\r\nHost: localhost\r\n"),
        ("Host twice, different", "Host: localhost\r\nHost: evil.example\r\n"),
        ("Host twice, ours last", "Host: evil.example\r\nHost: localhost\r\n"),
        ("Host twice, one empty", "Host: localhost\r\nHost:\r\n"),
        ("Host with an underscore before it", "_Host: localhost\r\n"),
        ("X-Forwarded-Host instead of Host", "X-Forwarded-Host: localhost\r\n"),
    ];
    let more = lines.into_iter().map(|(name, lines)| Row::own(name, get("/MARK", lines), 421));
    let old = Row::own("no Host in HTTP/1.0", "GET /MARK HTTP/1.0\r\n\r\n", 421).last();
    let malformed = [
        Row::refused("Host with a space before its colon", get("/MARK", "Host : localhost\r\n")),
        Row::refused("Host with a fold", get("/MARK", "Host:\r\n localhost\r\n")),
        Row::refused("Host with a NUL", get("/MARK", "Host: localhost\0.evil.example\r\n")),
    ];
    names.into_iter().map(row).chain(more).chain([old]).chain(malformed).collect()
}

fn absolute() -> Vec<Row> {
    let host = "Host: localhost\r\n";
    let passes = |name, target: &str, arrives: &str| Row::passes(name, get(target, host), arrives);
    let refused = |name, target: &str, lines: &str| Row::own(name, get(target, lines), 421);
    vec![
        passes("absolute form of ours", "http://localhost/MARK", ARRIVES),
        passes("absolute form with a port", "http://localhost:8000/MARK", ARRIVES),
        passes("absolute form in capitals", "HTTP://LOCALHOST/MARK", ARRIVES),
        passes("absolute form of another of our names", "http://127.0.0.1/MARK", ARRIVES),
        passes("absolute form with a query and no path", "http://localhost?MARK", "GET /?MARK [x: y]"),
        passes("absolute form of https", "https://localhost/MARK", ARRIVES),
        refused("absolute form of another", "http://evil.example/MARK", host),
        refused(
            "absolute form of another with its Host",
            "http://evil.example/MARK",
            "Host: evil.example\r\n",
        ),
        refused("absolute form of ours with another Host", "http://localhost/MARK", "Host: evil.example\r\n"),
        refused("absolute form of ours without Host", "http://localhost/MARK", ""),
        refused(
            "absolute form of ours with two Hosts",
            "http://localhost/MARK",
            "Host: localhost\r\nHost: localhost\r\n",
        ),
        refused("absolute form with a user", "http://user@localhost/MARK", host),
        refused("absolute form with ours as a user", "http://localhost@evil.example/MARK", host),
        refused("absolute form with ours as a password", "http://a:localhost@evil.example/MARK", host),
        refused("absolute form of the metadata service", "http://169.254.169.254/MARK", host),
    ]
}

/// Pages of other sites: their browsers say so.
fn pages() -> Vec<Row> {
    [
        ("Origin of another", "Origin: http://evil.example\r\n"),
        ("Origin null", "Origin: null\r\n"),
        ("Origin that is empty", "Origin:\r\n"),
        ("Origin of the proxy itself", "Origin: http://localhost:8000\r\n"),
        ("Origin twice", "Origin: http://localhost\r\nOrigin: http://evil.example\r\n"),
        ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: cross-site\r\n"),
        ("Sec-Fetch-Site twice", "Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n"),
        ("Origin that Connection names", "Connection: Origin\r\nOrigin: http://evil.example\r\n"),
    ]
    .into_iter()
    .map(|(name, lines)| Row::own(name, get("/MARK", &format!("Host: localhost\r\n{lines}")), 403))
    .collect()
}

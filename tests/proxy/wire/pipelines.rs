//! Several requests in one piece: good ones, bad ones, and bodies that look like requests.

use super::row::{Back, Row};

const GET: &str = "GET /MARK HTTP/1.1\r\nHost: localhost\r\n\r\n";
const NEXT: &str = "GET /MARK-next HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A request in a body, whole or without its end.
const SMUGGLED: &str =
    "GET /MARK-smuggled HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer theirs\r\n\r\n";
const BEGUN: &str = "GET /MARK-smuggled HTTP/1.1\r\nHost: localhost\r\nX: ";

fn with_length(method: &str, body: &str) -> String {
    format!("{method} /MARK HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn with_chunks(body: &str) -> String {
    let size = body.len();
    format!(
        "POST /MARK HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"
    )
}

/// What arrives of these bodies.
fn arrives(method: &str, framing: &str, body: &str) -> String {
    format!("{method} /MARK [{framing}] {}", body.as_bytes().escape_ascii())
}

pub fn rows() -> Vec<Row> {
    [pipelines(), bodies()].concat()
}

fn pipelines() -> Vec<Row> {
    let two = |name, bytes: String| {
        Row::refused(name, bytes)
            .back(Back::Answers(vec![200, 200]))
            .arrives(&["GET /MARK", "GET /MARK-next"])
    };
    let first = |name, bytes: String| {
        Row::refused(name, bytes).back(Back::Refused(vec![200])).arrives(&["GET /MARK"])
    };
    let own = |name, bytes: String, statuses: &[u16], left: &str| {
        Row::refused(name, bytes).back(Back::Answers(statuses.to_vec())).arrives(&[left])
    };
    let many: Vec<_> = (10..60).map(|n| format!("GET /MARK-{n}")).collect();
    let sent: String =
        many.iter().map(|line| format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect();
    let evil = "GET /MARK HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    vec![
        two("two at once", format!("{GET}{NEXT}")),
        two("two with an empty line between them", format!("{GET}\r\n{NEXT}")),
        Row::refused("fifty at once", sent)
            .back(Back::Answers(vec![200; 50]))
            .arrives(&many.iter().map(String::as_str).collect::<Vec<_>>()),
        first("good and garbage", format!("{GET}\0\x01\x02\r\n\r\n")),
        first("good and no request", format!("{GET}X\r\n\r\n{NEXT}")),
        first(
            "good and one with an odd length",
            format!("{GET}{}", with_length("POST", "").replace(": 0", ": +0")),
        ),
        first(
            "good and one with an odd coding",
            format!("{GET}{}", with_chunks("a").replace("chunked", "xchunked")),
        ),
        first("good and HTTP/2", format!("{GET}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
        Row::refused("bad and good", format!("GET /MARK HTTP/1.1\r\nHost : localhost\r\n\r\n{NEXT}")),
        Row::refused("garbage and good", format!("\x01\x02\r\n\r\n{NEXT}")),
        own("for another and good", format!("{evil}{NEXT}"), &[421, 200], "GET /MARK-next"),
        own("good and for another", format!("{NEXT}{evil}"), &[200, 421], "GET /MARK-next"),
        own(
            "TRACE and good",
            format!("{}{NEXT}", GET.replace("GET", "TRACE")),
            &[403, 200],
            "GET /MARK-next",
        ),
        own(
            "for another, with a body, and good",
            format!(
                "{}{NEXT}",
                with_length("POST", SMUGGLED)
                    .replace("Host: localhost\r\nContent", "Host: evil.example\r\nContent")
            ),
            &[421, 200],
            "GET /MARK-next",
        ),
        Row::refused(
            "CONNECT and good",
            format!("CONNECT MARK.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n{NEXT}"),
        )
        .back(Back::Answers(vec![403, 200]))
        .arrives(&["GET /MARK-next"]),
        Row::refused(
            "offer of websocket and good",
            format!(
                "{}{NEXT}",
                GET.replace("\r\n\r\n", "\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            ),
        )
        .back(Back::Answers(vec![403, 200]))
        .arrives(&["GET /MARK-next"]),
    ]
}

fn bodies() -> Vec<Row> {
    let long = |name, method: &str, body: &str| {
        let arrives = arrives(method, &format!("content-length: {}", body.len()), body);
        Row::refused(name, with_length(method, body) + NEXT)
            .back(Back::Answers(vec![200, 200]))
            .arrives(&[&arrives, "GET /MARK-next"])
    };
    let chunked = |name, body: &str| {
        let arrives = arrives("POST", "transfer-encoding: chunked", body);
        Row::refused(name, with_chunks(body) + NEXT)
            .back(Back::Answers(vec![200, 200]))
            .arrives(&[&arrives, "GET /MARK-next"])
    };
    vec![
        long("body and the next", "POST", "hello"),
        long("body of a GET and the next", "GET", "hello"),
        long("body that is a request", "POST", SMUGGLED),
        long("body that is the beginning of a request", "POST", BEGUN),
        long("body of a GET that is a request", "GET", SMUGGLED),
        long("body of a DELETE that is a request", "DELETE", SMUGGLED),
        long("body of OPTIONS that is a request", "OPTIONS", SMUGGLED),
        long("body that is chunks", "POST", "0\r\n\r\n"),
        long("body that is an answer", "POST", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        long("body that begins with line ends", "POST", "\r\n\r\n\r\n"),
        chunked("chunk that is a request", SMUGGLED),
        chunked("chunk that is the beginning of a request", BEGUN),
        chunked("chunk that is chunks", "0\r\n\r\n"),
        chunked("chunk that is the end and a request", &format!("0\r\n\r\n{SMUGGLED}")),
    ]
}

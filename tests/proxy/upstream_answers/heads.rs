//! Heads: status lines, header lines, lengths.

use super::{Row, Sees, check, proxy};
use crate::support::client::Client;
use crate::support::daemon::Builder;
use crate::support::own_answer;
use crate::support::upstream::Upstream;

const NOT_HTTP: Sees = Sees::Refused("it is not HTTP");
const TOO_LARGE: Sees = Sees::Refused("its head, or the length it tells, is too large");
const HI: Sees = Sees::Whole(200, "hi");

#[tokio::test]
async fn status_lines() {
    let lines: [(&[u8], Sees); 24] = [
        (b"HTTP/1.1 200 OK", HI),
        (b"HTTP/1.1 200", HI),
        (b"HTTP/1.1 200 ", HI),
        (b"HTTP/1.1 200 Fine\t!", HI),
        (b"HTTP/1.0 200 OK", HI),
        (b"\r\n\r\nHTTP/1.1 200 OK", HI),
        (b"HTTP/1.1 599 Odd", Sees::Whole(599, "hi")),
        (b"HTTP/1.1 999 Odd", Sees::Whole(999, "hi")),
        (b"HTTP/1.1 20 OK", NOT_HTTP),
        (b"HTTP/1.1 2000 OK", NOT_HTTP),
        (b"HTTP/1.1 099 OK", NOT_HTTP),
        (b"HTTP/1.1 000 OK", NOT_HTTP),
        (b"HTTP/1.1 -20 OK", NOT_HTTP),
        (b"HTTP/1.1 2x0 OK", NOT_HTTP),
        (b"HTTP/1.1 OK", NOT_HTTP),
        (b"HTTP/1.1\t200 OK", NOT_HTTP),
        (b"HTTP/1.1  200 OK", NOT_HTTP),
        (b"HTTP/1.2 200 OK", NOT_HTTP),
        (b"HTTP/2.0 200 OK", NOT_HTTP),
        (b"http/1.1 200 OK", NOT_HTTP),
        (b"HTTP/1.1 200 O\0K", NOT_HTTP),
        (b"HTTP/1.1 200 O\rK", NOT_HTTP),
        (b"ICY 200 OK", NOT_HTTP),
        (b" HTTP/1.1 200 OK", NOT_HTTP),
    ];
    check(lines.map(|(line, sees)| Row::new([line, b"\r\ncontent-length: 2\r\n\r\nhi"].concat(), sees)))
        .await;
}

#[tokio::test]
async fn header_lines() {
    let lines: [(&[u8], Sees); 19] = [
        (b"x: y", HI),
        (b"x:", HI),
        (b"x:  y \t", HI),
        (b"x: a\tb", HI),
        (b"x: \0", NOT_HTTP),
        (b"x: a\0b", NOT_HTTP),
        (b"x: a\x01b", NOT_HTTP),
        (b"x: a\x7fb", NOT_HTTP),
        (b"x: a\rb", NOT_HTTP),
        (b"x: a\rSet-Cookie: b", NOT_HTTP),
        (b"x: a\r\r", NOT_HTTP),
        (b"x : y", NOT_HTTP),
        (b" x: y", NOT_HTTP),
        (b"x: a\r\n b", NOT_HTTP),
        (b"x: a\r\n\tb", NOT_HTTP),
        (b": y", NOT_HTTP),
        (b"x", NOT_HTTP),
        (b"x y: z", NOT_HTTP),
        (b"\xe9: y", NOT_HTTP),
    ];
    check(lines.map(|(line, sees)| {
        Row::new([b"HTTP/1.1 200 OK\r\n", line, b"\r\ncontent-length: 2\r\n\r\nhi"].concat(), sees)
    }))
    .await;
}

#[tokio::test]
async fn lines_that_end_without_a_carriage_return() {
    // A reader may take them for ends (RFC 9112, section 2.2); what passes on has them as they should be.
    check([Row::new("HTTP/1.1 200 OK\nx: y\ncontent-length: 2\n\nhi", HI)]).await;
}

#[tokio::test]
async fn lengths() {
    const TWICE: Sees = Sees::Declined("it tells its length in two ways");
    const NO_NUMBER: Sees = Sees::Declined("its length is no number");
    const CODED: Sees = Sees::Declined("it has a transfer coding that nobody asked for");
    let chunked = "2\r\nhi\r\n0\r\n\r\n";
    let row =
        |lines: &str, body: &str, sees| Row::new(format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{body}"), sees);
    check([
        row("content-length: 2", "hi", HI),
        row("Content-Length:\t2 ", "hi", HI),
        row("content-length: 02", "hi", HI),
        row("connection: content-length\r\ncontent-length: 2", "hi", HI),
        row("connection: transfer-encoding\r\ntransfer-encoding: chunked", chunked, HI),
        row("transfer-encoding: chunked", chunked, HI),
        row("Transfer-Encoding:  Chunked ", chunked, HI),
        row("content-length: 2\r\ncontent-length: 2", "hi", TWICE),
        row("content-length: 2, 2", "hi", NO_NUMBER),
        row("content-length: 2\r\ncontent-length: 3", "hi!", NOT_HTTP),
        row("content-length: 2, 3", "hi!", NOT_HTTP),
        row("content-length: +2", "hi", NOT_HTTP),
        row("content-length: -2", "hi", NOT_HTTP),
        row("content-length: 0x2", "hi", NOT_HTTP),
        row("content-length: 2.0", "hi", NOT_HTTP),
        row("content-length: 2 2", "hi", NOT_HTTP),
        row("content-length:", "hi", NOT_HTTP),
        row("content-length: two", "hi", NOT_HTTP),
        row("content-length: 18446744073709551615", "hi", TOO_LARGE),
        row("content-length: 18446744073709551618", "hi", NOT_HTTP),
        row("content-length: 2\r\ntransfer-encoding: chunked", chunked, TWICE),
        row("transfer-encoding: chunked\r\ncontent-length: 12", chunked, TWICE),
        row("transfer-encoding: chunked\r\ntransfer-encoding: chunked", chunked, CODED),
        row("transfer-encoding: chunked, chunked", chunked, CODED),
        row("transfer-encoding: gzip, chunked", chunked, CODED),
        row("transfer-encoding: chunked, identity", chunked, CODED),
        row("transfer-encoding: identity", "hi", CODED).closed(),
        row("transfer-encoding: gzip", "hi", CODED).closed(),
        row("transfer-encoding: xchunked", chunked, CODED).closed(),
        row("transfer-encoding: \"chunked\"", chunked, CODED).closed(),
        row("transfer-encoding:", "hi", CODED).closed(),
    ])
    .await;
    let old = "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    check([Row::new(old, NOT_HTTP)]).await;
}

#[tokio::test]
async fn heads_that_are_too_large() {
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}content-length: 2\r\n\r\nhi");
    let many = |count: usize| head(&(0..count).map(|n| format!("x-{n}: y\r\n")).collect::<String>());
    check([
        Row::new(head(&format!("x: {}\r\n", "y".repeat(60 * 1024))), HI),
        Row::new(head(&format!("x: {}\r\n", "y".repeat(140 * 1024))), TOO_LARGE),
        Row::new(head(&format!("{}: x\r\n", "y".repeat(140 * 1024))), TOO_LARGE),
        Row::new(format!("HTTP/1.1 200 {}\r\n\r\n", "y".repeat(140 * 1024)), TOO_LARGE),
        Row::new(many(99), HI),
        Row::new(many(100), TOO_LARGE),
        Row::new(many(5000), TOO_LARGE),
    ])
    .await;
}

#[tokio::test]
async fn interim_answers() {
    let flood = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(2000);
    check([
        Row::new("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", HI),
        Row::new(
            "HTTP/1.1 103 Early Hints\r\nset-cookie: a=b\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
            HI,
        ),
        Row::new([&flood[..], b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"].concat(), HI),
        Row::new("HTTP/1.1 100 Continue\r\nx : y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", NOT_HTTP),
        Row::new("HTTP/1.1 100 Continue\r\n\r\n", Sees::Refused("the connection closed before the answer"))
            .closed(),
        // Nobody asked for another protocol.
        Row::new(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            Sees::Refused("it speaks another protocol from here on"),
        ),
        Row::new("HTTP/1.1 101 Switching Protocols\r\n\r\nhi", Sees::Refused("it speaks another protocol from here on")),
    ])
    .await;
}

#[tokio::test]
async fn interim_answers_without_end_are_no_answer() {
    let mut upstream = Upstream::start().await;
    let builder = Builder::new(&upstream.base_url()).set("upstream.response_timeout", "300ms");
    let daemon = builder.ready().await;
    let mut client = Client::request(&daemon, "GET /row HTTP/1.1\nHost: localhost").await;
    let mut api = upstream.call().await.into_stream();
    let flood = tokio::spawn(async move {
        let flood = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100);
        // An error is what the end of it looks like.
        while tokio::io::AsyncWriteExt::write_all(&mut api, &flood).await.is_ok() {}
    });
    let answer = client.answer().await;
    own_answer::check(&answer, "upstream_timeout", "http_response_timeout", "/row");
    crate::support::within_limit("the connection closes", flood).await.unwrap();
}

#[tokio::test]
async fn what_an_answer_without_a_body_says_of_its_length() {
    check([
        Row::new("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", Sees::Whole(200, "")).to("HEAD"),
        Row::new("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Sees::Whole(200, "")).to("HEAD"),
        Row::new(
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n",
            Sees::Declined("it tells its length in two ways"),
        )
        .to("HEAD"),
        Row::new("HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\n", Sees::Declined("its length is no number"))
            .to("HEAD"),
    ])
    .await;
}

#[tokio::test]
async fn a_line_that_is_split_in_two_is_two_lines_and_nothing_else() {
    // What an API was made to say by somebody who put a line end into a value.
    let (mut upstream, daemon) = proxy().await;
    let mut client = Client::request(&daemon, "GET /row HTTP/1.1\nHost: localhost").await;
    let mut call = upstream.call().await;
    call.send(
        b"HTTP/1.1 200 OK\r\nx: a\nset-cookie: b=c\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
    )
    .await;
    let answer = client.answer().await;
    assert_eq!((answer.header("x"), answer.header("set-cookie")), (vec!["a"], vec!["b=c"]));
}

//! What comes behind an answer belongs to nobody: it must never stand for the next one.

use super::{Row, Sees, check, proxy};
use crate::support::client::Client;

/// What somebody would like the next client to get.
const POISON: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nset-cookie: a=b\r\n\r\npoison";

#[tokio::test]
async fn in_one_piece_with_the_answer() {
    let row = |answer: &str, sees| Row::new(format!("{answer}{POISON}"), sees);
    check([
        row("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", Sees::Last(200, "hi")),
        row("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Sees::Last(200, "")),
        row(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            Sees::Last(200, "hi"),
        ),
        row("HTTP/1.1 204 No Content\r\n\r\n", Sees::Last(204, "")),
        row("HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nhi", Sees::Last(204, "")),
        row(
            "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            Sees::Last(204, ""),
        ),
        row("HTTP/1.1 304 Not Modified\r\n\r\nhi", Sees::Last(304, "")),
        row("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", Sees::Last(200, "")).to("HEAD"),
        row("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Sees::Last(200, "")).to("HEAD"),
        // A lone line end, which old servers send behind a body.
        Row::new("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi\r\n", Sees::Last(200, "hi")),
    ])
    .await;
}

#[tokio::test]
async fn while_the_next_request_waits() {
    let (mut upstream, daemon) = proxy().await;
    for round in 0..100 {
        // The second is sent ahead, so that it goes on the instant that the first is answered.
        let mut client = Client::connect(&daemon).await;
        let requests =
            ["/first", "/second"].map(|path| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        client.send(requests.concat().as_bytes()).await;
        let mut first = upstream.call().await;
        assert_eq!(first.line(), "GET /first HTTP/1.1");
        first.send(format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi{POISON}").as_bytes()).await;
        assert_eq!(client.answer().await.text(), "hi");
        upstream.call().await.last_answer("200 OK", "", "second").await;
        assert_eq!(client.answer().await.text(), "second", "round {round}");
        first.closed().await;
    }
}

#[tokio::test]
async fn on_a_connection_that_waits_for_its_next_request() {
    let (mut upstream, daemon) = proxy().await;
    for unsolicited in [POISON, "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n", "x", "\r\n"] {
        let mut client = Client::request(&daemon, "GET /first HTTP/1.1\nHost: localhost").await;
        let mut first = upstream.call().await.answer("200 OK", "", "hi").await;
        assert_eq!(client.answer().await.text(), "hi");
        first.send(unsolicited.as_bytes()).await;
        first.closed().await;

        client.head("GET /second HTTP/1.1\nHost: localhost").await;
        upstream.call().await.last_answer("200 OK", "", "second").await;
        assert_eq!(client.answer().await.text(), "second", "{unsolicited:?}");
    }
}

#[tokio::test]
async fn behind_an_answer_that_did_not_wait_for_its_request() {
    let (mut upstream, daemon) = proxy().await;
    let head = "POST /first HTTP/1.1\nHost: localhost\nContent-Length: 4\nConnection: close";
    let mut client = Client::request(&daemon, head).await;
    let mut first = upstream.call().await;
    first.send(format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi{POISON}").as_bytes()).await;
    assert_eq!(client.answer_head().await.status, 200);
    assert_eq!(client.bytes(2).await, b"hi");
    client.send(b"rest").await;
    assert_eq!(client.until_closed().await, b"");
    first.closed().await;

    let mut client = Client::request(&daemon, "GET /second HTTP/1.1\nHost: localhost").await;
    upstream.call().await.last_answer("200 OK", "", "second").await;
    assert_eq!(client.answer().await.text(), "second");
}

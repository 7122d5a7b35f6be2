//! What an app sends arrives with the same bytes and the same framing.

use super::{asked, proxy};
use crate::support::own_answer;

#[tokio::test]
async fn a_body_with_a_length_arrives_with_it() {
    let (mut upstream, daemon) = proxy().await;
    let (mut client, mut call) =
        asked(&mut upstream, &daemon, "POST /x HTTP/1.1\nHost: localhost\nContent-Length: 12").await;
    assert_eq!(call.header("content-length"), ["12"]);
    assert!(call.header("transfer-encoding").is_empty());
    client.send(b"first,").await;
    assert_eq!(call.body(6).await, b"first,");
    client.send(b"second").await;
    assert_eq!(call.body(12).await, b"first,second");
    call.answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.text(), "{}");
}

#[tokio::test]
async fn an_empty_body_stays_empty() {
    let (mut upstream, daemon) = proxy().await;
    let (mut client, call) =
        asked(&mut upstream, &daemon, "POST /x HTTP/1.1\nHost: localhost\nContent-Length: 0").await;
    assert_eq!(call.header("content-length"), ["0"]);
    assert!(call.header("transfer-encoding").is_empty());
    call.answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn chunks_arrive_as_they_are_sent() {
    for method in ["POST", "GET", "DELETE"] {
        let (mut upstream, daemon) = proxy().await;
        let head = format!("{method} /x HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked");
        let (mut client, mut call) = asked(&mut upstream, &daemon, &head).await;
        assert_eq!(call.header("transfer-encoding"), ["chunked"]);
        assert!(call.header("content-length").is_empty());
        client.send_chunk(b"first").await;
        assert_eq!(call.body_until(b"\r\nfirst\r\n").await, b"5\r\nfirst\r\n");
        client.send_chunk(b"and last").await;
        assert_eq!(call.body_until(b"\r\nand last\r\n").await, b"5\r\nfirst\r\n8\r\nand last\r\n");
        client.send(b"0\r\n\r\n").await;
        assert_eq!(call.body_until(b"0\r\n\r\n").await, b"5\r\nfirst\r\n8\r\nand last\r\n0\r\n\r\n");
        call.answer("200 OK", "", "{}").await;
        assert_eq!(client.answer().await.status, 200);
    }
}

#[tokio::test]
async fn trailers_of_a_request_arrive() {
    let (mut upstream, daemon) = proxy().await;
    let (mut client, mut call) = asked(
        &mut upstream,
        &daemon,
        "POST /x HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\nTrailer: X-Checksum",
    )
    .await;
    assert_eq!(call.header("trailer"), ["X-Checksum"]);
    client.send_chunk(b"data").await;
    client.send(b"0\r\nX-Checksum: 1f\r\n\r\n").await;
    let body = String::from_utf8(call.body_until(b"\r\n\r\n").await.to_vec()).unwrap();
    assert_eq!(body.to_lowercase(), "4\r\ndata\r\n0\r\nx-checksum: 1f\r\n\r\n");
    call.answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn an_answer_may_come_before_the_end_of_the_request() {
    let (mut upstream, daemon) = proxy().await;
    let (mut client, mut call) =
        asked(&mut upstream, &daemon, "POST /x HTTP/1.1\nHost: localhost\nContent-Length: 100").await;
    client.send(b"begin").await;
    call.body(5).await;
    let _kept_open = call.answer("400 Bad Request", "", "no more").await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.text(), "no more");
}

#[tokio::test]
async fn two_lengths_are_no_way_to_smuggle_a_request() {
    let (mut upstream, daemon) = proxy().await;
    let (mut client, mut call) = asked(
        &mut upstream,
        &daemon,
        "POST /x HTTP/1.1\nHost: localhost\nContent-Length: 3\nTransfer-Encoding: chunked",
    )
    .await;
    assert_eq!(call.header("transfer-encoding"), ["chunked"]);
    assert!(call.header("content-length").is_empty());
    client.send(b"0\r\n\r\n").await;
    assert_eq!(call.body_until(b"0\r\n\r\n").await, b"0\r\n\r\n");
    call.answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn what_is_no_chunk_is_refused_and_never_ends_the_body() {
    let (mut upstream, daemon) = proxy().await;
    let (mut client, mut call) =
        asked(&mut upstream, &daemon, "POST /x HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked").await;
    client.send_chunk(b"begin").await;
    call.body_until(b"begin\r\n").await;
    client.send(b"no chunk\r\n").await;
    own_answer::check(&client.answer().await, "request_broken", "http_request_error", "/x");
    assert_eq!(call.until_closed().await, b"5\r\nbegin\r\n");
}

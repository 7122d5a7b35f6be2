//! What the API answers comes back with the same bytes, as they are sent.

use super::{asked, came_to_its_end, proxy};

#[tokio::test]
async fn an_answer_to_head_keeps_its_length_and_has_no_body() {
    let (mut upstream, daemon) = proxy().await;
    let (mut client, mut call) = asked(&mut upstream, &daemon, "HEAD /x HTTP/1.1\nHost: localhost").await;
    call.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\nconnection: close\r\n\r\n").await;
    let head = client.answer_head().await;
    assert_eq!(head.header("content-length"), ["1234"]);

    client.head("GET /next HTTP/1.1\nHost: localhost").await;
    upstream.call().await.answer("200 OK", "", "next").await;
    assert_eq!(client.answer().await.text(), "next");
    came_to_its_end(&daemon).await;
}

#[tokio::test]
async fn answers_that_have_no_body() {
    for (status, headers) in [
        ("204 No Content", ""),
        ("304 Not Modified", "content-length: 1234\r\netag: \"a\"\r\n"),
        ("304 Not Modified", "etag: \"a\"\r\n"),
    ] {
        let (mut upstream, daemon) = proxy().await;
        let (mut client, mut call) = asked(&mut upstream, &daemon, "GET /x HTTP/1.1\nHost: localhost").await;
        call.send(format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\n\r\n").as_bytes()).await;
        let head = client.answer_head().await;
        assert_eq!(head.status.to_string(), status);
        assert_eq!(head.headers.contains_key("etag"), headers.contains("etag"));
        // The length that a body would have may be told or left out (RFC 9110, section 8.6); the
        // server's library leaves it out.
        assert!(head.header("content-length").is_empty(), "{status}: {head:?}");
        assert!(head.header("transfer-encoding").is_empty(), "{status}: {head:?}");

        client.head("GET /next HTTP/1.1\nHost: localhost").await;
        upstream.call().await.answer("200 OK", "", "next").await;
        assert_eq!(client.answer().await.text(), "next", "{status}");
    }
}

#[tokio::test]
async fn trailers_of_an_answer_come_to_a_client_that_takes_them() {
    let (mut upstream, daemon) = proxy().await;
    let (mut client, mut call) =
        asked(&mut upstream, &daemon, "GET /x HTTP/1.1\nHost: localhost\nTE: trailers\nConnection: TE").await;
    call.send(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: X-Checksum\r\n\r\n\
          4\r\ndata\r\n0\r\nX-Checksum: 1f\r\n\r\n",
    )
    .await;
    let head = client.answer_head().await;
    assert_eq!(head.header("transfer-encoding"), ["chunked"]);
    assert_eq!(head.header("trailer"), ["X-Checksum"]);
    assert_eq!(client.chunk().await.unwrap(), b"data");
    assert_eq!(client.chunk().await, None);
    assert_eq!(client.until(b"\r\n\r\n").await.to_ascii_lowercase(), b"x-checksum: 1f\r\n\r\n");
    came_to_its_end(&daemon).await;
}

#[tokio::test]
async fn trailers_are_kept_from_a_client_that_does_not_take_them() {
    let (mut upstream, daemon) = proxy().await;
    let (mut client, mut call) = asked(&mut upstream, &daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    call.send(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: X-Checksum\r\n\r\n\
          4\r\ndata\r\n0\r\nX-Checksum: 1f\r\n\r\n",
    )
    .await;
    assert_eq!(client.answer().await.text(), "data");
    came_to_its_end(&daemon).await;
}

#[tokio::test]
async fn each_piece_of_an_answer_comes_before_the_next_is_sent() {
    const PIECE: usize = 1024;
    const PIECES: usize = 100;
    let piece = |number: usize| [b'a' + (number % 26) as u8; PIECE];

    let (mut upstream, daemon) = proxy().await;
    let (mut client, mut call) = asked(&mut upstream, &daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", PIECES * PIECE);
    call.send(head.as_bytes()).await;
    assert_eq!(client.answer_head().await.header("content-length"), [(PIECES * PIECE).to_string()]);
    for number in 0..PIECES {
        call.send(&piece(number)).await;
        assert_eq!(client.bytes(PIECE).await, piece(number));
    }

    let (mut client, mut call) = asked(&mut upstream, &daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    call.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
    client.answer_head().await;
    for number in 0..PIECES {
        call.send(&[format!("{PIECE:x}\r\n").as_bytes(), &piece(number), b"\r\n"].concat()).await;
        assert_eq!(client.chunk().await.unwrap(), piece(number));
    }
    call.send(b"0\r\n\r\n").await;
    assert_eq!(client.chunk().await, None);
}

#[tokio::test]
async fn the_head_of_an_answer_does_not_wait_for_its_body() {
    let (mut upstream, daemon) = proxy().await;
    let (mut client, mut call) = asked(&mut upstream, &daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    call.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await;
    assert_eq!(client.answer_head().await.status, 200);
    call.send(b"body").await;
    assert_eq!(client.bytes(4).await, b"body");
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_comes_whole() {
    let (mut upstream, daemon) = proxy().await;
    let (mut client, mut call) = asked(&mut upstream, &daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    call.send(b"HTTP/1.1 200 OK\r\n\r\nall that").await;
    call.send(b" there is").await;
    drop(call);
    assert_eq!(client.answer().await.text(), "all that there is");

    client.head("GET /next HTTP/1.1\nHost: localhost").await;
    upstream.call().await.answer("200 OK", "", "next").await;
    assert_eq!(client.answer().await.text(), "next");
}

#[tokio::test]
async fn interim_answers_do_not_stand_for_the_answer() {
    let (mut upstream, daemon) = proxy().await;
    let (mut client, mut call) = asked(&mut upstream, &daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    call.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n").await;
    call.answer("200 OK", "", "answer").await;
    assert_eq!(client.answer().await.text(), "answer");
}

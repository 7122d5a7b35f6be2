//! Connections of HTTP/1.1 that end on one side, and requests that are sent ahead.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::line::{Left, Line};
use super::{Piece, Version, world};
use crate::support::no_request_is_under_way;

/// Who ends its side behind a request has gone, or waits for the answer: nobody can tell. Either it gets the
/// whole answer, or nothing that could be taken for one; and whatever it is, nothing is left of it.
#[tokio::test]
async fn a_client_that_ends_its_side_gets_all_or_nothing() {
    for output in [Version::One, Version::Two] {
        for (method, body) in [("GET", None), ("POST", Some("body"))] {
            let mut world = world((Version::One, output), &[]).await;
            let mut asked = match body {
                Some(_) => world.caller.begin(method, "/x", &[("content-length", "4")]).await,
                None => world.caller.ask(method, "/x", &[]).await,
            };
            asked.send(body.unwrap_or_default().as_bytes()).await;
            let mut call = world.api.call().await;
            call.rest().await;
            asked.half_close().await;
            let answering = tokio::spawn(async move {
                call.head(200, &[("content-length", "6")]).await;
                call.try_send(b"answer").await;
            });
            match asked.try_head().await {
                Ok(head) => {
                    assert_eq!(head.status, 200);
                    assert_eq!(asked.rest().await.0, b"answer");
                }
                Err(reason) => assert_eq!(reason, None),
            }
            answering.abort();
            no_request_is_under_way(&world.daemon).await;
        }
    }
}

/// Half a request is none.
#[tokio::test]
async fn a_client_that_ends_its_side_within_its_request_leaves_no_whole_one() {
    for output in [Version::One, Version::Two] {
        for fields in [&[][..], &[("content-length", "10")]] {
            let mut world = world((Version::One, output), &[]).await;
            let mut asked = world.caller.begin("POST", "/x", fields).await;
            asked.send(b"begin").await;
            let mut call = world.api.call().await;
            assert_eq!(call.bytes(5).await, b"begin");
            asked.half_close().await;
            let (rest, _) = Piece::until_broken(async || call.piece().await).await;
            assert!(rest.is_empty());
            match asked.try_head().await {
                Ok(head) => assert!(matches!(head.status, 400 | 502), "{head:?}"),
                Err(reason) => assert_eq!(reason, None),
            }
            no_request_is_under_way(&world.daemon).await;
        }
    }
}

/// Requests with bodies, sent ahead: each gets its own answer, in order, over either version.
#[tokio::test]
async fn requests_that_are_sent_ahead_are_answered_in_order() {
    const REQUESTS: usize = 30;
    for output in [Version::One, Version::Two] {
        let mut world = world((Version::One, output), &[]).await;
        let stream = TcpStream::connect(world.daemon.address()).await.unwrap();
        let (reading, mut writing) = stream.into_split();
        let requests: String = (0..REQUESTS)
            .map(|number| match number % 3 {
                0 => format!("GET /{number} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                1 => format!("POST /{number} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nGET / "),
                _ => format!(
                    "PUT /{number} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
                     2\r\n\r\n\r\n0\r\n\r\n"
                ),
            })
            .collect();
        writing.write_all(requests.as_bytes()).await.unwrap();
        let mut line = Line::new(tokio::io::join(reading, writing));
        for number in 0..REQUESTS {
            let mut call = world.api.call().await;
            assert_eq!(call.path, format!("/{number}"));
            assert_eq!(call.rest().await.0, [&b""[..], b"GET / ", b"\r\n"][number % 3]);
            call.answer(200, &format!("answer {number}")).await;
            let (first, headers) = line.head().await.unwrap();
            assert!(first.starts_with("HTTP/1.1 200 "), "{first}");
            line.expect_body(&headers, Left::UntilClosed);
            let (body, _) = Piece::all(async || line.piece().await).await;
            assert_eq!(body, format!("answer {number}").into_bytes());
        }
    }
}

/// It was the client who broke off, whatever the API makes of it.
#[tokio::test]
async fn a_client_that_ends_its_side_within_its_request_is_told_that_it_is_broken() {
    for output in [Version::One, Version::Two] {
        let mut world = world((Version::One, output), &[]).await;
        let mut asked = world.caller.begin("POST", "/x", &[]).await;
        asked.send(b"begin").await;
        let mut call = world.api.call().await;
        assert_eq!(call.bytes(5).await, b"begin");
        asked.half_close().await;
        let (_, head) = asked.last_head().await;
        assert_eq!(
            (head.status, &head.headers["x-liquid-proxy-error"]),
            (400, &"request_broken".parse().unwrap())
        );
    }
}

//! TLS below HTTP: an end that the API did not declare is none, and keys may change at any time.

use tokio::io::AsyncWriteExt;

use super::api::Api;
use super::caller::{Asked, Caller};
use super::frames::Frames;
use super::line::Line;
use super::{Piece, Version, World, world};
use crate::support::daemon::Builder;
use crate::wire::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, block, frame};

const INPUTS: [Version; 2] = [Version::One, Version::Two];

/// A request whose answer the test writes byte by byte.
async fn asked(input: Version) -> (World, Asked, Line) {
    let mut world = world((input, Version::One), &[]).await;
    let asked = world.caller.ask("GET", "/x", &[]).await;
    let line = world.api.call().await.into_line();
    (world, asked, line)
}

/// Without a length the body ends with the connection, and whoever cuts that could cut the body (RFC 8446,
/// section 6.1; RFC 9112, section 9.8).
#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_whole_only_if_that_was_declared() {
    for input in INPUTS {
        let (_world, mut asked_whole, mut line) = asked(input).await;
        line.send(b"HTTP/1.1 200 OK\r\n\r\nall of it").await;
        line.half_close().await;
        assert_eq!(asked_whole.answer().await, (200, "all of it".to_owned()));

        let (_world, mut cut, mut line) = asked(input).await;
        line.send(b"HTTP/1.1 200 OK\r\n\r\nall of it").await;
        assert_eq!(cut.last_head().await.1.status, 200);
        assert_eq!(cut.bytes(9).await, b"all of it");
        drop(line);
        let (rest, _) = Piece::until_broken(async || cut.piece().await).await;
        assert!(rest.is_empty());
    }
}

/// Where HTTP tells the length itself, it is no matter how the connection ends.
#[tokio::test]
async fn a_body_with_a_length_is_whole_when_it_is_there() {
    for input in INPUTS {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        ] {
            for declared in [true, false] {
                let (_world, mut asked, mut line) = asked(input).await;
                line.send(answer.as_bytes()).await;
                if declared {
                    line.half_close().await;
                }
                drop(line);
                assert_eq!(asked.answer().await, (200, "body".to_owned()));
            }
        }
    }
}

#[tokio::test]
async fn a_body_with_a_length_is_broken_off_when_it_is_not_however_its_connection_ends() {
    for input in INPUTS {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nbody",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n",
        ] {
            for declared in [true, false] {
                let (_world, mut asked, mut line) = asked(input).await;
                line.send(answer.as_bytes()).await;
                if declared {
                    line.half_close().await;
                }
                drop(line);
                assert_eq!(asked.last_head().await.1.status, 200);
                let (body, _) = Piece::until_broken(async || asked.piece().await).await;
                assert_eq!(body, b"body");
            }
        }
    }
}

/// A record for each byte.
#[tokio::test]
async fn an_answer_may_come_byte_by_byte() {
    for input in INPUTS {
        let (_world, mut asked, mut line) = asked(input).await;
        let answer = "HTTP/1.1 200 OK\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
        for byte in answer.bytes() {
            line.send(&[byte]).await;
        }
        let (_, head) = asked.last_head().await;
        assert_eq!((head.status, &head.headers["x-a"]), (200, &"b".parse().unwrap()));
        assert_eq!(asked.rest().await.0, b"body");
    }
}

/// RFC 8446, section 4.6.3: in the middle of an answer, and asking for the proxy's new keys, too.
#[tokio::test]
async fn keys_may_change_while_bodies_are_on_their_way() {
    for input in INPUTS {
        let mut api = Api::bare(Version::Two).await;
        let daemon = Builder::new(&api.base_url()).trust(api.ca_pem()).ready().await;
        let mut caller = Caller::connect(input, &daemon).await;
        let mut asked = caller.begin("POST", "/x", &[]).await;
        asked.send(b"first").await;
        let mut frames = Frames::of(api.link().await).await;
        let mut body = Vec::new();
        let mut stream = 0;
        for round in 0..5 {
            while body.len() < 5 * (round + 1) {
                let next = frames.next().await.unwrap();
                stream = next.stream;
                if next.kind == DATA {
                    body.extend_from_slice(&next.payload);
                }
            }
            frames.tls().get_mut().1.refresh_traffic_keys().unwrap();
            frames.tls().flush().await.unwrap();
            if round == 0 {
                frames.send(&frame(HEADERS, END_HEADERS, stream, &block(&[(":status", "200")]))).await;
                assert_eq!(asked.last_head().await.1.status, 200);
            }
            frames.send(&frame(DATA, 0, stream, b"piece")).await;
            assert_eq!(asked.bytes(5).await, b"piece");
            asked.send(b"again").await;
        }
        assert!(body.starts_with(b"firstagain"));
        asked.end(&[]).await;
        frames.send(&frame(DATA, END_STREAM, stream, b"")).await;
        assert!(asked.rest().await.0.is_empty());
    }
}

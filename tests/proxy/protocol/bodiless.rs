//! Answers without a body, and what their connections are good for afterwards.

use super::caller::Caller;
use super::{CROSSINGS, Fields, Piece, Version, world};
use crate::support::came_to_its_end;

/// The method, the status, and what is said beside it.
type Answer = (&'static str, u16, Fields<'static>);

const ANSWERS: [Answer; 8] = [
    ("HEAD", 200, &[("content-length", "1234")]),
    ("HEAD", 200, &[]),
    ("HEAD", 404, &[("content-length", "5")]),
    ("GET", 204, &[]),
    ("DELETE", 204, &[]),
    ("GET", 304, &[("etag", "\"a\"")]),
    ("GET", 304, &[("content-length", "1234"), ("etag", "\"a\"")]),
    ("GET", 200, &[("content-length", "0")]),
];

#[tokio::test]
async fn end_with_their_head_and_leave_the_connections_usable() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        let mut connections = Vec::new();
        for (method, status, fields) in ANSWERS {
            let mut asked = world.caller.ask(method, "/x", &[("if-none-match", "\"a\"")]).await;
            let call = world.api.call().await;
            assert_eq!(call.method, method);
            connections.push(call.connection);
            call.only_head(status, fields).await;
            let (before, head) = asked.last_head().await;
            assert_eq!((before.len(), head.status), (0, status));
            let length = head.headers.get("content-length").map(|value| value.to_str().unwrap());
            match (method, fields) {
                ("HEAD", [("content-length", told)]) => assert_eq!(length, Some(*told)),
                // No body has the length that one would have; whether it is told is the proxy's choice.
                (_, []) => assert!(length.is_none_or(|length| status == 200 && length == "0")),
                (_, [("content-length", told), ..]) => assert!(length.is_none_or(|length| length == *told)),
                _ => assert_eq!(length, None),
            }
            assert_eq!(head.headers.contains_key("etag"), status == 304);
            assert!(!head.headers.contains_key("transfer-encoding") || method == "HEAD", "{head:?}");
            assert!(asked.rest().await.0.is_empty());
            world.caller.again(asked);

            // The next on the same connection gets an answer of its own.
            let mut asked = world.caller.ask("GET", "/next", &[]).await;
            let call = world.api.call().await;
            connections.push(call.connection);
            call.answer(200, "next").await;
            assert_eq!(asked.answer().await, (200, "next".to_owned()), "behind {method} {status} {fields:?}");
            world.caller.again(asked);
        }
        came_to_its_end(&world.daemon).await;
        if crossing.0 == Version::One {
            // All of one worker, one after the other: one connection is enough.
            connections.dedup();
            assert_eq!(connections.len(), 1, "{connections:?}");
        }
    }
}

/// A HEAD whose answer a server gives a body all the same, as HTTP/2 can tell it apart.
#[tokio::test]
async fn a_body_where_none_may_be_is_not_the_next_answers() {
    for input in [Version::One, Version::Two] {
        let mut world = world((input, Version::Two), &[]).await;
        let mut asked = world.caller.ask("HEAD", "/x", &[]).await;
        let mut call = world.api.call().await;
        call.head(200, &[("content-length", "4")]).await;
        call.send(b"body").await;
        call.end(&[]).await;
        match asked.try_head().await {
            Ok(head) if head.status == 200 => {
                let next = asked.piece().await;
                assert!(!matches!(next, Piece::Data(_)), "{next:?}");
            }
            Ok(head) => assert_eq!(head.status, 502),
            Err(_) => {}
        }
        let mut caller = Caller::connect(input, &world.daemon).await;
        let mut next = caller.ask("GET", "/next", &[]).await;
        world.api.call().await.answer(200, "next").await;
        assert_eq!(next.answer().await, (200, "next".to_owned()));
    }
}

/// The proxy's own refusals have a body, but not in answer to HEAD.
#[tokio::test]
async fn a_refusal_of_ours_has_none_in_answer_to_head() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        for _ in 0..20 {
            let mut asked = world.caller.ask("HEAD", "/x", &[("origin", "http://evil.example")]).await;
            let (_, head) = asked.last_head().await;
            assert_eq!(head.status, 403);
            assert_eq!(head.headers["x-liquid-proxy-error"], "origin_not_allowed");
            let next = asked.piece().await;
            assert!(matches!(next, Piece::End(_)), "{next:?}");
            world.caller.again(asked);
        }
        assert!(!world.api.has_calls());
    }
}

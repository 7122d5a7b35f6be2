//! What comes behind a body (RFC 9110, section 6.5), both ways.

use super::{CROSSINGS, Version, world};
use crate::support::came_to_its_end;

#[tokio::test]
async fn of_a_request_arrive() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        let mut asked = world.caller.begin("POST", "/x", &[("trailer", "x-sum, x-more")]).await;
        asked.send(b"data").await;
        let mut call = world.api.call().await;
        assert_eq!(call.headers["trailer"], "x-sum, x-more");
        assert_eq!(call.bytes(4).await, b"data");
        asked.end(&[("x-sum", "1f"), ("x-more", "a"), ("x-more", "b")]).await;
        let (rest, trailers) = call.rest().await;
        assert!(rest.is_empty());
        assert_eq!(trailers["x-sum"], "1f");
        assert_eq!(trailers.get_all("x-more").iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(trailers.len(), 3);
        call.answer(200, "{}").await;
        assert_eq!(asked.answer().await, (200, "{}".to_owned()));
    }
}

#[tokio::test]
async fn of_an_answer_come_to_a_client_that_takes_them() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        let mut asked = world.caller.ask("GET", "/x", &[("te", "trailers")]).await;
        let mut call = world.api.call().await;
        call.head(200, &[("trailer", "x-sum, x-more")]).await;
        call.send(b"data").await;
        let (_, head) = asked.last_head().await;
        assert_eq!(head.headers["trailer"], "x-sum, x-more");
        assert_eq!(asked.bytes(4).await, b"data");
        call.end(&[("x-sum", "1f"), ("x-more", "a")]).await;
        let (rest, trailers) = asked.rest().await;
        assert!(rest.is_empty());
        assert_eq!(
            (&trailers["x-sum"], &trailers["x-more"], trailers.len()),
            (&"1f".parse().unwrap(), &"a".parse().unwrap(), 2)
        );
        came_to_its_end(&world.daemon).await;
    }
}

/// HTTP/2 needs no announcement of them, and some servers tell in them whether a call succeeded.
#[tokio::test]
async fn that_nobody_announced_pass_where_both_sides_speak_http2() {
    let mut world = world((Version::Two, Version::Two), &[]).await;
    let mut asked = world.caller.begin("POST", "/x", &[("te", "trailers")]).await;
    asked.end(&[("x-sum", "1f")]).await;
    let mut call = world.api.call().await;
    let (body, trailers) = call.rest().await;
    assert_eq!((body.len(), &trailers["x-sum"]), (0, &"1f".parse().unwrap()));
    call.head(200, &[]).await;
    call.end(&[("grpc-status", "0")]).await;
    assert_eq!(asked.last_head().await.1.status, 200);
    let (body, trailers) = asked.rest().await;
    assert_eq!((body.len(), &trailers["grpc-status"]), (0, &"0".parse().unwrap()));
}

#[tokio::test]
async fn of_a_request_never_hold_what_is_ours() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        let mut asked = world.caller.begin("POST", "/x", &[("trailer", "authorization, x-sum")]).await;
        asked.send(b"data").await;
        asked
            .end(&[("authorization", "Bearer theirs"), ("x-liquid-api-key", "theirs"), ("x-sum", "1")])
            .await;
        let mut call = world.api.call().await;
        let (_, trailers) = call.rest().await;
        assert_eq!(trailers.len(), 1, "{trailers:?}");
        assert_eq!(trailers["x-sum"], "1");
        call.answer(200, "{}").await;
        assert_eq!(asked.answer().await.0, 200);
    }
}

/// Without it an API may leave them out (RFC 9110, section 6.5.1), and some refuse the request.
#[tokio::test]
async fn that_a_client_takes_them_is_told_to_the_api() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        let mut asked = world.caller.ask("GET", "/x", &[("te", "trailers")]).await;
        let call = world.api.call().await;
        assert_eq!(call.headers.get("te").map(http::HeaderValue::as_bytes), Some(&b"trailers"[..]));
        call.answer(200, "{}").await;
        assert_eq!(asked.answer().await.0, 200);
    }
}

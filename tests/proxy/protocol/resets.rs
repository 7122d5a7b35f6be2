//! Requests that are given up, by either side: the other side hears it, and takes nothing half for whole.

use h2::Reason;

use super::caller::{Asked, Caller, Head};
use super::{CROSSINGS, Crossing, Piece, Version, World, world};
use crate::support::no_request_is_under_way;

/// The next request, on a connection of its own, gets its own answer.
async fn goes_on(world: &mut World, (input, _): Crossing) {
    no_request_is_under_way(&world.daemon).await;
    let mut caller = Caller::connect(input, &world.daemon).await;
    let mut next = caller.ask("GET", "/next", &[]).await;
    let call = world.api.call().await;
    assert_eq!(call.path, "/next");
    call.answer(200, "next").await;
    assert_eq!(next.answer().await, (200, "next".to_owned()));
}

/// HTTP/2 tells whoever answers that nobody waits any more.
fn assert_told((_, output): Crossing, told: Option<Reason>) {
    match output {
        Version::One => assert_eq!(told, None),
        Version::Two => assert!(matches!(told, Some(Reason::CANCEL | Reason::NO_ERROR)), "{told:?}"),
    }
}

#[tokio::test]
async fn a_client_that_gives_up_before_the_answer_is_heard_by_the_api() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        let asked = world.caller.ask("GET", "/x", &[]).await;
        let call = world.api.call().await;
        asked.give_up();
        assert_told(crossing, call.given_up().await);
        goes_on(&mut world, crossing).await;
    }
}

#[tokio::test]
async fn a_client_that_gives_up_within_the_answer_is_heard_by_the_api() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        let mut asked = world.caller.ask("GET", "/x", &[]).await;
        let mut call = world.api.call().await;
        call.head(200, &[]).await;
        call.send(b"begin").await;
        asked.last_head().await;
        assert_eq!(asked.bytes(5).await, b"begin");
        asked.give_up();
        assert_told(crossing, call.given_up().await);
        goes_on(&mut world, crossing).await;
    }
}

/// Whoever reads what came must not take it for a whole request.
#[tokio::test]
async fn a_client_that_gives_up_within_its_request_leaves_no_whole_one() {
    for crossing in CROSSINGS {
        for fields in [&[][..], &[("content-length", "10")]] {
            let mut world = world(crossing, &[]).await;
            let mut asked = world.caller.begin("POST", "/x", fields).await;
            asked.send(b"begin").await;
            let mut call = world.api.call().await;
            assert_eq!(call.bytes(5).await, b"begin");
            asked.give_up();
            let (rest, told) = Piece::until_broken(async || call.piece().await).await;
            assert!(rest.is_empty());
            assert!(told.is_none_or(|reason| reason != Reason::NO_ERROR), "{told:?}");
            goes_on(&mut world, crossing).await;
        }
    }
}

/// What a client sees of an API that gave up before it answered.
async fn refused(asked: &mut Asked, (input, _): Crossing) {
    match asked.try_head().await {
        Ok(Head { status, headers }) => {
            assert_eq!(status, 502);
            assert_eq!(headers["x-liquid-proxy-error"], "upstream_protocol_error");
        }
        // A connection that closes without a word is for no client of HTTP/1.1.
        Err(reason) => assert!(input == Version::Two && reason.is_some(), "{reason:?}"),
    }
}

#[tokio::test]
async fn an_api_that_gives_up_before_its_answer_is_a_bad_gateway() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::ENHANCE_YOUR_CALM] {
            let mut asked = world.caller.begin("POST", "/x", &[]).await;
            asked.end(&[]).await;
            let mut call = world.api.call().await;
            call.rest().await;
            call.reset(reason).await;
            refused(&mut asked, crossing).await;
            assert!(!world.api.has_calls(), "it was sent twice");
            world.caller = Caller::connect(crossing.0, &world.daemon).await;
        }
        goes_on(&mut world, crossing).await;
    }
}

#[tokio::test]
async fn an_api_that_gives_up_within_its_answer_breaks_it_off() {
    for crossing in CROSSINGS {
        for fields in [&[][..], &[("content-length", "10")]] {
            let mut world = world(crossing, &[]).await;
            let mut asked = world.caller.ask("GET", "/x", &[]).await;
            let mut call = world.api.call().await;
            call.head(200, fields).await;
            call.send(b"begin").await;
            asked.last_head().await;
            assert_eq!(asked.bytes(5).await, b"begin");
            call.reset(Reason::INTERNAL_ERROR).await;
            let (rest, told) = Piece::until_broken(async || asked.piece().await).await;
            assert!(rest.is_empty());
            assert!(told.is_none_or(|reason| reason != Reason::NO_ERROR), "{told:?}");
            goes_on(&mut world, crossing).await;
        }
    }
}

/// An end of a stream does not make an answer whole that told another length (RFC 9113, section 8.1.1).
#[tokio::test]
async fn an_answer_that_ends_before_its_length_is_broken_off() {
    for input in [Version::One, Version::Two] {
        let crossing = (input, Version::Two);
        let mut world = world(crossing, &[]).await;
        let mut asked = world.caller.ask("GET", "/x", &[]).await;
        let mut call = world.api.call().await;
        call.head(200, &[("content-length", "10")]).await;
        call.send(b"begin").await;
        call.end(&[]).await;
        asked.last_head().await;
        Piece::until_broken(async || asked.piece().await).await;
        goes_on(&mut world, crossing).await;
    }
}

/// A stream that was refused was not processed (RFC 9113, section 8.7): it may be sent again, whatever it is.
#[tokio::test]
async fn a_stream_that_was_refused_is_sent_again_or_a_bad_gateway() {
    for input in [Version::One, Version::Two] {
        let crossing = (input, Version::Two);
        let mut world = world(crossing, &[]).await;
        for method in ["GET", "POST"] {
            let mut asked = world.caller.begin(method, "/x", &[]).await;
            asked.send(b"body").await;
            asked.end(&[]).await;
            world.api.call().await.reset(Reason::REFUSED_STREAM).await;
            let mut processed = 0;
            let answer = loop {
                tokio::select! {
                    answer = asked.try_head() => break answer,
                    mut call = world.api.call() => {
                        assert_eq!(call.rest().await.0, b"body");
                        processed += 1;
                        call.answer(200, "again").await;
                    }
                }
            };
            match answer {
                Ok(head) if processed == 1 => assert_eq!(head.status, 200),
                Ok(head) => assert_eq!((processed, head.status), (0, 502)),
                Err(reason) => assert!(processed == 0 && input == Version::Two, "{reason:?}"),
            }
            world.caller = Caller::connect(input, &world.daemon).await;
        }
        goes_on(&mut world, crossing).await;
    }
}

/// On the same connections of HTTP/2.
#[tokio::test]
async fn others_are_not_disturbed() {
    let mut world = world((Version::Two, Version::Two), &[]).await;
    let mut kept = world.caller.begin("POST", "/kept", &[]).await;
    kept.send(b"begin,").await;
    let mut kept_call = world.api.call().await;
    assert_eq!(kept_call.bytes(6).await, b"begin,");
    for round in 0..20 {
        let mut other = world.caller.begin("POST", "/other", &[]).await;
        other.send(b"other").await;
        let mut call = world.api.call().await;
        assert_eq!(call.bytes(5).await, b"other");
        assert_eq!(call.connection, kept_call.connection);
        if round % 2 == 0 {
            other.give_up();
            call.given_up().await;
        } else {
            call.reset(Reason::INTERNAL_ERROR).await;
            refused(&mut other, (Version::Two, Version::Two)).await;
        }
    }
    kept.send(b"end").await;
    kept.end(&[]).await;
    assert_eq!(kept_call.rest().await.0, b"end");
    kept_call.answer(200, "kept").await;
    assert_eq!(kept.answer().await, (200, "kept".to_owned()));
}

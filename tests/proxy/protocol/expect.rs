//! `Expect: 100-continue`, end to end (RFC 9110, section 10.1.1): who waits for a go-ahead gets the API's.

use super::caller::Caller;
use super::{CROSSINGS, Piece, Version, world};
use crate::support::no_request_is_under_way;

const EXPECT: (&str, &str) = ("expect", "100-continue");

#[tokio::test]
async fn the_apis_go_ahead_comes_once_and_the_body_follows() {
    for output in [Version::One, Version::Two] {
        let mut world = world((Version::One, output), &[]).await;
        for fields in [&[EXPECT, ("content-length", "4")][..], &[EXPECT]] {
            let mut asked = world.caller.begin("POST", "/x", fields).await;
            let mut call = world.api.call().await;
            assert_eq!(call.headers["expect"], "100-continue");
            call.interim(100, &[]).await;
            assert_eq!(asked.head().await.status, 100);
            asked.send(b"body").await;
            asked.end(&[]).await;
            assert_eq!(call.rest().await.0, b"body");
            call.answer(200, "{}").await;
            let (before, head) = asked.last_head().await;
            assert_eq!((before, head.status), (vec![], 200), "one go-ahead is enough");
            assert_eq!(asked.rest().await.0, b"{}");
            world.caller.again(asked);
        }
    }
}

/// Some servers never say it (RFC 9110 lets a client go on after a while, and so may a proxy).
#[tokio::test]
async fn an_api_that_says_nothing_gets_the_body_all_the_same() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        let mut asked = world.caller.begin("POST", "/x", &[EXPECT, ("content-length", "4")]).await;
        let mut call = world.api.call().await;
        if crossing.0 == Version::One {
            assert_eq!(asked.head().await.status, 100);
        }
        asked.send(b"body").await;
        asked.end(&[]).await;
        assert_eq!(call.rest().await.0, b"body");
        call.answer(200, "{}").await;
        assert_eq!(asked.answer().await, (200, "{}".to_owned()));
    }
}

/// Most libraries send the body behind the head and wait for nothing.
#[tokio::test]
async fn a_client_that_does_not_wait_is_served() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        let mut asked = world.caller.begin("POST", "/x", &[EXPECT, ("content-length", "4")]).await;
        asked.send(b"body").await;
        asked.end(&[]).await;
        let mut call = world.api.call().await;
        call.interim(100, &[]).await;
        assert_eq!(call.rest().await.0, b"body");
        call.answer(200, "{}").await;
        assert_eq!(asked.answer().await, (200, "{}".to_owned()));
    }
}

/// What the API answers instead of a go-ahead is the answer, and nothing of the body was sent.
#[tokio::test]
async fn an_answer_instead_of_a_go_ahead_is_the_answer() {
    for crossing in CROSSINGS {
        for status in [417, 413, 403, 200] {
            let mut world = world(crossing, &[]).await;
            let mut asked = world.caller.begin("POST", "/x", &[EXPECT, ("content-length", "4")]).await;
            let call = world.api.call().await;
            call.answer(status, "answer").await;
            assert_eq!(asked.answer().await, (status, "answer".to_owned()));
            drop(asked);
            no_request_is_under_way(&world.daemon).await;
            // The body never comes, and the next request is none.
            let mut caller = Caller::connect(crossing.0, &world.daemon).await;
            let mut next = caller.ask("GET", "/next", &[]).await;
            let call = world.api.call().await;
            assert_eq!(call.path, "/next");
            call.answer(200, "next").await;
            assert_eq!(next.answer().await, (200, "next".to_owned()));
        }
    }
}

/// Who leaves while waiting leaves no half of a request behind that could be taken for a whole one.
#[tokio::test]
async fn a_client_that_leaves_while_it_waits_leaves_nothing_behind() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        let asked = world.caller.begin("POST", "/x", &[EXPECT]).await;
        let mut call = world.api.call().await;
        asked.give_up();
        assert!(matches!(call.piece().await, Piece::Broken(_)), "{crossing:?}");
        no_request_is_under_way(&world.daemon).await;
    }
}

/// Nothing comes before the API's word: whoever got a go-ahead would send a body that nobody wants. Of an API of
/// HTTP/2 the library does not tell the word, and the body goes at once.
#[tokio::test]
async fn nothing_comes_before_the_word_of_an_api_of_http1() {
    for status in [417, 413, 401, 200] {
        let mut world = world((Version::One, Version::One), &[]).await;
        // No credential of ours would be better for this one than the one it had.
        let mut asked =
            world.caller.begin("POST", "/checkout/complete", &[EXPECT, ("content-length", "4")]).await;
        world.api.call().await.answer(status, "answer").await;
        let (before, head) = asked.last_head().await;
        assert_eq!((before, head.status), (vec![], status));
        assert_eq!(asked.rest().await.0, b"answer");
    }
}

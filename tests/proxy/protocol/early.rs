//! Answers that come while the request's body is still on its way.

use std::time::{Duration, Instant};

use super::api::Call;
use super::caller::{Asked, Caller};
use super::{CROSSINGS, Crossing, Piece, Version, World, world};
use crate::support::{LIMIT, no_request_is_under_way};

/// Nobody who still reads takes so long for a piece.
const STANDS_STILL: Duration = Duration::from_secs(5);

/// A POST whose body has begun, and arrived as far.
async fn begun(crossing: Crossing) -> (World, Asked, Call) {
    let mut world = world(crossing, &[("requests.max_body", "64GiB")]).await;
    let mut asked = world.caller.begin("POST", "/x", &[]).await;
    asked.send(b"begin").await;
    let mut call = world.api.call().await;
    assert_eq!(call.bytes(5).await, b"begin");
    (world, asked, call)
}

#[tokio::test]
async fn the_answer_is_passed_and_the_body_goes_on() {
    for crossing in CROSSINGS {
        let (world, mut asked, mut call) = begun(crossing).await;
        call.head(200, &[]).await;
        call.send(b"echo of begin").await;
        assert_eq!(asked.last_head().await.1.status, 200);
        assert_eq!(asked.bytes(13).await, b"echo of begin");
        // Both directions are open: each piece is answered before the next is sent.
        for number in 0..20 {
            let piece = format!("piece {number}");
            asked.send(piece.as_bytes()).await;
            assert_eq!(call.bytes(piece.len()).await, piece.as_bytes());
            call.send(piece.as_bytes()).await;
            assert_eq!(asked.bytes(piece.len()).await, piece.as_bytes());
        }
        asked.end(&[]).await;
        assert!(matches!(call.piece().await, Piece::End(_)));
        call.end(&[]).await;
        assert!(asked.rest().await.0.is_empty());
        no_request_is_under_way(&world.daemon).await;
    }
}

/// As servers refuse an upload: they say so, and take no more.
#[tokio::test]
async fn a_refusal_is_passed_whole_when_the_api_takes_no_more() {
    for crossing in CROSSINGS {
        for round in 0..20 {
            let (_world, mut asked, mut call) = begun(crossing).await;
            let refusal = format!("no more, {round}");
            call.head(413, &refused(crossing, &refusal.len().to_string())).await;
            call.send(refusal.as_bytes()).await;
            call.end_and_reset().await;
            assert_eq!(asked.answer().await, (413, refusal));
        }
    }
}

/// The fields of an answer that is the last of its connection; HTTP/2 has no word for that.
fn refused((_, output): Crossing, length: &str) -> Vec<(&str, &str)> {
    let close = (output == Version::One).then_some(("connection", "close"));
    [("content-length", length)].into_iter().chain(close).collect()
}

#[tokio::test]
async fn the_rest_of_the_body_is_not_read_for_ever() {
    let [a, b, c, d] = CROSSINGS;
    tokio::join!(ends(a), ends(b), ends(c), ends(d));
}

/// Sends on and on behind a refusal, until no more is taken.
async fn ends(crossing: Crossing) {
    let (mut world, mut asked, mut call) = begun(crossing).await;
    call.head(413, &refused(crossing, "2")).await;
    call.send(b"no").await;
    call.end_and_reset().await;
    assert_eq!(asked.answer().await, (413, "no".to_owned()));
    let piece = vec![b'a'; 64 << 10];
    // As long as the proxy takes something it may not take less than a piece in this time.
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    let started = Instant::now();
    loop {
        pace.tick().await;
        match tokio::time::timeout(STANDS_STILL, asked.try_send(&piece)).await {
            Ok(Some(_)) => assert!(started.elapsed() < LIMIT, "{crossing:?}: it is read on and on"),
            // It is told to stop, or the way is full and nobody empties it.
            Ok(None) | Err(_) => break,
        }
    }
    drop(asked);
    no_request_is_under_way(&world.daemon).await;
    let mut caller = Caller::connect(crossing.0, &world.daemon).await;
    let mut next = caller.ask("GET", "/next", &[]).await;
    world.api.call().await.answer(200, "next").await;
    assert_eq!(next.answer().await, (200, "next".to_owned()));
}

/// The connection to the API stands in the middle of a request: no other may be sent on it.
#[tokio::test]
async fn what_was_not_sent_is_not_made_up_for_by_the_next_request() {
    for input in [Version::One, Version::Two] {
        let (mut world, mut asked, call) = begun((input, Version::One)).await;
        let first = call.connection;
        call.answer(400, "no more").await;
        assert_eq!(asked.answer().await, (400, "no more".to_owned()));
        asked.give_up();
        let mut caller = Caller::connect(input, &world.daemon).await;
        let mut next = caller.ask("GET", "/next", &[]).await;
        let call = world.api.call().await;
        assert_ne!(call.connection, first);
        assert_eq!(call.path, "/next");
        call.answer(200, "next").await;
        assert_eq!(next.answer().await, (200, "next".to_owned()));
    }
}

/// A stream that is reset without an error behind a whole answer is how HTTP/2 says that no more of the request
/// is wanted (RFC 9113, section 8.1).
#[tokio::test]
async fn a_reset_without_an_error_takes_nothing_of_the_answer() {
    for input in [Version::One, Version::Two] {
        let (_world, mut asked, mut call) = begun((input, Version::Two)).await;
        let answer = "a".repeat(100_000);
        call.head(200, &[]).await;
        let sending = tokio::spawn(async move {
            call.send(answer.as_bytes()).await;
            call.end_and_reset().await;
        });
        let (status, body) = asked.answer().await;
        assert_eq!((status, body.len()), (200, 100_000));
        sending.await.unwrap();
    }
}

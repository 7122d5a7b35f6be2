//! An API over HTTP/2 that leaves (RFC 9113, section 6.8): what it has taken on comes to its end, and nothing is
//! done twice.

use super::api::Api;
use super::caller::{Asked, Caller};
use super::frames::{ALL, Frames};
use super::{Piece, Version};
use crate::support::daemon::{Builder, Daemon};
use crate::support::within_limit;
use crate::wire::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, block, frame};

const NO_ERROR: u32 = 0;
const ENHANCE_YOUR_CALM: u32 = 11;

const INPUTS: [Version; 2] = [Version::One, Version::Two];

async fn world(input: Version) -> (Api, Daemon, Caller) {
    eprintln!("{input:?}");
    let api = Api::bare(Version::Two).await;
    let daemon = Builder::new(&api.base_url()).trust(api.ca_pem()).ready().await;
    let caller = Caller::connect(input, &daemon).await;
    (api, daemon, caller)
}

/// A request with a body.
async fn post(caller: &mut Caller, path: &str, body: &str) -> Asked {
    let mut asked = caller.begin("POST", path, &[]).await;
    asked.send(body.as_bytes()).await;
    asked.end(&[]).await;
    asked
}

/// A request that the API did not process is sent again, once, and answered, or it is a bad gateway.
async fn is_done_once_or_not_at_all(api: &mut Api, asked: &mut Asked, body: &str) {
    let mut kept = Vec::new();
    let head = loop {
        tokio::select! {
            head = asked.try_head() => break head,
            link = api.link() => {
                assert!(kept.is_empty(), "it was sent a third time");
                let mut frames = Frames::of(link).await;
                let (stream, sent) = frames.request().await.unwrap();
                assert_eq!(sent, body.as_bytes());
                frames.answer(stream, "again").await;
                kept.push(frames);
            }
        }
    };
    match head {
        Ok(head) if kept.len() == 1 => {
            assert_eq!(head.status, 200);
            assert_eq!(asked.rest().await.0, b"again");
        }
        Ok(head) => assert_eq!((kept.len(), head.status), (0, 502)),
        Err(reason) => assert!(kept.is_empty() && reason.is_some(), "{reason:?}"),
    }
    // What comes next is not to meet their end.
    for frames in kept {
        frames.leave().await;
    }
}

#[tokio::test]
async fn what_was_under_way_is_answered_and_the_next_goes_elsewhere() {
    for input in INPUTS {
        let (mut api, _daemon, mut caller) = world(input).await;
        let mut asked = post(&mut caller, "/x", "body").await;
        let mut first = Frames::of(api.link().await).await;
        let (stream, body) = first.request().await.unwrap();
        assert_eq!(body, b"body");
        // With care: first that it is about to leave, then what it has taken on.
        first.go_away(ALL, NO_ERROR).await;
        first.go_away(stream, NO_ERROR).await;
        first.answer(stream, "answer").await;
        assert_eq!(asked.answer().await, (200, "answer".to_owned()));
        caller.again(asked);

        let mut asked = post(&mut caller, "/next", "next").await;
        let mut second = Frames::of(api.link().await).await;
        let (stream, body) = second.request().await.unwrap();
        assert_eq!(body, b"next");
        second.answer(stream, "next").await;
        assert_eq!(asked.answer().await, (200, "next".to_owned()));
    }
}

#[tokio::test]
async fn an_answer_that_has_begun_comes_to_its_end() {
    for input in INPUTS {
        let (mut api, _daemon, mut caller) = world(input).await;
        let mut asked = caller.ask("GET", "/x", &[]).await;
        let mut first = Frames::of(api.link().await).await;
        let (stream, _) = first.request().await.unwrap();
        first.send(&frame(HEADERS, END_HEADERS, stream, &block(&[(":status", "200")]))).await;
        first.send(&frame(DATA, 0, stream, b"begin,")).await;
        assert_eq!(asked.last_head().await.1.status, 200);
        assert_eq!(asked.bytes(6).await, b"begin,");
        first.go_away(stream, NO_ERROR).await;
        first.send(&frame(DATA, 0, stream, b"middle,")).await;
        assert_eq!(asked.bytes(7).await, b"middle,");
        first.send(&frame(DATA, END_STREAM, stream, b"end")).await;
        assert_eq!(asked.rest().await.0, b"end");
    }
}

#[tokio::test]
async fn what_was_not_processed_is_done_once_or_not_at_all() {
    for code in [NO_ERROR, ENHANCE_YOUR_CALM] {
        for input in INPUTS {
            let (mut api, _daemon, mut caller) = world(input).await;
            let mut asked = post(&mut caller, "/x", "body").await;
            let mut first = Frames::of(api.link().await).await;
            first.request().await.unwrap();
            first.go_away(0, code).await;
            is_done_once_or_not_at_all(&mut api, &mut asked, "body").await;
        }
    }
}

#[tokio::test]
async fn of_two_under_way_one_was_processed() {
    let (mut api, _daemon, mut caller) = world(Version::Two).await;
    let mut one = post(&mut caller, "/one", "one").await;
    let mut first = Frames::of(api.link().await).await;
    let (stream, body) = first.request().await.unwrap();
    assert_eq!(body, b"one");
    let mut two = post(&mut caller, "/two", "two").await;
    let (other, body) = first.request().await.unwrap();
    assert_eq!(body, b"two");
    assert!(other > stream);
    first.go_away(stream, NO_ERROR).await;
    is_done_once_or_not_at_all(&mut api, &mut two, "two").await;
    first.answer(stream, "one").await;
    assert_eq!(one.answer().await, (200, "one".to_owned()));
}

/// It says so when nothing is under way, and closes.
#[tokio::test]
async fn an_api_that_leaves_between_two_requests_costs_none() {
    for input in INPUTS {
        let (mut api, _daemon, mut caller) = world(input).await;
        for round in 0..20 {
            let path = format!("/{round}");
            let mut asked = caller.ask("GET", &path, &[]).await;
            let mut frames = Frames::of(api.link().await).await;
            let (stream, _) = frames.request().await.unwrap();
            frames.answer(stream, &path).await;
            assert_eq!(asked.answer().await, (200, path));
            caller.again(asked);
            frames.go_away(stream, NO_ERROR).await;
            // The proxy closes the connection on which nothing is left to come.
            while frames.next().await.is_some() {}
        }
    }
}

/// The next request is on its way already when it says so.
#[tokio::test]
async fn an_api_that_leaves_as_the_next_request_comes_did_not_process_it() {
    for input in INPUTS {
        let (mut api, daemon, mut caller) = world(input).await;
        for round in 0..20 {
            let mut asked = caller.ask("GET", &format!("/{round}"), &[]).await;
            let mut frames = Frames::of(api.link().await).await;
            let (stream, _) = frames.request().await.unwrap();
            frames.answer(stream, "answer").await;
            assert_eq!(asked.answer().await, (200, "answer".to_owned()));
            caller.again(asked);
            let (mut asked, ()) = tokio::join!(post(&mut caller, "/next", "next"), async {
                for _ in 0..round % 10 {
                    tokio::task::yield_now().await;
                }
                frames.go_away(stream, NO_ERROR).await;
            });
            is_done_once_or_not_at_all(&mut api, &mut asked, "next").await;
            while frames.next().await.is_some() {}
            caller = Caller::connect(input, &daemon).await;
        }
    }
}

/// Without a word nobody knows what was processed: a request that changes something is not sent again.
#[tokio::test]
async fn a_connection_that_ends_without_a_word_is_a_bad_gateway() {
    for input in INPUTS {
        let (mut api, daemon, mut caller) = world(input).await;
        let mut asked = post(&mut caller, "/x", "body").await;
        let mut first = Frames::of(api.link().await).await;
        first.request().await.unwrap();
        drop(first);
        match asked.try_head().await {
            Ok(head) => assert_eq!(head.status, 502),
            Err(reason) => assert!(input == Version::Two && reason.is_some(), "{reason:?}"),
        }
        let mut caller = Caller::connect(input, &daemon).await;
        let mut next = caller.ask("GET", "/next", &[]).await;
        let mut second = Frames::of(api.link().await).await;
        let (stream, body) = second.request().await.unwrap();
        assert!(body.is_empty(), "it was sent twice");
        second.answer(stream, "next").await;
        assert_eq!(next.answer().await, (200, "next".to_owned()));
    }
}

#[tokio::test]
async fn a_connection_that_ends_within_an_answer_breaks_it_off() {
    for input in INPUTS {
        let (mut api, _daemon, mut caller) = world(input).await;
        let mut asked = caller.ask("GET", "/x", &[]).await;
        let mut first = Frames::of(api.link().await).await;
        let (stream, _) = first.request().await.unwrap();
        first.send(&frame(HEADERS, END_HEADERS, stream, &block(&[(":status", "200")]))).await;
        first.send(&frame(DATA, 0, stream, b"begin")).await;
        asked.last_head().await;
        assert_eq!(asked.bytes(5).await, b"begin");
        drop(first);
        let breaking = Piece::until_broken(async || asked.piece().await);
        assert!(within_limit("it breaks off", breaking).await.0.is_empty());
    }
}

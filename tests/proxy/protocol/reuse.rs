//! Connections to the API that end just as they are used again.

use h2::Reason;

use super::api::{Api, Call};
use super::caller::{Asked, Caller};
use super::frames::Frames;
use super::line::Line;
use super::{Version, World, world};
use crate::support::daemon::Builder;

const INPUTS: [Version; 2] = [Version::One, Version::Two];

/// A world with one connection to the API that waits for its next request.
async fn idle(input: Version) -> (World, Line) {
    let mut world = world((input, Version::One), &[]).await;
    let mut asked = world.caller.ask("GET", "/first", &[]).await;
    let line = world.api.call().await.answer_once(200, "first").await;
    assert_eq!(asked.answer().await, (200, "first".to_owned()));
    world.caller.again(asked);
    (world, line)
}

/// Answers what comes until the client has an answer: its status, and how often the request came.
async fn answered(api: &mut Api, asked: &mut Asked, path: &str) -> (u16, usize, Option<Line>) {
    let (mut times, mut line) = (0, None);
    loop {
        tokio::select! {
            head = asked.try_head() => {
                let head = head.unwrap_or_else(|reason| panic!("no answer to {path}: {reason:?}"));
                asked.rest().await;
                return (head.status, times, line);
            }
            call = api.call() => {
                assert_eq!(call.path, path);
                times += 1;
                line = Some(whole(call).await.answer_once(200, path).await);
            }
        }
    }
}

async fn whole(mut call: Call) -> Call {
    call.rest().await;
    call
}

/// Whatever the moment: the connection closes before, while or after the next request is written.
#[tokio::test]
async fn a_post_is_done_once_or_not_at_all_whenever_an_idle_connection_is_closed() {
    for input in INPUTS {
        let (mut world, line) = idle(input).await;
        let mut line = Some(line);
        for round in 0..200_usize {
            let path = format!("/{round}");
            let closing = line.take();
            let (mut asked, ()) = tokio::join!(
                async {
                    let mut asked = world.caller.begin("POST", &path, &[("content-length", "4")]).await;
                    asked.send(b"body").await;
                    asked.end(&[]).await;
                    asked
                },
                async {
                    for _ in 0..round % 10 {
                        tokio::task::yield_now().await;
                    }
                    drop(closing);
                }
            );
            let (status, times, next) = answered(&mut world.api, &mut asked, &path).await;
            assert!(matches!((status, times), (200, 1) | (502, 0)), "round {round}: {status}, {times} times");
            line = next;
            world.caller.again(asked);
        }
    }
}

/// The API has read it, and nobody knows what became of it.
#[tokio::test]
async fn a_post_that_was_read_is_never_sent_twice() {
    for input in INPUTS {
        let (mut world, mut line) = idle(input).await;
        let mut asked = world.caller.begin("POST", "/second", &[("content-length", "4")]).await;
        asked.send(b"body").await;
        asked.end(&[]).await;
        let (first, _) = line.head().await.unwrap();
        assert_eq!(first, "POST /second HTTP/1.1");
        drop(line);
        let (status, times, _) = answered(&mut world.api, &mut asked, "/second").await;
        assert_eq!((status, times), (502, 0));
        assert!(!world.api.has_calls());
    }
}

/// Over HTTP/2 a body may end in a frame of its own, which is of no interest to an API that knows its length.
#[tokio::test]
async fn a_body_whose_end_comes_apart_leaves_the_connection_to_the_next_request() {
    let mut world = world((Version::Two, Version::One), &[]).await;
    for _ in 0..5 {
        let mut asked = world.caller.begin("POST", "/x", &[("content-length", "4")]).await;
        asked.send(b"body").await;
        asked.end(&[]).await;
        let mut call = world.api.call().await;
        assert_eq!(call.rest().await.0, b"body");
        call.answer(200, "{}").await;
        assert_eq!(asked.answer().await, (200, "{}".to_owned()));
        world.caller.again(asked);
    }
    let connects = world.daemon.metric(r#"liquid_proxy_upstream_connects_total{outcome="connected"}"#).await;
    assert_eq!(connects, 1.0);
}

/// A handshake for each request above some number would cost more than all the rest.
#[tokio::test]
async fn the_connections_of_a_crowd_are_kept() {
    let mut api = Api::start(Version::One).await;
    let daemon = Builder::new(&api.base_url()).trust(api.ca_pem()).on_one_core().ready().await;
    assert_eq!(daemon.status().await["workers"], 1);
    let mut callers = Vec::new();
    for _ in 0..180 {
        callers.push(Caller::connect(Version::One, &daemon).await);
    }
    let mut before = None;
    for _ in 0..3 {
        let (mut asked, mut calls) = (Vec::new(), Vec::new());
        for caller in &mut callers {
            asked.push(caller.ask("GET", "/x", &[]).await);
        }
        // All of them at once.
        for _ in &callers {
            calls.push(api.call().await);
        }
        for call in calls {
            call.answer(200, "{}").await;
        }
        for (caller, mut asked) in callers.iter_mut().zip(asked) {
            assert_eq!(asked.answer().await, (200, "{}".to_owned()));
            caller.again(asked);
        }
        let connects = r#"liquid_proxy_upstream_connects_total{outcome="connected"}"#;
        let now = daemon.metric(connects).await;
        assert!(before.is_none_or(|before| before == now), "{before:?} connections, and then {now}");
        before = Some(now);
    }
}

/// What is tried again is not tried for ever.
#[tokio::test]
async fn an_api_that_closes_every_connection_is_a_bad_gateway() {
    for output in [Version::One, Version::Two] {
        let mut world = world((Version::One, output), &[]).await;
        for method in ["GET", "POST"] {
            let mut asked = world.caller.begin(method, "/x", &[("content-length", "0")]).await;
            let mut times = 0;
            let status = loop {
                tokio::select! {
                    answer = asked.answer() => break answer.0,
                    call = world.api.call() => {
                        call.reset(Reason::INTERNAL_ERROR).await;
                        times += 1;
                    }
                }
            };
            assert_eq!(status, 502);
            assert!((1..=4).contains(&times) && (times == 1 || method == "GET"), "{method}: {times} times");
            world.caller.again(asked);
        }
    }
}

/// An answer that begins, and one that is none, were sent by an API that had the request.
#[tokio::test]
async fn what_was_answered_in_part_is_never_sent_twice() {
    for input in INPUTS {
        for begin in
            ["HTTP/1.1 2", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n", "HTTP/1.1 100 Continue\r\n\r\n"]
        {
            let (mut world, mut line) = idle(input).await;
            let mut asked = world.caller.begin("POST", "/second", &[("content-length", "4")]).await;
            asked.send(b"body").await;
            asked.end(&[]).await;
            line.head().await.unwrap();
            line.send(begin.as_bytes()).await;
            drop(line);
            let (status, times, _) = answered(&mut world.api, &mut asked, "/second").await;
            assert_eq!((status, times), (502, 0), "{begin:?}");
        }
    }
}

/// HTTP/2 that ends between two requests, without a word.
#[tokio::test]
async fn a_connection_of_http2_that_was_closed_while_idle_costs_no_request() {
    for input in INPUTS {
        let mut api = Api::bare(Version::Two).await;
        let daemon = Builder::new(&api.base_url()).trust(api.ca_pem()).ready().await;
        let mut caller = Caller::connect(input, &daemon).await;
        for round in 0..10 {
            let path = format!("/{round}");
            let mut asked = caller.ask("GET", &path, &[]).await;
            let mut frames = Frames::of(api.link().await).await;
            let (stream, _) = frames.request().await.unwrap();
            frames.answer(stream, &path).await;
            assert_eq!(asked.answer().await, (200, path));
            caller.again(asked);
            // The proxy answers the end with its own, and so has seen it.
            frames.leave().await;
        }
    }
}

/// Whatever the moment: the connection closes before, while or after the next request is written.
#[tokio::test]
async fn a_get_succeeds_whenever_an_idle_connection_is_closed_before_it_was_read() {
    for input in INPUTS {
        let (mut world, line) = idle(input).await;
        let mut line = Some(line);
        for round in 0..200_usize {
            let path = format!("/{round}");
            let closing = line.take();
            let (mut asked, ()) = tokio::join!(world.caller.ask("GET", &path, &[]), async {
                for _ in 0..round % 10 {
                    tokio::task::yield_now().await;
                }
                drop(closing);
            });
            let (status, times, next) = answered(&mut world.api, &mut asked, &path).await;
            assert_eq!((status, times), (200, 1), "round {round}");
            line = next;
            world.caller.again(asked);
        }
    }
}

/// Nobody knows what became of it, and it changes nothing (RFC 9110, section 9.2.2).
#[tokio::test]
async fn a_get_whose_connection_was_closed_unanswered_is_sent_again() {
    for input in INPUTS {
        for method in ["GET", "HEAD"] {
            let (mut world, mut line) = idle(input).await;
            let mut asked = world.caller.ask(method, "/second", &[]).await;
            line.head().await.unwrap();
            drop(line);
            let mut head = async || {
                let call = world.api.call().await;
                assert_eq!(call.path, "/second");
                call.only_head(204, &[]).await;
            };
            let (_, answer) = tokio::select! {
                answer = asked.last_head() => answer,
                () = async { head().await; std::future::pending().await } => unreachable!(),
            };
            assert_eq!(answer.status, 204, "{method}");
        }
    }
}

//! Connections that nobody asks anything rest: the proxy lets go of what only a request needs. Clients do not notice.

mod begins;
mod ends;
mod unix;

use std::time::Duration;

use tokio::task::JoinSet;

use crate::support::client::Client;
use crate::support::daemon::{Builder, Daemon};
use crate::support::upstream::Upstream;
use crate::support::{came_to_its_end, eventually};

pub const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What the log says when a connection rests.
pub const RESTS: &str = "an app's connection rests";

/// And when it does not, because of what it has read.
const HAS_BEGUN: &str = "an app's connection does not rest: a request has begun";

async fn proxy(settings: &[(&str, &str)]) -> (Upstream, Daemon) {
    let upstream = Upstream::start().await;
    let builder = Builder::new(&upstream.base_url());
    let builder = settings.iter().fold(builder, |builder, (key, value)| builder.set(key, value));
    (upstream, builder.ready().await)
}

/// Waits until the log has said so this many times.
pub async fn said(daemon: &Daemon, what: &str, times: usize) {
    let said = async || (daemon.log().matches(what).count() == times).then_some(());
    eventually(&format!("{times} times: {what}"), said).await;
}

/// Sends a request, which the API answers.
async fn ask(client: &mut Client, upstream: &mut Upstream, answer: &str) {
    client.send(GET).await;
    upstream.call().await.last_answer("200 OK", "", answer).await;
    assert_eq!(client.answer().await.text(), answer);
}

#[tokio::test]
async fn a_client_rests_and_asks_again() {
    let (mut upstream, daemon) = proxy(&[]).await;
    let mut client = Client::connect(&daemon).await;
    for time in 1..=3 {
        ask(&mut client, &mut upstream, "answer").await;
        said(&daemon, RESTS, time).await;
    }
    client.send(b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody").await;
    let mut call = upstream.call().await;
    assert_eq!(call.body(4).await, b"body");
    call.last_answer("200 OK", "", "posted").await;
    assert_eq!(client.answer().await.text(), "posted");
    assert_eq!(daemon.metric("liquid_proxy_connections_total").await, 1.0);
    came_to_its_end(&daemon).await;
}

/// Where all of the body had come when the answer began: otherwise the rest of it may take any time.
#[tokio::test]
async fn a_client_rests_after_a_request_with_a_body() {
    let (mut upstream, daemon) = proxy(&[]).await;
    let mut client = Client::connect(&daemon).await;
    client.send(b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody").await;
    upstream.call().await.last_answer("200 OK", "", "posted").await;
    assert_eq!(client.answer().await.text(), "posted");
    said(&daemon, RESTS, 1).await;
    ask(&mut client, &mut upstream, "answer").await;
}

#[tokio::test]
async fn requests_that_are_sent_ahead_are_answered_around_a_rest() {
    let (mut upstream, daemon) = proxy(&[]).await;
    let mut client = Client::connect(&daemon).await;
    for time in 1..=3 {
        client.send(&[GET, GET].concat()).await;
        for answer in ["first", "second"] {
            upstream.call().await.last_answer("200 OK", "", answer).await;
        }
        for answer in ["first", "second"] {
            assert_eq!(client.answer().await.text(), answer);
        }
        said(&daemon, RESTS, time).await;
    }
}

#[tokio::test]
async fn half_a_request_that_was_read_already_is_not_lost() {
    let (mut upstream, daemon) = proxy(&[]).await;
    let mut client = Client::connect(&daemon).await;
    for (time, half) in [1, 10, GET.len() - 1].into_iter().enumerate() {
        client.send(&[GET, &GET[..half]].concat()).await;
        upstream.call().await.last_answer("200 OK", "", "first").await;
        assert_eq!(client.answer().await.text(), "first");
        said(&daemon, HAS_BEGUN, time + 1).await;
        client.send(&GET[half..]).await;
        upstream.call().await.last_answer("200 OK", "", "second").await;
        assert_eq!(client.answer().await.text(), "second");
    }
}

/// Empty lines between requests are nothing (RFC 9112, section 2.2).
#[tokio::test]
async fn empty_lines_are_no_request() {
    let (mut upstream, daemon) = proxy(&[]).await;
    let mut client = Client::connect(&daemon).await;
    ask(&mut client, &mut upstream, "first").await;
    said(&daemon, RESTS, 1).await;
    client.send(b"\r\n").await;
    ask(&mut client, &mut upstream, "second").await;
    said(&daemon, RESTS, 2).await;
    client.send(&[b"\r\n\r\n", GET].concat()).await;
    upstream.call().await.last_answer("200 OK", "", "third").await;
    assert_eq!(client.answer().await.text(), "third");
}

/// The pace is what is tested: at some of these moments the connection is about to rest.
#[tokio::test]
async fn a_request_may_come_at_any_moment() {
    let (mut upstream, daemon) = proxy(&[]).await;
    let answering = tokio::spawn(async move {
        loop {
            upstream.call().await.last_answer("200 OK", "", "answer").await;
        }
    });
    let mut clients = JoinSet::new();
    for late in 0..40 {
        let mut client = Client::connect(&daemon).await;
        clients.spawn(async move {
            client.send(GET).await;
            assert_eq!(client.answer().await.text(), "answer");
            let mut pace = tokio::time::interval(Duration::from_millis(40 + 3 * late));
            pace.tick().await;
            for part in GET.chunks(GET.len() / 2 + 1) {
                pace.tick().await;
                client.send(part).await;
            }
            assert_eq!(client.answer().await.text(), "answer");
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    answering.abort();
    came_to_its_end(&daemon).await;
}

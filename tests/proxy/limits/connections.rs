//! `listen.max_connections` and `listen.idle_timeout`.

use super::{closed, get, open, proxy};
use crate::support::client::{Answer, Client};
use crate::support::daemon::client;
use crate::support::{no_request_is_under_way, own_answer};

#[tokio::test]
async fn one_connection_too_many_hears_so_and_is_closed() {
    let (mut upstream, daemon) = proxy(&[("listen.max_connections", "2")]).await;
    let (first, _second) = (Client::connect(&daemon).await, Client::connect(&daemon).await);
    open(&daemon, 2).await;
    for count in 1..=3 {
        let mut third = Client::connect(&daemon).await;
        let answer = third.answer().await;
        let message = own_answer::check(&answer, "overloaded", "connection_limit_reached", "");
        assert!(message.contains("listen.max_connections"), "{message}");
        assert_eq!(answer.header("connection"), ["close"]);
        assert!(third.until_closed().await.is_empty());
        closed(&daemon, "max_connections", count).await;
    }
    assert_eq!(daemon.metric("liquid_proxy_connections_open").await, 2.0);
    drop(first);
    open(&daemon, 1).await;
    let mut next = get(&daemon).await;
    upstream.call().await.answer("200 OK", "", "next").await;
    assert_eq!(next.answer().await.text(), "next");
}

/// So many at once that not all are waited for.
#[tokio::test]
async fn a_crowd_that_is_turned_away_hears_so() {
    let (_upstream, daemon) = proxy(&[("listen.max_connections", "1"), ("log.access", "off")]).await;
    let only = Client::connect(&daemon).await;
    open(&daemon, 1).await;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(Client::connect(&daemon).await);
    }
    for mut client in crowd {
        assert_eq!(client.answer().await.header("x-liquid-proxy-error"), ["overloaded"]);
    }
    closed(&daemon, "max_connections", 300).await;
    drop(only);
}

/// A library sends its request at once, and must see the answer all the same.
#[tokio::test]
async fn libraries_see_why_they_are_turned_away() {
    let (mut upstream, daemon) = proxy(&[("listen.max_connections", "1")]).await;
    let _only = Client::connect(&daemon).await;
    open(&daemon, 1).await;
    for size in [0, 10, 1 << 20] {
        let answer = client().post(daemon.url("/x")).body(vec![b'a'; size]).send().await;
        let answer = Answer::of(answer.expect("there is an answer")).await;
        own_answer::check(&answer, "overloaded", "connection_limit_reached", "");
    }
    assert!(!upstream.has_calls());
}

#[tokio::test]
async fn idle_connections_are_closed_and_busy_ones_are_not() {
    let (mut upstream, daemon) = proxy(&[("listen.idle_timeout", "300ms")]).await;
    let mut busy = get(&daemon).await;
    let call = upstream.call().await;
    let mut used = get(&daemon).await;
    let kept = upstream.call().await.answer("200 OK", "", "{}").await;
    used.answer().await;
    // They were idle for as long as the busy one is busy.
    assert!(Client::connect(&daemon).await.until_closed().await.is_empty());
    assert!(used.until_closed().await.is_empty());
    closed(&daemon, "idle_timeout", 2).await;
    call.answer("200 OK", "", "late").await;
    assert_eq!(busy.answer().await.text(), "late");
    drop(kept);
    no_request_is_under_way(&daemon).await;
}

#[tokio::test]
async fn an_idle_connection_may_be_used_again_in_time() {
    let (mut upstream, daemon) =
        proxy(&[("listen.head_timeout", "100ms"), ("listen.idle_timeout", "1h")]).await;
    let mut client = get(&daemon).await;
    let call = upstream.call().await.answer("200 OK", "", "first").await;
    assert_eq!(client.answer().await.text(), "first");
    // Empty lines are no beginning of a head.
    client.send(b"\r\n\r\n").await;
    let late = Client::connect(&daemon).await;
    let mut late_head = late;
    late_head.send(b"GET").await;
    late_head.answer().await;
    client.head("GET /y HTTP/1.1\nHost: localhost").await;
    call.next().await.unwrap().answer("200 OK", "", "second").await;
    assert_eq!(client.answer().await.text(), "second");
}

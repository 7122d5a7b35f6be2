//! `requests.max_body` and `requests.max_in_flight`.

use super::{get, proxy};
use crate::support::client::{Answer, Client};
use crate::support::daemon::client;
use crate::support::{no_request_is_under_way, own_answer};

#[tokio::test]
async fn a_body_that_says_it_is_too_large_does_not_reach_the_api() {
    let (mut upstream, daemon) = proxy(&[("requests.max_body", "1KiB")]).await;
    let head = "POST /x HTTP/1.1\nHost: localhost\nContent-Length: 1025";
    let answer = Client::request(&daemon, head).await.answer().await;
    let message = own_answer::check(&answer, "request_too_large", "http_request_denied", "/x");
    assert!(message.contains("1024 bytes") && message.contains("requests.max_body"), "{message}");
    assert!(!upstream.has_calls());
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_broken_off() {
    let (mut upstream, daemon) = proxy(&[("requests.max_body", "1KiB")]).await;
    let head = "POST /x HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked";
    let mut client = Client::request(&daemon, head).await;
    client.send_chunk(&[b'a'; 1024]).await;
    let mut call = upstream.call().await;
    call.body_until(b"aaaa\r\n").await;
    client.send_chunk(b"b").await;
    own_answer::check(&client.answer().await, "request_too_large", "http_request_denied", "/x");
    let arrived = call.until_closed().await;
    assert!(arrived.ends_with(b"aaaa\r\n"), "more than was allowed: {:?}", String::from_utf8_lossy(&arrived));
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_passes() {
    let (mut upstream, daemon) = proxy(&[("requests.max_body", "1KiB")]).await;
    for framing in ["Content-Length: 1024", "Transfer-Encoding: chunked"] {
        let mut client =
            Client::request(&daemon, &format!("POST /x HTTP/1.1\nHost: localhost\n{framing}")).await;
        let mut call = upstream.call().await;
        if framing.ends_with("chunked") {
            client.send_chunk(&[b'a'; 1024]).await;
            client.send(b"0\r\n\r\n").await;
            call.body_until(b"0\r\n\r\n").await;
        } else {
            client.send(&[b'a'; 1024]).await;
            call.body(1024).await;
        }
        call.last_answer("200 OK", "", "{}").await;
        assert_eq!(client.answer().await.status, 200);
    }
}

#[tokio::test]
async fn who_is_still_sending_hears_that_it_is_too_much() {
    const BODY: usize = 8 * 1024 * 1024;
    let (mut upstream, daemon) = proxy(&[("requests.max_body", "1KiB")]).await;
    for _ in 0..10 {
        let response = client().post(daemon.url("/x")).body(vec![b'a'; BODY]).send().await;
        let answer = Answer::of(response.expect("the answer comes through")).await;
        own_answer::check(&answer, "request_too_large", "http_request_denied", "/x");
    }
    assert!(!upstream.has_calls());
}

#[tokio::test]
async fn who_waits_for_the_go_ahead_is_refused_without_it() {
    let (mut upstream, daemon) = proxy(&[("requests.max_body", "1KiB")]).await;
    let head = "POST /x HTTP/1.1\nHost: localhost\nContent-Length: 1025\nExpect: 100-continue";
    let answer = Client::request(&daemon, head).await.answer().await;
    own_answer::check(&answer, "request_too_large", "http_request_denied", "/x");
    assert!(!upstream.has_calls());
}

#[tokio::test]
async fn a_client_that_leaves_makes_room() {
    let (mut upstream, daemon) = proxy(&[("requests.max_in_flight", "1")]).await;
    let first = get(&daemon).await;
    let call = upstream.call().await;
    drop(first);
    call.closed().await;
    no_request_is_under_way(&daemon).await;
    let mut second = get(&daemon).await;
    upstream.call().await.answer("200 OK", "", "second").await;
    assert_eq!(second.answer().await.text(), "second");
}

#[tokio::test]
async fn one_request_too_many_is_sent_away_until_another_ends() {
    let (mut upstream, daemon) = proxy(&[("requests.max_in_flight", "1")]).await;
    let mut first = get(&daemon).await;
    let call = upstream.call().await;

    let answer = get(&daemon).await.answer().await;
    let message = own_answer::check(&answer, "overloaded", "connection_limit_reached", "/x");
    assert!(message.contains("requests.max_in_flight"), "{message}");
    assert!(!upstream.has_calls());

    call.last_answer("200 OK", "", "first").await;
    assert_eq!(first.answer().await.text(), "first");
    no_request_is_under_way(&daemon).await;
    let mut third = get(&daemon).await;
    upstream.call().await.answer("200 OK", "", "third").await;
    assert_eq!(third.answer().await.text(), "third");
}

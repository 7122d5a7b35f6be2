//! `upstream.response_timeout` and `upstream.idle_timeout`.

use std::time::Duration;

use super::{get, proxy};
use crate::support::client::Client;
use crate::support::{eventually, own_answer};

#[tokio::test]
async fn an_api_that_does_not_answer_is_given_up() {
    let (mut upstream, daemon) = proxy(&[("upstream.response_timeout", "300ms")]).await;
    let mut client = get(&daemon).await;
    let call = upstream.call().await;
    let answer = client.answer().await;
    let message = own_answer::check(&answer, "upstream_timeout", "http_response_timeout", "/x");
    assert!(message.contains("0.3 s"), "{message}");
    call.closed().await;
}

#[tokio::test]
async fn an_upload_that_goes_on_may_take_longer_than_an_answer() {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let (mut upstream, daemon) = proxy(&[("upstream.response_timeout", "2s")]).await;
    let head = "POST /x HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked";
    let mut client = Client::request(&daemon, head).await;
    let mut call = upstream.call().await;
    // The pace is what is tested: the upload takes longer than the answer may.
    let mut pace = tokio::time::interval(TIMEOUT / 4);
    for _ in 0..6 {
        pace.tick().await;
        client.send_chunk(b"piece").await;
    }
    client.send(b"0\r\n\r\n").await;
    call.body_until(b"0\r\n\r\n").await;
    call.answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn an_upload_that_stands_still_is_given_up() {
    let (mut upstream, daemon) = proxy(&[("upstream.idle_timeout", "300ms")]).await;
    let mut client = Client::request(&daemon, "POST /x HTTP/1.1\nHost: localhost\nContent-Length: 10").await;
    client.send(b"begin").await;
    let call = upstream.call().await;
    let answer = client.answer().await;
    let message = own_answer::check(&answer, "request_timeout", "http_request_error", "/x");
    assert!(message.contains("0.3 s"), "{message}");
    assert_eq!(call.until_closed().await, b"begin");
}

#[tokio::test]
async fn an_answer_that_stands_still_is_broken_off() {
    let (mut upstream, daemon) = proxy(&[("upstream.idle_timeout", "300ms")]).await;
    let mut client = get(&daemon).await;
    let mut call = upstream.call().await;
    call.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nbegin").await;
    assert_eq!(client.answer_head().await.status, 200);
    assert_eq!(client.until_closed().await, b"begin");
    call.closed().await;
    let broken_off = r#"liquid_proxy_requests_broken_off_total{by="upstream"}"#;
    eventually("it is counted", async || (daemon.metric(broken_off).await == 1.0).then_some(())).await;
}

//! What happens when one side goes away before the end.

use crate::support::client::Client;
use crate::support::daemon::{Builder, Daemon};
use crate::support::upstream::Upstream;
use crate::support::{came_to_its_end, eventually};

async fn proxy() -> (Upstream, Daemon) {
    let upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    (upstream, daemon)
}

/// Waits until one request was counted as broken off by `by`, none by the other, and none is under way.
async fn counted(daemon: &Daemon, by: &str) {
    let broken_off = async |by: &str| {
        daemon.metric(&format!(r#"liquid_proxy_requests_broken_off_total{{by="{by}"}}"#)).await
    };
    eventually("the request is counted", async || (broken_off(by).await == 1.0).then_some(())).await;
    let other = if by == "client" { "upstream" } else { "client" };
    assert_eq!(broken_off(other).await, 0.0);
    assert_eq!(daemon.metric("liquid_proxy_requests_in_flight").await, 0.0);
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_takes_its_request_with_it() {
    let (mut upstream, daemon) = proxy().await;
    let client = Client::request(&daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    let call = upstream.call().await;
    assert_eq!(daemon.metric("liquid_proxy_requests_in_flight").await, 1.0);
    drop(client);
    call.closed().await;
    counted(&daemon, "client").await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_answer_ends_it() {
    let (mut upstream, daemon) = proxy().await;
    let mut client = Client::request(&daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    let mut call = upstream.call().await;
    call.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegin").await;
    client.answer_head().await;
    assert_eq!(client.bytes(5).await, b"begin");
    drop(client);
    call.closed().await;
    counted(&daemon, "client").await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_request_ends_it() {
    let (mut upstream, daemon) = proxy().await;
    let mut client =
        Client::request(&daemon, "POST /x HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked").await;
    client.send_chunk(b"begin").await;
    let mut call = upstream.call().await;
    call.body_until(b"begin\r\n").await;
    drop(client);
    assert_eq!(call.until_closed().await, b"5\r\nbegin\r\n", "no end, so that it is not taken for the whole");
    counted(&daemon, "client").await;
}

#[tokio::test]
async fn an_answer_with_a_length_that_breaks_off_is_not_ended_well() {
    let (mut upstream, daemon) = proxy().await;
    let mut client = Client::request(&daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    let mut call = upstream.call().await;
    call.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegin").await;
    assert_eq!(client.answer_head().await.header("content-length"), ["100"]);
    drop(call);
    assert_eq!(client.until_closed().await, b"begin");
    counted(&daemon, "upstream").await;
}

#[tokio::test]
async fn an_answer_in_chunks_that_breaks_off_is_not_ended_well() {
    let (mut upstream, daemon) = proxy().await;
    let mut client = Client::request(&daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    let mut call = upstream.call().await;
    call.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegin\r\n").await;
    client.answer_head().await;
    drop(call);
    assert_eq!(client.until_closed().await, b"5\r\nbegin\r\n");
    counted(&daemon, "upstream").await;
}

#[tokio::test]
async fn an_answer_that_came_to_its_end_is_counted_as_whole() {
    let (mut upstream, daemon) = proxy().await;
    let mut client = Client::request(&daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    upstream.call().await.answer("200 OK", "", "all of it").await;
    assert_eq!(client.answer().await.text(), "all of it");
    drop(client);
    came_to_its_end(&daemon).await;
}

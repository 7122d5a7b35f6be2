//! An API that is not there, or that is not one.

use super::{get, proxy};
use crate::support::daemon::Builder;
use crate::support::own_answer;
use crate::support::port::Port;
use crate::support::upstream::Upstream;

#[tokio::test]
async fn nobody_listens() {
    let port = Port::reserve();
    let upstream = Upstream::start_at(port.address()).await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    upstream.stop().await;

    let answer = get(&daemon).await.answer().await;
    let message = own_answer::check(&answer, "upstream_unreachable", "connection_refused", "/x");
    assert_eq!(message, format!("cannot reach the API: {}: connection refused", port.address()));

    let mut upstream = Upstream::start_at(port.address()).await;
    let mut client = get(&daemon).await;
    upstream.call().await.answer("200 OK", "", "back").await;
    assert_eq!(client.answer().await.text(), "back");
}

#[tokio::test]
async fn whoever_listens_speaks_no_http() {
    let (mut upstream, daemon) = proxy(&[]).await;
    for garbage in ["SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1 many OK\r\n\r\n", "\0\0\0\0\0\0\0\0\0"] {
        let mut client = get(&daemon).await;
        let mut call = upstream.call().await;
        call.send(garbage.as_bytes()).await;
        let answer = client.answer().await;
        let message = own_answer::check(&answer, "upstream_protocol_error", "http_protocol_error", "/x");
        assert!(message.ends_with("it is not HTTP"), "{garbage:?}: {message}");
    }
}

#[tokio::test]
async fn the_connection_closes_before_the_answer() {
    let (mut upstream, daemon) = proxy(&[]).await;
    for begin in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
        let mut client = get(&daemon).await;
        let mut call = upstream.call().await;
        call.send(begin.as_bytes()).await;
        drop(call);
        let answer = client.answer().await;
        let message = own_answer::check(&answer, "upstream_protocol_error", "http_protocol_error", "/x");
        assert!(message.ends_with("the connection closed before the answer"), "{begin:?}: {message}");
        assert!(!upstream.has_calls(), "it was sent twice");
    }
}

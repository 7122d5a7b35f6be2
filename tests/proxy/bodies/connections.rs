//! How long a client's connection lasts.

use super::{asked, proxy};
use crate::support::client::Client;
use crate::support::daemon::Builder;
use crate::support::upstream::Upstream;

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let (mut upstream, daemon) = proxy().await;
    let mut client = Client::connect(&daemon).await;
    for number in 0..3 {
        client.head(&format!("GET /{number} HTTP/1.1\nHost: localhost")).await;
        let call = upstream.call().await;
        assert_eq!(call.line(), format!("GET /{number} HTTP/1.1"));
        call.last_answer("200 OK", "", &number.to_string()).await;
        assert_eq!(client.answer().await.text(), number.to_string());
    }
    assert_eq!(daemon.metric("liquid_proxy_connections_total").await, 1.0);
}

#[tokio::test]
async fn a_connection_to_the_api_serves_one_request_after_the_other() {
    let (mut upstream, daemon) = proxy().await;
    let mut client = Client::request(&daemon, "GET /first HTTP/1.1\nHost: localhost").await;
    let call = upstream.call().await.answer("200 OK", "", "first").await;
    assert_eq!(client.answer().await.text(), "first");

    client.head("GET /second HTTP/1.1\nHost: localhost").await;
    let call = call.next().await.unwrap();
    assert_eq!(call.line(), "GET /second HTTP/1.1");
    call.answer("200 OK", "", "second").await;
    assert_eq!(client.answer().await.text(), "second");
    assert!(!upstream.has_calls());
}

#[tokio::test]
async fn requests_that_are_sent_ahead_are_answered_in_order() {
    let (mut upstream, daemon) = proxy().await;
    let mut client = Client::connect(&daemon).await;
    client
        .send(
            b"GET /first HTTP/1.1\r\nHost: localhost\r\n\r\nGET /second HTTP/1.1\r\nHost: localhost\r\n\r\n",
        )
        .await;
    for name in ["first", "second"] {
        let call = upstream.call().await;
        assert_eq!(call.line(), format!("GET /{name} HTTP/1.1"));
        call.last_answer("200 OK", "", name).await;
    }
    assert_eq!(client.answer().await.text(), "first");
    assert_eq!(client.answer().await.text(), "second");
}

#[tokio::test]
async fn a_client_of_http_1_0_is_served() {
    let (mut upstream, daemon) = proxy().await;
    let (client, call) = asked(&mut upstream, &daemon, "GET /x HTTP/1.0\nHost: localhost").await;
    assert_eq!(call.line(), "GET /x HTTP/1.1");
    call.answer("200 OK", "", "with a length").await;
    let answer = String::from_utf8(client.until_closed().await).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nwith a length"), "{answer}");
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_no_chunks() {
    let (mut upstream, daemon) = proxy().await;
    let (client, mut call) = asked(&mut upstream, &daemon, "GET /x HTTP/1.0\nHost: localhost").await;
    call.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndata\r\n0\r\n\r\n").await;
    let answer = String::from_utf8(client.until_closed().await).unwrap();
    assert!(!answer.to_lowercase().contains("transfer-encoding"), "{answer}");
    assert!(answer.ends_with("\r\n\r\ndata"), "{answer}");
}

#[tokio::test]
async fn a_connection_that_its_client_wants_closed_is_closed() {
    let (mut upstream, daemon) = proxy().await;
    let (client, call) =
        asked(&mut upstream, &daemon, "GET /x HTTP/1.1\nHost: localhost\nConnection: close").await;
    call.answer("200 OK", "", "last").await;
    let answer = String::from_utf8(client.until_closed().await).unwrap();
    assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nlast"), "{answer}");
}

/// An API that answers instead of asking for the body: what waits for it on both sides comes to its end.
#[tokio::test]
async fn a_body_that_nobody_asked_for_holds_no_connection() {
    // The second may not be sent twice, so nothing of it is kept.
    for path in ["/x", "/checkout/complete"] {
        for is_sent in [false, true] {
            let (mut upstream, daemon) = proxy().await;
            let head =
                format!("POST {path} HTTP/1.1\nHost: localhost\nContent-Length: 4\nExpect: 100-continue");
            let (mut client, call) = asked(&mut upstream, &daemon, &head).await;
            if is_sent {
                client.send(b"body").await;
            }
            let call = call.answer("403 Forbidden", "", "no").await;
            assert_eq!(client.answer().await.status, 403);
            call.closed().await;
            if is_sent {
                client.head("GET /next HTTP/1.1\nHost: localhost").await;
                upstream.call().await.answer("200 OK", "", "next").await;
                assert_eq!(client.answer().await.text(), "next");
            } else {
                assert_eq!(client.until_closed().await, b"");
            }
        }
    }
}

#[tokio::test]
async fn a_401_instead_of_the_go_ahead_is_answered_with_the_body_and_leaves_nothing_behind() {
    let mut upstream = Upstream::with_new_tokens().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    let head = "POST /x HTTP/1.1\nHost: localhost\nContent-Length: 4\nExpect: 100-continue";
    let (mut client, call) = asked(&mut upstream, &daemon, head).await;
    client.send(b"body").await;
    let first = call.answer("401 Unauthorized", "", "{}").await;
    let mut second = upstream.call().await;
    assert_eq!(second.body(4).await, b"body");
    second.answer("200 OK", "", "done").await;
    assert!(client.until(b"done").await.starts_with(b"HTTP/1.1 100 Continue"));
    first.closed().await;
}

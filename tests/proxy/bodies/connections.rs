//! How long a client's connection lasts.

use super::{asked, proxy};
use crate::support::client::Client;

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

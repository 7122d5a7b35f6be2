//! Clients that do not come as far as a request, or do not take what they get.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::io::AsyncWriteExt;

use super::{World, handshakes_failed};
use crate::support::client::Client;
use crate::support::{eventually, no_request_is_under_way, own_answer};

/// The begin of a TLS record that says it has 512 bytes.
const HALF_A_RECORD: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01";

#[tokio::test]
async fn plain_http_is_told_what_is_spoken() {
    let mut world = World::new(None, &[]).await;
    let answer = Client::request(&world.daemon, "GET /x HTTP/1.1\nHost: localhost").await.answer().await;
    let message = own_answer::check(&answer, "request_broken", "http_request_error", "");
    assert!(message.contains("use https"), "{message}");
    handshakes_failed(&world.daemon, 1).await;
    let mut client = Client::connect(&world.daemon).await;
    client.send(b"\0\0\0\0\0\0\0\0").await;
    client.until_closed().await;
    handshakes_failed(&world.daemon, 2).await;
    assert!(!world.upstream.has_calls());
}

#[tokio::test]
async fn a_handshake_has_the_time_of_a_head() {
    let world = World::new(None, &[("listen.head_timeout", "300ms")]).await;
    for begin in [&b""[..], HALF_A_RECORD] {
        let mut client = Client::connect(&world.daemon).await;
        let began = Instant::now();
        client.send(begin).await;
        assert!(client.until_closed().await.is_empty());
        assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    }
    handshakes_failed(&world.daemon, 2).await;
}

#[tokio::test]
async fn half_a_head_is_answered_in_tls() {
    let world = World::new(None, &[("listen.head_timeout", "300ms")]).await;
    let mut stream = world.authority.connect(&world.daemon, None, b"http/1.1").await.unwrap();
    stream.write_all(b"GET /x HTT").await.unwrap();
    let mut answer = Vec::new();
    // An error is what an end without TLS's own looks like.
    let _ = crate::support::within_limit(
        "it is closed",
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer),
    )
    .await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request_timeout"), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed() {
    let mut world =
        World::new(None, &[("listen.send_timeout", "400ms"), ("requests.max_in_flight", "1")]).await;
    let mut stream = world.authority.connect(&world.daemon, None, b"http/1.1").await.unwrap();
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let call = world.upstream.call().await;
    let sending = tokio::spawn(async move {
        let mut stream = call.into_stream();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'a'; 64 * 1024]).await.is_ok() {}
    });
    let name = r#"liquid_proxy_connections_closed_total{reason="send_timeout"}"#;
    eventually("it is closed", async || (world.daemon.metric(name).await == 1.0).then_some(())).await;
    sending.await.unwrap();
    no_request_is_under_way(&world.daemon).await;
    let client = world.client(None);
    assert_eq!(world.ask(&client).await.unwrap().status, 200);
}

#[tokio::test]
async fn half_a_handshake_does_not_hold_the_drain() {
    let mut world =
        World::new(None, &[("shutdown.drain_timeout", "5m"), ("listen.head_timeout", "5m")]).await;
    let mut client = Client::connect(&world.daemon).await;
    client.send(HALF_A_RECORD).await;
    let open = async || (world.daemon.metric("liquid_proxy_connections_open").await == 1.0).then_some(());
    eventually("it is served", open).await;
    world.daemon.signal(Signal::TERM);
    assert_eq!(world.daemon.ends().await.code(), Some(0));
}

/// One too many would have to be talked to in TLS: it is closed without a word.
#[tokio::test]
async fn one_too_many_is_closed() {
    let world = World::new(None, &[("listen.max_connections", "1")]).await;
    let _only = world.authority.connect(&world.daemon, None, b"http/1.1").await.unwrap();
    world.authority.connect(&world.daemon, None, b"http/1.1").await.unwrap_err();
    assert_eq!(
        world.daemon.metric(r#"liquid_proxy_connections_closed_total{reason="max_connections"}"#).await,
        1.0
    );
}

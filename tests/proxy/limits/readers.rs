//! `listen.send_timeout`: clients that ask and do not take what they get.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use super::{closed, get, proxy};
use crate::support::daemon::Daemon;
use crate::support::upstream::{Call, Upstream};
use crate::support::{eventually, no_request_is_under_way};

/// One place in flight, so that it shows when it is given back.
const SETTINGS: [(&str, &str); 2] = [("listen.send_timeout", "400ms"), ("requests.max_in_flight", "1")];

/// Answers with more than anyone takes without reading it.
pub(super) fn without_end(call: Call) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut stream = call.into_stream();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'a'; 64 * 1024]).await.is_ok() {}
    })
}

/// A request over HTTP/2, with a small window; the answer's head has come, and nothing is read of its body.
pub(super) async fn http2(
    daemon: &Daemon,
    window: u32,
) -> (http2::SendRequest<Empty<Bytes>>, Request<Empty<Bytes>>) {
    let stream = TcpStream::connect(daemon.address()).await.unwrap();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window).initial_connection_window_size(1 << 20);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    (sender, Request::get(daemon.url("/x")).body(Empty::new()).unwrap())
}

async fn has_room_again(daemon: &Daemon, upstream: &mut Upstream) {
    no_request_is_under_way(daemon).await;
    let mut next = get(daemon).await;
    upstream.call().await.answer("200 OK", "", "next").await;
    assert_eq!(next.answer().await.text(), "next");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed() {
    let (mut upstream, daemon) = proxy(&SETTINGS).await;
    let client = get(&daemon).await;
    let sending = without_end(upstream.call().await);
    closed(&daemon, "send_timeout", 1).await;
    sending.await.unwrap();
    has_room_again(&daemon, &mut upstream).await;
    drop(client);
}

/// Answers that are a head and nothing else fill the way to the client as well.
#[tokio::test]
async fn a_client_that_asks_on_and_on_without_reading_is_closed() {
    let (_upstream, daemon) = proxy(&SETTINGS).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(daemon.address()).await.unwrap();
    let request = "HEAD /authentication HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    // An error means that it is closed.
    let asking = tokio::spawn(async move { while stream.write_all(request.as_bytes()).await.is_ok() {} });
    closed(&daemon, "send_timeout", 1).await;
    asking.await.unwrap();
    no_request_is_under_way(&daemon).await;
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_served() {
    let (mut upstream, daemon) = proxy(&SETTINGS).await;
    let mut client = get(&daemon).await;
    let sending = without_end(upstream.call().await);
    client.answer_head().await;
    // Each time more than what the system takes from both sides by itself, and later than half of the time.
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(200));
    for _ in 0..8 {
        pace.tick().await;
        client.bytes(16 << 20).await;
    }
    assert_eq!(daemon.metric("liquid_proxy_requests_in_flight").await, 1.0);
    drop(client);
    sending.await.unwrap();
    has_room_again(&daemon, &mut upstream).await;
}

/// The system tells of room only when much of its buffer is free again: that must not take longer than the limit.
#[tokio::test]
async fn a_client_that_reads_little_at_a_time_is_served() {
    let (mut upstream, daemon) = proxy(&[("listen.send_timeout", "2s")]).await;
    let mut client = get(&daemon).await;
    let sending = without_end(upstream.call().await);
    client.answer_head().await;
    // Half a megabyte a second, until more is read than the limit allows to be read between two marks.
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(20));
    for _ in 0..300 {
        pace.tick().await;
        client.bytes(10_000).await;
    }
    drop(client);
    sending.await.unwrap();
    no_request_is_under_way(&daemon).await;
    assert_eq!(daemon.metric(r#"liquid_proxy_connections_closed_total{reason="send_timeout"}"#).await, 0.0);
}

#[tokio::test]
async fn a_window_that_stays_shut_is_a_client_that_does_not_read() {
    for length in [2_000, 1_000_000] {
        let (mut upstream, daemon) = proxy(&SETTINGS).await;
        let (mut sender, request) = http2(&daemon, 1_000).await;
        let asking =
            tokio::spawn(async move { sender.send_request(request).await.map(|answer| (answer, sender)) });
        let call = upstream.call().await;
        let answering = tokio::spawn(async move { call.answer("200 OK", "", &"a".repeat(length)).await });
        let (answer, _sender) = asking.await.unwrap().unwrap();
        // However short the answer: its place is taken until it is out.
        let refused = get(&daemon).await.answer().await;
        assert_eq!(refused.status, 503);
        closed(&daemon, "send_timeout", 1).await;
        drop(answering);
        has_room_again(&daemon, &mut upstream).await;
        drop(answer);
    }
}

#[tokio::test]
async fn a_window_that_opens_again_in_time_is_fine() {
    let (mut upstream, daemon) = proxy(&SETTINGS).await;
    let (mut sender, request) = http2(&daemon, 1_000).await;
    let asking =
        tokio::spawn(async move { sender.send_request(request).await.map(|answer| (answer, sender)) });
    let call = upstream.call().await;
    let length = 12_000;
    call.answer("200 OK", "", &"a".repeat(length)).await;
    let (answer, _sender) = asking.await.unwrap().unwrap();
    let mut body: Incoming = answer.into_body();
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(100));
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        pace.tick().await;
        read += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(read, length);
    has_room_again(&daemon, &mut upstream).await;
}

#[tokio::test]
async fn an_api_that_takes_its_time_is_not_the_clients_fault() {
    let (mut upstream, daemon) =
        proxy(&[("listen.send_timeout", "100ms"), ("listen.idle_timeout", "600ms")]).await;
    let mut client = get(&daemon).await;
    let (mut sender, request) = http2(&daemon, 1_000).await;
    let mut call = upstream.call().await;
    let asking =
        tokio::spawn(async move { sender.send_request(request).await.map(|answer| (answer, sender)) });
    let mut other = upstream.call().await;
    for call in [&mut call, &mut other] {
        call.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nbegin").await;
    }
    client.answer_head().await;
    let (answer, _sender) = asking.await.unwrap().unwrap();
    // An idle connection lives six times as long as a client may take for nothing.
    let idle = super::Client::connect(&daemon).await;
    assert!(idle.until_closed().await.is_empty());
    for call in [&mut call, &mut other] {
        call.send(b"--end").await;
    }
    assert_eq!(client.bytes(10).await, b"begin--end");
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "begin--end");
    eventually("all are out", async || {
        (daemon.metric("liquid_proxy_requests_in_flight").await == 0.0).then_some(())
    })
    .await;
}

//! `listen.head_timeout`, `requests.max_headers`, `requests.max_head` and `requests.max_uri`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::{closed, proxy};
use crate::support::client::Client;
use crate::support::own_answer;

#[tokio::test]
async fn half_a_head_is_answered_and_closed() {
    let (mut upstream, daemon) = proxy(&[("listen.head_timeout", "300ms")]).await;
    for begin in ["G", "GET /x HTTP/1.1\r\nHost: local", "PRI * HTTP/2.0\r\n\r\n"] {
        let mut client = Client::connect(&daemon).await;
        let began = Instant::now();
        client.send(begin.as_bytes()).await;
        let answer = client.answer().await;
        assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
        let message = own_answer::check(&answer, "request_timeout", "http_request_error", "");
        assert!(message.contains("0.3 s") && message.contains("listen.head_timeout"), "{message}");
        assert!(client.until_closed().await.is_empty());
    }
    closed(&daemon, "head_timeout", 3).await;
    assert!(!upstream.has_calls());
}

#[tokio::test]
async fn byte_after_byte_wins_no_time() {
    let (_upstream, daemon) = proxy(&[("listen.head_timeout", "400ms")]).await;
    let (read, stream) = Client::connect(&daemon).await.into_parts();
    assert!(read.is_empty());
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let head = b"GET /x HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".iter().copied();
    for byte in head.chain(std::iter::repeat(b'z')) {
        pace.tick().await;
        // An error means that it is closed.
        if stream.try_write(&[byte]).is_err() {
            break;
        }
    }
    closed(&daemon, "head_timeout", 1).await;
}

#[tokio::test]
async fn a_second_head_has_its_time_too() {
    let (mut upstream, daemon) = proxy(&[("listen.head_timeout", "300ms")]).await;
    let mut client = Client::request(&daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    upstream.call().await.answer("200 OK", "", "{}").await;
    client.answer().await;
    client.send(b"GET /y").await;
    own_answer::check(&client.answer().await, "request_timeout", "http_request_error", "");
    closed(&daemon, "head_timeout", 1).await;
}

fn headers(count: usize) -> String {
    let host = "Host: localhost".to_owned();
    (1..count).map(|number| format!("X-{number}: v")).fold(host, |head, line| head + "\n" + &line)
}

#[tokio::test]
async fn so_many_headers_pass_and_one_more_does_not() {
    for most in [5, 100, 200] {
        let (mut upstream, daemon) = proxy(&[("requests.max_headers", &most.to_string())]).await;
        let mut client = Client::request(&daemon, &format!("GET /x HTTP/1.1\n{}", headers(most))).await;
        let call = upstream.call().await;
        assert_eq!(call.header(&format!("x-{}", most - 1)), ["v"]);
        call.answer("200 OK", "", "{}").await;
        assert_eq!(client.answer().await.status, 200);

        let head = format!("GET /x HTTP/1.1\n{}", headers(most + 1));
        let answer = Client::request(&daemon, &head).await.answer().await;
        // From hyper's own limit on it is no request that has a path.
        let path = if most < 100 { "/x" } else { "" };
        let message = own_answer::check(&answer, "head_too_large", "http_request_error", path);
        assert!(message.contains(&format!("more than {most} headers")), "{message}");
        assert!(!upstream.has_calls());
        if path.is_empty() {
            closed(&daemon, "head_too_large", 1).await;
        }
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_however_large() {
    let (mut upstream, daemon) = proxy(&[]).await;
    let head = |size: usize| format!("GET /x HTTP/1.1\nHost: localhost\nX-Large: {}", "v".repeat(size));
    let mut client = Client::request(&daemon, &head(63 << 10)).await;
    upstream.call().await.answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);

    for (size, path) in [(64 << 10, "/x"), (80 << 10, "/x"), (200 << 10, ""), (32 << 20, "")] {
        let mut client = Client::connect(&daemon).await;
        // It may close before all of this is sent, and must be heard all the same.
        let (answer, ()) = {
            client.head(&head(size)).await;
            (client.answer().await, ())
        };
        let message = own_answer::check(&answer, "head_too_large", "http_request_error", path);
        assert!(message.contains("65536 bytes") && message.contains("requests.max_head"), "{message}");
    }
    closed(&daemon, "head_too_large", 2).await;
    assert!(!upstream.has_calls());
}

#[tokio::test]
async fn a_path_that_is_too_long_is_refused_however_long() {
    let (mut upstream, daemon) = proxy(&[("requests.max_head", "128KiB")]).await;
    let line = |size: usize| format!("GET /{} HTTP/1.1\nHost: localhost", "x".repeat(size - 1));
    let mut client = Client::request(&daemon, &line(16 << 10)).await;
    upstream.call().await.answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);

    for (size, hypers) in [((16 << 10) + 1, false), (65_534, false), (65_535, true)] {
        let answer = Client::request(&daemon, &line(size)).await.answer().await;
        let path = format!("/{}", "x".repeat(size - 1));
        let path = if hypers { "" } else { &path };
        let message = own_answer::check(&answer, "uri_too_long", "http_request_error", path);
        assert!(message.contains("16384 bytes"), "{message}");
    }
    closed(&daemon, "uri_too_long", 1).await;
    assert!(!upstream.has_calls());
}

#[tokio::test]
async fn what_is_no_http_is_answered_by_the_proxy() {
    let (mut upstream, daemon) = proxy(&[]).await;
    let malformed: [&[u8]; 4] = [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /x HTTP/9.9\r\n\r\n",
        // The begin of TLS.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ];
    for bytes in malformed {
        let mut client = Client::connect(&daemon).await;
        client.send(bytes).await;
        let answer = client.answer().await;
        own_answer::check(&answer, "request_broken", "http_request_error", "");
        assert_eq!(answer.header("connection"), ["close"]);
        assert!(client.until_closed().await.is_empty());
    }
    closed(&daemon, "not_http", malformed.len() as u32).await;
    // After a request as well.
    let mut client = Client::request(&daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    upstream.call().await.answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);
    client.send(b"\0\0\0\0\r\n\r\n").await;
    own_answer::check(&client.answer().await, "request_broken", "http_request_error", "");
    let counted = daemon.metric(r#"liquid_proxy_own_answers_total{code="request_broken"}"#).await;
    assert_eq!(counted, malformed.len() as f64 + 1.0);
}

#[tokio::test]
async fn http2_has_the_same_limits() {
    let (mut upstream, daemon) = proxy(&[]).await;
    let stream = TcpStream::connect(daemon.address()).await.unwrap();
    let builder = http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut status = async |path: &str, count: usize, size: usize| {
        let mut request = Request::get(daemon.url(path)).body(Empty::<Bytes>::new()).unwrap();
        for number in 0..count {
            let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
            request.headers_mut().insert(name, "v".repeat(size).parse().unwrap());
        }
        let answer = sender.send_request(request).await.unwrap();
        let code = answer.headers().get("x-liquid-proxy-error").map(|code| code.to_str().unwrap().to_owned());
        (answer.status().as_u16(), code.unwrap_or_default())
    };
    assert_eq!(status("/x", 101, 1).await, (431, "head_too_large".into()));
    assert_eq!(status("/x", 20, 3300).await, (431, "head_too_large".into()));
    assert_eq!(status(&format!("/{}", "x".repeat(16 << 10)), 0, 0).await, (414, "uri_too_long".into()));
    assert!(!upstream.has_calls());
}

//! A proxy that refuses, hangs, closes or is none: who asked hears which, and that it was not the API.

use std::time::{Duration, Instant};

use super::{API, builder, sandbox, search, with_credentials};
use crate::support::eventually;
use crate::support::http_proxy::{Conduct, HttpProxy};
use crate::support::own_answer;
use crate::support::port::Port;

/// Long enough that no answer is late on a slow machine, for what does not wait for it.
const PATIENT: &str = "20s";

/// What a search is answered with when the proxy does this, after it has opened tunnels for the tokens.
async fn message(conduct: Conduct, error: &str, connect_timeout: &str) -> String {
    let api = sandbox(API).await;
    let proxy = HttpProxy::start(Conduct::Tunnel(api.address())).await;
    let builder = builder(&api).set("upstream.connect_timeout", connect_timeout);
    let daemon = builder.variable("HTTPS_PROXY", &with_credentials(&proxy)).ready().await;
    proxy.set(conduct);
    let answer = search(&daemon).await;
    let message = own_answer::check(&answer, "upstream_unreachable", error, "/catalog/search");
    // It is not for long: the proxy comes to its senses, and so do we.
    proxy.set(Conduct::Tunnel(api.address()));
    assert_eq!(search(&daemon).await.status, 200);
    let begin = format!("cannot reach the API: {API} through the proxy {}: ", proxy.address());
    let reason = message.strip_prefix(&begin).unwrap_or_else(|| panic!("{message}"));
    reason.to_owned()
}

#[tokio::test]
async fn a_refusal_is_told_with_its_status() {
    for (answer, error, reason) in [
        (
            &b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n"[..],
            "proxy_configuration_error",
            "the proxy answered 407, it does not take the user and password of HTTPS_PROXY",
        ),
        (
            b"HTTP/1.1 403 Forbidden\r\ncontent-length: 9\r\n\r\nforbidden",
            "destination_unavailable",
            "the proxy refused with 403",
        ),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n<html>", "destination_unavailable", "the proxy refused with 502"),
        (b"HTTP/1.1 504 Gateway Timeout\r\n\r\n", "destination_unavailable", "the proxy refused with 504"),
        (
            b"HTTP/1.1 302 Found\r\nlocation: http://login\r\n\r\n",
            "destination_unavailable",
            "the proxy refused with 302",
        ),
    ] {
        assert_eq!(message(Conduct::Answer(answer), error, PATIENT).await, reason);
    }
}

#[tokio::test]
async fn what_is_no_answer_is_told() {
    let endless: &'static [u8] =
        Box::leak([&b"HTTP/1.1 200 OK\r\nx: "[..], &[b'x'; 100_000]].concat().into_boxed_slice());
    for (said, error, reason) in [
        (
            &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
            "http_protocol_error",
            "the proxy does not answer as an HTTP proxy does",
        ),
        (
            b"\x15\x03\x01\x00\x02\x02\x46",
            "http_protocol_error",
            "the proxy does not answer as an HTTP proxy does",
        ),
        (
            b"HTTP/1.1 many OK\r\n\r\n",
            "http_protocol_error",
            "the proxy does not answer as an HTTP proxy does",
        ),
        (endless, "http_protocol_error", "the proxy does not answer as an HTTP proxy does"),
        (
            b"HTTP/1.1 204 No Content\r\n\r\n",
            "http_protocol_error",
            "the proxy does not answer as an HTTP proxy does",
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
            "destination_unavailable",
            "the proxy refused with 101",
        ),
        (
            b"HTTP/1.1 200 OK\r\n\r\nand more",
            "http_protocol_error",
            "the proxy sent data that the API cannot have sent",
        ),
        (b"", "connection_terminated", "the proxy closed the connection"),
        (b"HTTP/1.1 200 O", "connection_terminated", "the proxy closed the connection"),
    ] {
        assert_eq!(
            message(Conduct::Answer(said), error, PATIENT).await,
            reason,
            "{:?}",
            String::from_utf8_lossy(said)
        );
    }
}

#[tokio::test]
async fn a_proxy_that_hangs_is_waited_for_as_long_as_for_any_connection() {
    for said in
        [&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
    {
        let reason = message(Conduct::Hang(said), "connection_timeout", "700ms").await;
        assert_eq!(reason, "no connection within 0.7 s", "{:?}", String::from_utf8_lossy(said));
    }
}

#[tokio::test]
async fn a_proxy_that_is_gone_is_told() {
    let api = sandbox(API).await;
    let port = Port::reserve();
    let proxy = HttpProxy::start_at(port.address(), Conduct::Tunnel(api.address())).await;
    let daemon = builder(&api).variable("HTTPS_PROXY", &with_credentials(&proxy)).ready().await;
    proxy.stop().await;
    let answer = search(&daemon).await;
    let message = own_answer::check(&answer, "upstream_unreachable", "connection_refused", "/catalog/search");
    let expected = format!(
        "cannot reach the API: {API} through the proxy {}: the proxy cannot be reached: connection refused",
        port.address()
    );
    assert_eq!(message, expected);
}

#[tokio::test]
async fn a_proxy_whose_name_is_not_found_is_told() {
    let api = sandbox(API).await;
    let builder = builder(&api).variable("ALL_PROXY", "http://no-proxy.invalid:3128");
    let (code, _, errors) = builder.run(&["check", "--connect"]).await;
    assert!(code == 69 && errors.contains("no-proxy.invalid cannot be resolved"), "{errors}");
    let daemon = builder.start().await;
    let told = "cannot connect to the authentication endpoint through the proxy no-proxy.invalid:3128: ";
    eventually("an attempt has failed", async || {
        daemon.admin("/readyz").await.1.contains(told).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_a_tunnel_there_is_no_token_and_everyone_hears_why() {
    for (conduct, reason) in [
        (
            Conduct::Answer(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
            "the proxy answered 407: it wants a user and password, or others",
        ),
        (Conduct::Answer(b"HTTP/1.1 403 Forbidden\r\n\r\n"), "the proxy refused, or is no HTTP proxy"),
        (Conduct::Answer(b"SSH-2.0-OpenSSH_9.6\r\n"), "the proxy refused, or is no HTTP proxy"),
        (Conduct::Answer(b""), "the proxy closed the connection"),
    ] {
        let api = sandbox(API).await;
        let proxy = HttpProxy::start(conduct).await;
        let builder = builder(&api).variable("HTTPS_PROXY", &with_credentials(&proxy));
        let expected = format!(
            "cannot connect to the authentication endpoint through the proxy {}: {reason}",
            proxy.address()
        );
        let (code, _, errors) = builder.run(&["check", "--connect"]).await;
        assert!(code == 69 && errors.contains(&expected), "{errors}");
        let daemon = builder.set("token.wait_timeout", "100ms").start().await;
        eventually("an attempt has failed", async || {
            daemon.admin("/readyz").await.1.contains(&expected).then_some(())
        })
        .await;
        let answer = search(&daemon).await;
        let message =
            own_answer::check(&answer, "token_unavailable", "destination_unavailable", "/catalog/search");
        assert!(message.contains(&expected), "{message}");
    }
}

#[tokio::test]
async fn a_proxy_that_hangs_does_not_hold_the_way_to_a_token() {
    let api = sandbox(API).await;
    let proxy = HttpProxy::start(Conduct::Hang(b"")).await;
    let builder = builder(&api).set("upstream.connect_timeout", "300ms");
    let builder = builder.variable("HTTPS_PROXY", &with_credentials(&proxy));
    let started = Instant::now();
    let (code, _, errors) = builder.run(&["check", "--connect"]).await;
    let expected =
        format!("no answer from the authentication endpoint in time through the proxy {}", proxy.address());
    assert!(code == 69 && errors.contains(&expected), "{errors}");
    // An exchange may take 10 s in all; a connection less.
    assert!(started.elapsed() < Duration::from_secs(9));
}

//! First bytes, of which some are HTTP/2's and most are not.

use super::{GET, proxy};
use crate::support::client::Client;
use crate::support::own_answer;

/// What a connection of HTTP/2 begins with (RFC 9113, section 3.4), and empty settings.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// That settings are understood.
const ACKNOWLEDGED: &[u8] = b"\0\0\0\x04\x01\0\0\0\0";

#[tokio::test]
async fn a_request_may_come_one_byte_at_a_time() {
    let (mut upstream, daemon) = proxy(&[]).await;
    // The second begins as HTTP/2 does.
    for request in [GET, b"PRIVATE /x HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut client = Client::connect(&daemon).await;
        for byte in request {
            client.send(&[*byte]).await;
        }
        let call = upstream.call().await;
        assert!(request.starts_with(call.line().as_bytes()), "{}", call.line());
        call.last_answer("200 OK", "", "answer").await;
        assert_eq!(client.answer().await.text(), "answer");
    }
}

#[tokio::test]
async fn a_preface_may_come_one_byte_at_a_time() {
    let (_upstream, daemon) = proxy(&[]).await;
    for size in [1, 7, HTTP2.len()] {
        let mut client = Client::connect(&daemon).await;
        for bytes in HTTP2.chunks(size) {
            client.send(bytes).await;
        }
        client.until(ACKNOWLEDGED).await;
    }
}

#[tokio::test]
async fn a_preface_that_is_none_is_refused() {
    let (_upstream, daemon) = proxy(&[]).await;
    for size in [1, 64] {
        let mut client = Client::connect(&daemon).await;
        for bytes in b"PRI * HTTP/2.0\r\n\r\nXX".chunks(size) {
            client.send(bytes).await;
        }
        let message = own_answer::check(&client.answer().await, "request_broken", "http_request_error", "");
        assert!(message.contains("cannot be read"), "{message}");
        client.until_closed().await;
    }
}

#[tokio::test]
async fn half_a_preface_has_the_time_of_a_head() {
    let (_upstream, daemon) = proxy(&[("listen.head_timeout", "200ms")]).await;
    let mut client = Client::connect(&daemon).await;
    client.send(b"PRI * HT").await;
    own_answer::check(&client.answer().await, "request_timeout", "http_request_error", "");
    client.until_closed().await;
}

//! A 401 that comes before the request's body has all gone through: the rest is read, and all of it sent
//! again.

use super::*;

const HEAD: &str = "POST /cart/update HTTP/1.1\nhost: localhost\ncontent-type: application/json";

/// A client that has sent the head and a first chunk, and the API's answer to that.
async fn rejected_early(settings: &[(&'static str, &str)]) -> (Upstream, Daemon, Client, Call) {
    let mut upstream = Upstream::with_new_tokens().await;
    let builder = Builder::new(&upstream.base_url());
    let daemon = settings.iter().fold(builder, |builder, (key, value)| builder.set(key, value)).ready().await;
    let mut client = Client::request(&daemon, &format!("{HEAD}\ntransfer-encoding: chunked")).await;
    client.send_chunk(b"{\"id\":").await;
    let mut call = upstream.call().await;
    call.body_until(b"{\"id\":\r\n").await;
    call.send(b"HTTP/1.1 401 Unauthorized\r\nx-word: the-apis-own\r\ncontent-length: 2\r\n\r\n{}").await;
    (upstream, daemon, client, call)
}

async fn is_sent_again_whole(upstream: &mut Upstream, daemon: &Daemon, client: &mut Client) {
    let renewed = async || (credential(daemon, "api").await["generation"] == 2).then_some(());
    eventually("the token is renewed", renewed).await;
    client.send_chunk(b"\"c-1\"").await;
    client.send(b"1\r\n}\r\n0\r\n\r\n").await;
    let mut second = upstream.call().await;
    assert_eq!(second.header("authorization"), [format!("Bearer {}", Upstream::token(2))]);
    assert_eq!(second.header("content-length"), ["12"]);
    assert_eq!(second.body(12).await, b"{\"id\":\"c-1\"}");
    second.last_answer("200 OK", "", "{\"ok\":1}").await;
    let seen = client.answer().await;
    assert_eq!((seen.status.as_u16(), seen.text()), (200, "{\"ok\":1}"));
    assert_sent_again(&seen);
    assert_eq!(upstream.authentications(), 2);
}

#[tokio::test]
async fn the_rest_is_read_and_all_of_it_sent_again() {
    let (mut upstream, daemon, mut client, call) = rejected_early(&[]).await;
    is_sent_again_whole(&mut upstream, &daemon, &mut client).await;
    // The first connection stands in the middle of a request: no other may follow on it.
    call.closed().await;
}

#[tokio::test]
async fn also_when_the_api_takes_no_more_of_it() {
    let (mut upstream, daemon, mut client, call) = rejected_early(&[]).await;
    drop(call);
    is_sent_again_whole(&mut upstream, &daemon, &mut client).await;
}

#[tokio::test]
async fn a_rest_that_does_not_fit_goes_on_as_it_did_and_the_401_passes() {
    let (mut upstream, daemon, mut client, mut call) =
        rejected_early(&[("requests.replay_buffer", "1KiB")]).await;
    let piece = [b'x'; 600];
    client.send_chunk(&piece).await;
    client.send_chunk(&piece).await;
    let seen = client.answer().await;
    assert_eq!((seen.status.as_u16(), seen.header("x-word")), (401, vec!["the-apis-own"]));
    assert!(seen.header("proxy-status").is_empty());
    assert!(!upstream.has_calls());
    client.send(b"0\r\n\r\n").await;
    let body = call.body_until(b"\r\n0\r\n\r\n").await;
    assert_eq!(body.iter().filter(|byte| **byte == b'x').count(), 2 * piece.len());
    assert_eq!(upstream.authentications(), 2, "the next request is better off");

    let mut client = Client::request(&daemon, "GET /users/fetch/1 HTTP/1.1\nhost: localhost").await;
    let next = upstream.call().await;
    assert_eq!(next.header("authorization"), [format!("Bearer {}", Upstream::token(2))]);
    next.last_answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_client_that_breaks_off_meanwhile_harms_nobody() {
    let (mut upstream, daemon, client, call) = rejected_early(&[]).await;
    drop(client);
    call.closed().await;
    let mut client = Client::request(&daemon, "GET /users/fetch/1 HTTP/1.1\nhost: localhost").await;
    upstream.call().await.last_answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_client_that_does_not_go_on_is_told_so() {
    let (_upstream, _daemon, mut client, _call) = rejected_early(&[("upstream.idle_timeout", "200ms")]).await;
    let seen = client.answer().await;
    assert_eq!(seen.status, 408);
    assert_eq!(seen.header("x-liquid-proxy-error"), ["request_timeout"]);
}

//! A 401 that comes before the request's body has all gone through: the rest is read, and all of it sent
//! again.

use super::*;

const HEAD: &str = "POST /cart/update HTTP/1.1\nhost: localhost\ncontent-type: application/json";

/// A client that has sent the head and a first chunk, and the API's answer to that.
async fn rejected_early(settings: &[(&'static str, &str)]) -> (Upstream, Daemon, Client, Call) {
    let upstream = Upstream::with_new_tokens().await;
    rejected_early_by(upstream, settings).await
}

async fn rejected_early_by(
    mut upstream: Upstream,
    settings: &[(&'static str, &str)],
) -> (Upstream, Daemon, Client, Call) {
    let builder = Builder::new(&upstream.base_url());
    let daemon = settings.iter().fold(builder, |builder, (key, value)| builder.set(key, value)).ready().await;
    let mut client = Client::request(&daemon, &format!("{HEAD}\ntransfer-encoding: chunked")).await;
    client.send_chunk(b"{\"id\":").await;
    let mut call = upstream.call().await;
    call.body_until(b"{\"id\":\r\n").await;
    call.send(b"HTTP/1.1 401 Unauthorized\r\nx-word: the-apis-own\r\ncontent-length: 2\r\n\r\n{}").await;
    (upstream, daemon, client, call)
}

/// Stands among the settings where the next token is to be waited for.
const HELD: (&str, &str) = ("token.wait_timeout", "2m");

/// The next request that the API gets is another one, with the new token.
async fn nothing_is_sent_again(upstream: &mut Upstream, daemon: &Daemon) {
    upstream.hold_tokens(false);
    let mut client = Client::request(daemon, "GET /users/fetch/1 HTTP/1.1\nhost: localhost").await;
    let mut next = upstream.call().await;
    if next.header("authorization") != [format!("Bearer {}", Upstream::token(2))] {
        assert!(next.line().starts_with("GET"), "{}", next.line());
        next.last_answer("401 Unauthorized", "", "{}").await;
        next = upstream.call().await;
    }
    assert!(next.line().starts_with("GET"), "{}", next.line());
    next.last_answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);
    assert!(!upstream.has_calls());
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

/// What is there of a request whose client has gone is not sent as if it were all.
#[tokio::test]
async fn a_request_that_breaks_off_meanwhile_is_not_sent_again() {
    let (mut upstream, daemon, client, call) = rejected_early(&[HELD]).await;
    drop(client);
    call.closed().await;
    nothing_is_sent_again(&mut upstream, &daemon).await;

    let (mut upstream, daemon, client, call) = rejected_early(&[]).await;
    drop(client);
    call.closed().await;
    nothing_is_sent_again(&mut upstream, &daemon).await;
}

#[tokio::test]
async fn a_request_that_is_too_large_is_not_sent_again() {
    let limits = [HELD, ("requests.max_body", "1KiB"), ("requests.replay_buffer", "1KiB")];
    let (mut upstream, daemon, mut client, call) = rejected_early(&limits).await;
    client.send_chunk(&[b'x'; 600]).await;
    client.send_chunk(&[b'y'; 600]).await;
    call.closed().await;
    client.send_chunk(b"\"z\"}").await;
    client.send(b"0\r\n\r\n").await;
    nothing_is_sent_again(&mut upstream, &daemon).await;
}

#[tokio::test]
async fn a_client_that_does_not_go_on_gets_the_401() {
    let (_upstream, _daemon, mut client, _call) = rejected_early(&[("upstream.idle_timeout", "200ms")]).await;
    let seen = client.answer().await;
    assert_eq!((seen.status.as_u16(), seen.header("x-word")), (401, vec!["the-apis-own"]));
}

#[tokio::test]
async fn what_comes_behind_the_body_is_sent_again_too() {
    let mut upstream = Upstream::with_new_tokens().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    let head = format!("{HEAD}\ntrailer: x-sum\ntransfer-encoding: chunked");
    let mut client = Client::request(&daemon, &head).await;
    client.send(b"2\r\n{}\r\n0\r\nx-sum: 7\r\n\r\n").await;
    let mut first = upstream.call().await;
    first.body_until(b"x-sum: 7\r\n\r\n").await;
    first.last_answer("401 Unauthorized", "", "{}").await;
    let mut second = upstream.call().await;
    assert_eq!((second.header("trailer"), second.header("content-length")), (vec!["x-sum"], vec![]));
    assert_eq!(second.body_until(b"\r\n\r\n").await, b"2\r\n{}\r\n0\r\nx-sum: 7\r\n\r\n");
    second.last_answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

//! `token.in_band`: near a token's end, the next one is asked for in an app's own request.

mod fallback;
mod odd_answers;

use std::time::Duration;

use liquid_auth_proxy::sandbox::{Sandbox, Settings};

use crate::support::client::{Answer, Client};
use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::secrets::Secrets;
use crate::support::seen::{attempts, calls, credential, settings};
use crate::support::upstream::{Call, TOKEN, Upstream};
use crate::support::{eventually, within_limit};

const FRESH: &str = "fresh-token-77a0c3e1";

/// What an app sends, and what of it the API gets: no byte is another but for the wish.
const PLAIN: &str = " { \"search\" : \"gin\",\r\n\t\"n\":[1.0, 1e3] }\n";
const ASKING: &str = " {\"refresh\":true, \"search\" : \"gin\",\r\n\t\"n\":[1.0, 1e3] }\n";

/// An API whose tokens live for as long as a test takes, before a proxy that asks for the next one early.
struct Bench {
    upstream: Upstream,
    daemon: Daemon,
}

impl Bench {
    async fn new() -> Self {
        let upstream = Upstream::with_tokens_of(Duration::from_secs(24)).await;
        let daemon = Builder::new(&upstream.base_url())
            .set("token.in_band", "true")
            .set("token.refresh_ratio", "0.05")
            .set("requests.replay_buffer", "1KiB")
            .set("log.level", "trace")
            .ready()
            .await;
        Self { upstream, daemon }
    }

    /// An app's request on its way: the client that waits for its answer, and the call that came of it.
    async fn asked(&mut self, lines: &str, body: &str) -> (Client, Call) {
        let mut client = Client::request(&self.daemon, &format!("{lines}\nhost: localhost")).await;
        client.send(body.as_bytes()).await;
        let call = within_limit("the API gets it", self.upstream.call()).await;
        (client, call)
    }

    /// A suitable request, and the body that came of it.
    async fn suitable(&mut self) -> (Client, Call, String) {
        let lines = format!(
            "POST /catalog/search HTTP/1.1\ncontent-type: application/json\ncontent-length: {}",
            PLAIN.len()
        );
        let (client, mut call) = self.asked(&lines, PLAIN).await;
        let length = call.header("content-length")[0].parse().unwrap();
        let body = String::from_utf8(call.body(length).await.to_vec()).unwrap();
        (client, call, body)
    }

    /// Suitable requests, until one of them asks for the next token.
    async fn asking(&mut self) -> (Client, Call) {
        for _ in 0..10_000 {
            let (mut client, call, body) = self.suitable().await;
            if body == ASKING {
                return (client, call);
            }
            assert_eq!(body, PLAIN);
            call.last_answer("200 OK", "", "{}").await;
            client.answer().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no request asked");
    }
}

fn fresh() -> String {
    format!(
        "{{ \"products\":[],\r\n \"auth\": {{\"token\":\"{FRESH}\",\"type\":\"ACCESS_TOKEN\",\"exp\":4102444800000}},\t\"n\":1.0}}\n"
    )
}

#[tokio::test]
async fn the_app_sees_its_answer_and_nothing_of_the_token() {
    let mut bench = Bench::new().await;
    let (mut client, call) = bench.asking().await;
    assert_eq!(call.header("authorization"), [format!("Bearer {TOKEN}")]);
    call.last_answer("200 OK", "content-type: application/json\r\nx-request-cost: 7\r\n", &fresh()).await;
    let seen = client.answer().await;
    assert_eq!(seen.status, 200);
    assert_eq!(seen.text(), "{ \"products\":[],\r\n \t\"n\":1.0}\n", "its other bytes, each of them");
    assert_eq!(seen.header("content-length"), [seen.body.len().to_string()]);
    assert_eq!(seen.header("x-request-cost"), ["7"]);

    let taken = async || (credential(&bench.daemon, "api").await["generation"] == 2).then_some(());
    eventually("the new token is taken", taken).await;
    let (mut client, call) = bench.asked("GET /users/fetch/1 HTTP/1.1", "").await;
    assert_eq!(call.header("authorization"), [format!("Bearer {FRESH}")]);
    call.last_answer("200 OK", "", "{}").await;
    client.answer().await;
    assert_eq!(bench.upstream.authentications(), 1);
    assert_eq!(attempts(&bench.daemon, "api", "in_band").await, 1.0);
    let secrets = Secrets::new([("the new token", FRESH), ("the old token", TOKEN), ("the key", KEY)]);
    secrets.assert_absent("the answer", format!("{:?}{}", seen.headers, seen.text()));
    secrets.assert_absent("the log", bench.daemon.log());
}

#[tokio::test]
async fn an_answer_without_a_token_is_the_apis_own() {
    let mut bench = Bench::new().await;
    let (mut client, call) = bench.asking().await;
    let body = "{\"products\" : [ ],\r\n\t\"authority\":{\"token\":\"none of ours\"}}";
    call.last_answer("200 OK", "etag: \"7\"\r\n", body).await;
    let seen = client.answer().await;
    assert_eq!((seen.text(), seen.header("etag")), (body, vec!["\"7\""]));
}

/// The requests between two that ask are all sent as they are: the proxy wanted to ask, and did not.
#[tokio::test]
async fn requests_that_do_not_suit_are_left_alone() {
    let mut bench = Bench::new().await;
    let (mut client, call) = bench.asking().await;
    call.last_answer("200 OK", "", "{}").await;
    client.answer().await;

    let large = format!(r#"{{"note":"{}"}}"#, "x".repeat(1024));
    let json = "content-type: application/json";
    for (lines, body) in [
        (format!("GET /users/fetch/1 HTTP/1.1\n{json}"), ""),
        (format!("GET /users/fetch/1 HTTP/1.1\n{json}\ncontent-length: 2"), "{}"),
        (format!("DELETE /users/purge/1 HTTP/1.1\n{json}\ncontent-length: 2"), "{}"),
        ("POST /a HTTP/1.1\ncontent-length: 2".to_owned(), "{}"),
        ("POST /a HTTP/1.1\ncontent-type: text/plain\ncontent-length: 2".to_owned(), "{}"),
        (format!("POST /a HTTP/1.1\n{json}; charset=utf-16\ncontent-length: 2"), "{}"),
        (format!("POST /a HTTP/1.1\n{json}\ncontent-encoding: gzip\ncontent-length: 2"), "{}"),
        (format!("POST /a HTTP/1.1\n{json}\ncontent-length: {}", large.len()), &*large),
        (format!("POST /checkout/complete HTTP/1.1\n{json}\ncontent-length: 2"), "{}"),
        (format!("POST /api/checkout//complete HTTP/1.1\n{json}\ncontent-length: 2"), "{}"),
    ] {
        let (mut client, mut call) = bench.asked(&lines, body).await;
        assert_eq!(String::from_utf8_lossy(call.body(body.len()).await), body, "{lines}");
        call.last_answer("200 OK", "", "{}").await;
        assert_eq!(client.answer().await.text(), "{}", "{lines}");
    }
    let chunked = format!("POST /a HTTP/1.1\n{json}\ntransfer-encoding: chunked");
    let (mut client, mut call) = bench.asked(&chunked, "2\r\n{}\r\n0\r\n\r\n").await;
    assert_eq!(call.body_until(b"0\r\n\r\n").await, b"2\r\n{}\r\n0\r\n\r\n");
    call.last_answer("200 OK", "", "{}").await;
    client.answer().await;

    let (mut client, call) = bench.asking().await;
    call.last_answer("200 OK", "", &fresh()).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(bench.upstream.authentications(), 1);
}

/// The head of these promises what suits; the bytes do not keep it.
#[tokio::test]
async fn bodies_that_do_not_suit_are_left_alone() {
    tokio::join!(
        is_left_alone(r#"{"refresh":false}"#),
        is_left_alone(r#"{"a":{"refresh":1}}"#),
        is_left_alone(r#"{"\u0072efresh":0}"#),
        is_left_alone("[1]"),
        is_left_alone("{\"a\":"),
        is_left_alone("null"),
    );
}

async fn is_left_alone(body: &str) {
    let mut bench = Bench::new().await;
    let (mut client, call) = bench.asking().await;
    call.last_answer("200 OK", "", "{}").await;
    client.answer().await;
    let lines = format!("POST /a HTTP/1.1\ncontent-type: application/json\ncontent-length: {}", body.len());
    let (mut client, mut call) = bench.asked(&lines, body).await;
    assert_eq!(call.header("content-length"), [body.len().to_string()]);
    assert_eq!(String::from_utf8_lossy(call.body(body.len()).await), body);
    call.last_answer("200 OK", "", r#"{"ok":1}"#).await;
    assert_eq!(client.answer().await.text(), r#"{"ok":1}"#);
    let (mut client, call) = bench.asking().await;
    call.last_answer("200 OK", "", &fresh()).await;
    client.answer().await;
}

#[tokio::test]
async fn one_request_at_a_time_asks() {
    let mut bench = Bench::new().await;
    let (mut first, first_call) = bench.asking().await;
    for _ in 0..3 {
        let (mut client, call, body) = bench.suitable().await;
        assert_eq!(body, PLAIN, "another one is at it");
        call.last_answer("200 OK", "", "{}").await;
        client.answer().await;
    }
    first_call.last_answer("200 OK", "", "{}").await;
    first.answer().await;
    let (mut second, call) = bench.asking().await;
    call.last_answer("200 OK", "", &fresh()).await;
    assert_eq!(second.answer().await.status, 200);
}

/// A client that goes away with the wish leaves it to the next one.
#[tokio::test]
async fn a_client_that_goes_away_does_not_keep_others_from_asking() {
    let mut bench = Bench::new().await;
    let (client, call) = bench.asking().await;
    drop(client);
    call.closed().await;
    let (mut client, call) = bench.asking().await;
    call.last_answer("200 OK", "", &fresh()).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(bench.upstream.authentications(), 1);
}

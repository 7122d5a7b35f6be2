//! HTTP/2 on either side of the proxy.

mod late_end;

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Method, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use liquid_auth_proxy::sandbox::{Sandbox, Settings};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use self::late_end::LateEnd;
use crate::support::came_to_its_end;
use crate::support::client::{Answer, Client};
use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::own_answer;
use crate::support::upstream::{TOKEN, Upstream};

/// A connection to the proxy that speaks HTTP/2 from its first byte (RFC 9113, section 3.3).
async fn connect(daemon: &Daemon) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(daemon.address()).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A request as HTTP/2 has it, with the authority that the client knows the proxy by.
fn request(daemon: &Daemon, path: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::post(daemon.url(path)).body(Full::from(body)).unwrap()
}

async fn answer(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes().to_vec(),
    }
}

async fn sandbox() -> Sandbox {
    let settings = Settings { api_key: KEY.into(), tls: Some(Default::default()), ..Settings::default() };
    Sandbox::start(settings).await.unwrap()
}

/// Sends ten requests at once, and returns the versions of HTTP in which the API got them.
async fn versions(sandbox: &Sandbox, daemon: &Daemon) -> BTreeSet<Version> {
    sandbox.handle().forget_calls();
    let client = client();
    let requests: JoinSet<_> = (0..10)
        .map(|number| client.get(daemon.url(&format!("/orders?startDate=2026-01-01&n={number}"))).send())
        .collect();
    for answer in requests.join_all().await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    let calls = sandbox.handle().calls();
    let asked: BTreeSet<_> = calls.iter().map(|call| call.path_and_query.clone()).collect();
    assert_eq!((calls.len(), asked.len()), (10, 10));
    let host = sandbox.base_url().strip_prefix("https://").unwrap().to_owned();
    assert!(calls.iter().all(|call| call.headers["host"] == host), "{calls:?}");
    calls.iter().map(|call| call.version).collect()
}

#[tokio::test]
async fn a_client_may_speak_it_without_asking() {
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    let mut sender = connect(&daemon).await;
    let answering = sender.send_request(request(&daemon, "/a%2Fb//c?d", "body"));
    let answering = tokio::spawn(answering);
    let mut call = upstream.call().await;
    assert_eq!(call.line(), "POST /a%2Fb//c?d HTTP/1.1");
    assert_eq!(call.header("host"), [upstream.base_url().strip_prefix("http://").unwrap()]);
    assert_eq!(call.header("authorization"), [format!("Bearer {TOKEN}")]);
    assert_eq!(call.body(4).await, b"body");
    call.answer("200 OK", "connection: x-internal\r\nx-internal: 1\r\nx-other: 2\r\n", "answer").await;
    let answer = answer(answering.await.unwrap().unwrap()).await;
    assert_eq!(answer.text(), "answer");
    assert_eq!(answer.header("x-other"), ["2"]);
    assert!(answer.header("x-internal").is_empty());
}

#[tokio::test]
async fn its_requests_are_under_way_at_the_same_time() {
    const REQUESTS: usize = 20;
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    let mut sender = connect(&daemon).await;
    let mut answers = JoinSet::new();
    for number in 0..REQUESTS {
        let answering = sender.send_request(request(&daemon, &format!("/{number}"), ""));
        answers.spawn(async move { (number, answer(answering.await.unwrap()).await) });
    }
    let mut calls = Vec::new();
    for _ in 0..REQUESTS {
        calls.push(upstream.call().await);
    }
    assert_eq!(daemon.metric("liquid_proxy_requests_in_flight").await, REQUESTS as f64);
    for call in calls.into_iter().rev() {
        let path = call.line().split(' ').nth(1).unwrap().to_owned();
        call.answer("200 OK", "", &path).await;
    }
    for (number, answer) in answers.join_all().await {
        assert_eq!(answer.text(), format!("/{number}"));
    }
}

#[tokio::test]
async fn its_cookies_arrive_as_one_header() {
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    let mut request = request(&daemon, "/x", "");
    for crumb in ["a=1", "b=2", "c=3"] {
        request.headers_mut().append("cookie", crumb.parse().unwrap());
    }
    let answering = tokio::spawn(connect(&daemon).await.send_request(request));
    let call = upstream.call().await;
    assert_eq!(call.header("cookie"), ["a=1; b=2; c=3"]);
    call.answer("200 OK", "", "{}").await;
    assert_eq!(answering.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_client_that_gives_one_request_up_keeps_the_others() {
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    let mut sender = connect(&daemon).await;
    let given_up = tokio::spawn(sender.send_request(request(&daemon, "/given-up", "")));
    let call = upstream.call().await;
    let kept = tokio::spawn(sender.send_request(request(&daemon, "/kept", "")));
    let other = upstream.call().await;
    given_up.abort();
    call.closed().await;
    other.answer("200 OK", "", "kept").await;
    assert_eq!(answer(kept.await.unwrap().unwrap()).await.text(), "kept");
}

#[tokio::test]
async fn refusals_look_the_same_over_it() {
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).set("requests.max_body", "1").ready().await;
    let mut sender = connect(&daemon).await;
    let refused = answer(sender.send_request(request(&daemon, "/x", "too much")).await.unwrap()).await;
    own_answer::check(&refused, "request_too_large", "http_request_denied", "/x");
    assert!(!upstream.has_calls());
}

#[tokio::test]
async fn an_api_that_speaks_it_is_spoken_to_in_it() {
    let sandbox = sandbox().await;
    let daemon = Builder::new(&sandbox.base_url()).orders().trust(sandbox.ca_pem().unwrap()).ready().await;
    assert_eq!(versions(&sandbox, &daemon).await, BTreeSet::from([Version::HTTP_2]));
}

#[tokio::test]
async fn a_body_that_its_client_breaks_is_not_the_apis_fault() {
    let sandbox = sandbox().await;
    let daemon = Builder::new(&sandbox.base_url()).trust(sandbox.ca_pem().unwrap()).ready().await;
    let head = "POST /x HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked";
    let mut client = Client::request(&daemon, head).await;
    client.send_chunk(b"begin").await;
    client.send(b"no chunk\r\n").await;
    own_answer::check(&client.answer().await, "request_broken", "http_request_error", "/x");
}

/// The second try after a 401 is a request like any other: the API may close its connection just then. Requests of
/// one client connection share the connections to the API.
#[tokio::test]
async fn a_second_try_whose_connection_was_closed_is_made_on_another() {
    let mut upstream = Upstream::with_new_tokens().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    let mut sender = connect(&daemon).await;
    let mut get = |path| {
        let mut request = request(&daemon, path, "");
        *request.method_mut() = Method::GET;
        tokio::spawn(sender.send_request(request))
    };
    let (first, call) = (get("/first"), upstream.call().await);
    let (second, other) = (get("/second"), upstream.call().await);
    let call = call.answer("200 OK", "", "{}").await;
    answer(first.await.unwrap().unwrap()).await;
    let other = other.answer("200 OK", "", "{}").await;
    answer(second.await.unwrap().unwrap()).await;

    let third = get("/third");
    // The connection that was used last is used next.
    let _rejected = other.next().await.unwrap().answer("401 Unauthorized", "", "{}").await;
    let again = call.next().await.unwrap();
    assert_eq!(again.header("authorization"), [format!("Bearer {}", Upstream::token(2))]);
    drop(again);
    upstream.call().await.answer("200 OK", "", "done").await;
    assert_eq!(answer(third.await.unwrap().unwrap()).await.text(), "done");
}

#[tokio::test]
async fn an_answer_is_whole_when_its_length_is_there() {
    let api = LateEnd::start().await;
    let daemon = Builder::new(&api.base_url()).trust(api.ca_pem()).ready().await;
    let mut client = Client::request(&daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    assert_eq!(client.answer().await.text(), late_end::ANSWER);
    came_to_its_end(&daemon).await;
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let sandbox = sandbox().await;
    let builder = Builder::new(&sandbox.base_url()).orders().trust(sandbox.ca_pem().unwrap());
    let daemon = builder.set("upstream.http2", "never").ready().await;
    assert_eq!(versions(&sandbox, &daemon).await, BTreeSet::from([Version::HTTP_11]));
}

#[tokio::test]
async fn it_may_be_spoken_on_both_sides() {
    let sandbox = sandbox().await;
    let daemon = Builder::new(&sandbox.base_url()).orders().trust(sandbox.ca_pem().unwrap()).ready().await;
    let request = request(&daemon, "/catalog/search", r#"{"search":"gin"}"#);
    let answer = answer(connect(&daemon).await.send_request(request).await.unwrap()).await;
    assert_eq!(answer.status, 200);
    let catalog: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(!catalog["products"].as_array().unwrap().is_empty());
}

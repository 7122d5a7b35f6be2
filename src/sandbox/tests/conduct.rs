//! Faults, rate limits, and what the handle saw.

use std::time::Duration;

use super::super::faults::Disconnected;
use super::super::{Fault, FaultKind, HUGE_BODY_BYTES, LimitHeaders, REDIRECT_TARGET, RateLimit, Scope};
use super::*;

use axum::body::HttpBody;

async fn faulty(kind: FaultKind) -> Client {
    let client = Client::new().await;
    client.handle.set_fault(Scope::Path("/webhook".to_owned()), Some(Fault { kind, times: None }));
    client
}

fn webhook(client: &Client) -> Request<Body> {
    Request::post("/api/webhook/test")
        .header("authorization", format!("Bearer {}", client.token))
        .header("x-liquid-api-key", "the-key")
        .body(Body::from(r#"{"endpoint":"https://example.com"}"#))
        .unwrap()
}

async fn text(kind: FaultKind) -> (StatusCode, String) {
    let client = faulty(kind).await;
    let response = client.send(webhook(&client)).await;
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_status_comes_in_the_envelope() {
    let client = faulty(FaultKind::Status(503)).await;
    let got = client.got(webhook(&client)).await;
    assert_eq!(got.codes(), (503, 503));
    assert_eq!(got.body["message"], "Service Unavailable");
    assert_eq!(client.post("/catalog/search", json!({})).await.codes(), (200, 200));
}

#[tokio::test]
async fn a_429_has_the_headers_that_were_asked_for() {
    let wait = Duration::from_secs(7);
    let client = faulty(FaultKind::RateLimited(LimitHeaders::RetryAfterSeconds, wait)).await;
    let got = client.got(webhook(&client)).await;
    assert_eq!(got.codes(), (429, 429));
    assert_eq!(got.headers["retry-after"], "7");
    let client = faulty(FaultKind::RateLimited(LimitHeaders::None, wait)).await;
    assert!(!client.got(webhook(&client)).await.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn bodies_can_be_empty_foreign_or_broken() {
    assert_eq!(text(FaultKind::EmptyOk).await, (StatusCode::OK, String::new()));
    assert_eq!(text(FaultKind::Status(204)).await, (StatusCode::NO_CONTENT, String::new()));
    let (status, html) = text(FaultKind::NotJson).await;
    assert!(status == 200 && html.starts_with("<!doctype html>"), "{html}");
    let (status, half) = text(FaultKind::TruncatedJson).await;
    assert!(status == 200 && half.starts_with('{'), "{half}");
    assert!(serde_json::from_str::<Value>(&half).is_err(), "{half}");
}

#[tokio::test]
async fn a_truncated_body_says_that_it_is_whole() {
    let client = faulty(FaultKind::TruncatedJson).await;
    let response = client.send(webhook(&client)).await;
    let said = response.headers().get("content-length").map(|length| length.to_str().unwrap().to_owned());
    let is = to_bytes(response.into_body(), usize::MAX).await.unwrap().len();
    assert!(said.is_none_or(|said| said == is.to_string()));
}

#[tokio::test]
async fn an_echo_repeats_what_is_secret() {
    let client = faulty(FaultKind::EchoKey).await;
    let got = client.got(webhook(&client)).await;
    let message = got.body["message"].as_str().unwrap();
    assert_eq!(got.status, 400);
    assert!(message.contains("the-key") && message.contains(&client.token), "{message}");
}

#[tokio::test]
async fn a_redirect_points_to_where_nothing_is() {
    let client = faulty(FaultKind::Redirect).await;
    let got = client.got(webhook(&client)).await;
    assert_eq!((got.status.as_u16(), &got.headers["location"]), (302, &REDIRECT_TARGET.parse().unwrap()));
    assert_eq!(client.get(REDIRECT_TARGET).await.status, 404);
}

#[tokio::test]
async fn a_huge_body_is_announced() {
    let client = faulty(FaultKind::HugeBody).await;
    let response = client.send(webhook(&client)).await;
    assert_eq!(response.body().size_hint().exact(), Some(HUGE_BODY_BYTES));
}

#[tokio::test]
async fn a_disconnect_is_left_to_the_server_and_has_no_status() {
    let client = faulty(FaultKind::Disconnect).await;
    let response = client.send(webhook(&client)).await;
    assert!(response.extensions().get::<Disconnected>().is_some());
    assert_eq!(client.handle.calls().last().unwrap().status, 0);
}

#[tokio::test]
async fn a_hanging_call_is_seen_and_a_delayed_one_is_answered() {
    let client = faulty(FaultKind::Hang).await;
    let hanging = tokio::time::timeout(Duration::from_millis(50), client.send(webhook(&client))).await;
    assert!(hanging.is_err());
    let call = client.handle.calls().pop().unwrap();
    assert_eq!((call.path_and_query.as_str(), call.status), ("/api/webhook/test", 0));
    let delay = Duration::from_millis(20);
    client.handle.set_fault(
        Scope::Path("/webhook".to_owned()),
        Some(Fault { kind: FaultKind::Delay(delay), times: None }),
    );
    let before = std::time::Instant::now();
    assert_eq!(client.got(webhook(&client)).await.codes(), (200, 200));
    assert!(before.elapsed() >= delay);
}

#[tokio::test]
async fn a_rate_limit_holds_for_its_scope_and_can_be_taken_away() {
    let client = Client::new().await;
    client.handle.set_rate_limit(Some(RateLimit {
        scope: Scope::Authentication,
        requests: 1,
        per: Duration::from_secs(3600),
        headers: LimitHeaders::RateLimitReset,
    }));
    assert_eq!(client.authenticate(DEFAULT_API_KEY).await.codes(), (200, 200));
    let got = client.authenticate(DEFAULT_API_KEY).await;
    assert_eq!(got.codes(), (429, 429));
    let reset: u64 = got.headers["ratelimit-reset"].to_str().unwrap().parse().unwrap();
    assert!((3500..=3600).contains(&reset), "{reset}");
    assert_eq!(client.post("/catalog/search", json!({})).await.codes(), (200, 200));
    client.handle.set_rate_limit(None);
    assert_eq!(client.authenticate(DEFAULT_API_KEY).await.codes(), (200, 200));
}

#[tokio::test]
async fn the_handle_saw_each_call_as_it_came() {
    let client = Client::new().await;
    client.call("POST", "/api/catalog/search?a=b&a=%2F", r#"{"search":"gin"}"#).await;
    client.get("/nothing").await;
    let calls = client.handle.calls();
    let seen: Vec<_> = calls.iter().map(|call| (call.path_and_query.as_str(), call.status)).collect();
    assert_eq!(seen, [("/authentication", 200), ("/api/catalog/search?a=b&a=%2F", 200), ("/nothing", 404)]);
    assert_eq!(calls[1].method, "POST");
    assert_eq!(calls[1].body, r#"{"search":"gin"}"#);
    assert_eq!(calls[1].headers["authorization"], format!("Bearer {}", client.token));
    assert_eq!(client.handle.calls_to("/catalog/search"), 1);
    client.handle.forget_calls();
    assert_eq!((client.handle.calls().len(), client.handle.authentications()), (0, 1));
}

//! Whatever the authentication endpoint answers, the proxy lives, says what is wrong, shows no secret,
//! and goes on as soon as there is a token to be had.

use std::time::Duration;

use liquid_auth_proxy::sandbox::{Fault, FaultKind, REDIRECT_TARGET, Sandbox, Scope, Settings};
use serde_json::Value;

use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::own_answer::assert_own_answer;
use crate::support::secrets::Secrets;
use crate::support::{eventually, within_limit};

/// In seconds.
const DAY: u64 = 86_400;

async fn start(kind: FaultKind) -> (Sandbox, Daemon) {
    let settings = Settings { api_key: KEY.into(), ..Settings::default() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    sandbox.handle().set_fault(Scope::Authentication, Some(Fault { kind, times: None }));
    let builder = Builder::new(&sandbox.base_url()).set("log.level", "trace").set("log.access", "all");
    let daemon = builder.set("token.wait_timeout", "100ms").start().await;
    (sandbox, daemon)
}

async fn ask(daemon: &Daemon) -> reqwest::Response {
    within_limit("an answer comes", client().get(daemon.url("/users/fetch/nobody")).send()).await.unwrap()
}

async fn credential(daemon: &Daemon) -> Value {
    daemon.status().await["credentials"][0].clone()
}

/// All that the proxy shows of itself.
async fn assert_nothing_leaks(sandbox: &Sandbox, daemon: &Daemon) {
    let secrets = Secrets::of_sandbox(&sandbox.handle());
    for path in ["/status", "/metrics", "/readyz"] {
        secrets.assert_absent(path, daemon.admin(path).await.1);
    }
    secrets.assert_absent("the log", daemon.log());
}

/// The trouble that an endpoint with this fault makes, once it is told.
async fn trouble(daemon: &Daemon) -> Value {
    let told =
        async || Some(credential(daemon).await["trouble"].clone()).filter(|trouble| !trouble.is_null());
    eventually("the trouble is told", told).await
}

async fn is_survived(kind: FaultKind, told: &str) {
    let (sandbox, daemon) = start(kind).await;
    let envelope = assert_own_answer(ask(&daemon).await, 503, "token_unavailable").await;
    let trouble = trouble(&daemon).await;
    let message = trouble["message"].as_str().unwrap();
    assert!(trouble["kind"] == "failing" && message.contains(told), "{trouble}");
    assert_eq!(credential(&daemon).await["state"], "unavailable");
    assert_eq!(daemon.admin("/readyz").await.0, 503);
    assert_nothing_leaks(&sandbox, &daemon).await;
    Secrets::of_sandbox(&sandbox.handle()).assert_absent("the answer", envelope.to_string());
    assert_eq!(sandbox.handle().calls_to(REDIRECT_TARGET), 0);
    assert_eq!(sandbox.handle().calls_to("/users/fetch/nobody"), 0);

    sandbox.handle().set_fault(Scope::Authentication, None);
    eventually("it recovers", async || (ask(&daemon).await.status() == 404).then_some(())).await;
    assert_eq!(credential(&daemon).await["trouble"], Value::Null);
    assert_nothing_leaks(&sandbox, &daemon).await;
}

/// What an app is told of the token: its end and the time now, Unix milliseconds by the API's clock.
async fn told_to_apps(daemon: &Daemon) -> (u64, u64) {
    let answer = client().get(daemon.url("/authentication")).send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    (answer["data"]["exp"].as_u64().unwrap(), answer["metadata"]["timestamp"].as_u64().unwrap())
}

/// The answer holds a token that can be used: its remaining life in seconds, as the proxy sees it.
async fn is_used(kind: FaultKind) -> u64 {
    let (sandbox, daemon) = start(kind).await;
    daemon.becomes_ready().await;
    assert_eq!(ask(&daemon).await.status(), 404);
    assert_nothing_leaks(&sandbox, &daemon).await;
    let credential = credential(&daemon).await;
    assert_eq!((&credential["state"], &credential["trouble"]), (&"available".into(), &Value::Null));
    assert_eq!(sandbox.handle().authentications(), 1);
    let now = daemon.status().await["now_ms"].as_u64().unwrap();
    let (end, timestamp) = told_to_apps(&daemon).await;
    assert!(timestamp.abs_diff(now) < 60_000, "apps are told that it is {timestamp}, it is {now}");
    assert!(end > now, "{end}");
    credential["remaining_seconds"].as_u64().unwrap()
}

#[tokio::test]
async fn a_server_error() {
    is_survived(FaultKind::Status(500), "answered 500").await;
}

#[tokio::test]
async fn no_answer_ever() {
    is_survived(FaultKind::Hang, "no answer from the authentication endpoint in time").await;
}

#[tokio::test]
async fn a_dropped_connection() {
    is_survived(FaultKind::Disconnect, "the authentication call failed").await;
}

#[tokio::test]
async fn an_empty_answer() {
    is_survived(FaultKind::EmptyOk, "answer is empty").await;
}

#[tokio::test]
async fn a_page_of_html() {
    is_survived(FaultKind::NotJson, "is not the JSON object that it should be").await;
}

#[tokio::test]
async fn half_an_answer() {
    is_survived(FaultKind::TruncatedJson, "is not the JSON object that it should be").await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    is_survived(FaultKind::Redirect, "answered 302").await;
}

#[tokio::test]
async fn a_token_that_has_ended() {
    is_survived(FaultKind::ExpInPast, "has ended already").await;
}

#[tokio::test]
async fn an_answer_that_is_far_too_long() {
    is_survived(FaultKind::HugeBody, "is longer than 65536 bytes").await;
}

/// The API means the key, so nothing but another key helps; and what it says is not repeated.
#[tokio::test]
async fn an_answer_that_repeats_the_key() {
    let (sandbox, daemon) = start(FaultKind::EchoKey).await;
    let trouble = trouble(&daemon).await;
    assert_eq!(trouble["kind"], "refused");
    let envelope = assert_own_answer(ask(&daemon).await, 502, "credential_rejected").await;
    let secrets = Secrets::of_sandbox(&sandbox.handle());
    secrets.assert_absent("the answer", envelope.to_string());
    secrets.assert_absent("the trouble", trouble.to_string());
    assert_nothing_leaks(&sandbox, &daemon).await;
}

#[tokio::test]
async fn a_token_without_an_end_is_taken_for_a_short_one() {
    let left = is_used(FaultKind::NoExp).await;
    assert!((500..=600).contains(&left), "{left} s");
}

#[tokio::test]
async fn a_token_with_an_absurd_end_is_taken_for_a_month() {
    let left = is_used(FaultKind::ExpAbsurd).await;
    assert!((30 * DAY..=31 * DAY).contains(&left), "{left} s");
}

#[tokio::test]
async fn an_end_in_seconds() {
    let left = is_used(FaultKind::ExpInSeconds).await;
    assert!((DAY - 100..=DAY).contains(&left), "{left} s");
}

#[tokio::test]
async fn an_answer_without_a_timestamp() {
    let left = is_used(FaultKind::NoTimestamp).await;
    assert!((DAY - 100..=DAY).contains(&left), "{left} s");
}

/// Asked at half of its life, the issuer gives what it gave before, for three seconds and more.
#[tokio::test]
async fn an_issuer_that_gives_the_same_token_again() {
    let life = Duration::from_secs(4);
    let settings = Settings { api_key: KEY.into(), token_lifetime: life, ..Settings::default() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let same = Fault { kind: FaultKind::SameToken, times: None };
    sandbox.handle().set_fault(Scope::Authentication, Some(same));
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    let second = async || {
        let answer = ask(&daemon).await;
        assert_eq!(answer.status(), 404, "a request failed");
        (sandbox.handle().tokens().len() == 3).then_some(())
    };
    eventually("two more tokens have come", second).await;
    let authentications = sandbox.handle().authentications();
    assert!((3..=20).contains(&authentications), "{authentications} authentications for 3 tokens");
    assert!(sandbox.handle().calls().iter().all(|call| call.status != 401));
    assert_nothing_leaks(&sandbox, &daemon).await;
}

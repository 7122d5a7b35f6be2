//! What operators see: health, status and metrics, each telling the truth and nothing secret.

use std::time::Duration;

use liquid_auth_proxy::sandbox::{Fault, FaultKind, Handle, LimitHeaders, Sandbox, Scope, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::secrets::Secrets;
use crate::support::{eventually, open_metrics};

async fn sandbox() -> Sandbox {
    Sandbox::start(Settings { api_key: KEY.into(), ..Settings::default() }).await.unwrap()
}

fn befall(handle: &Handle, scope: Scope, kind: FaultKind) {
    handle.set_fault(scope, Some(Fault { kind, times: None }));
}

async fn post(daemon: &Daemon, path: &str) -> u16 {
    let answer = client().post(daemon.url(path)).body("{}").send().await.unwrap();
    let status = answer.status().as_u16();
    answer.bytes().await.unwrap();
    status
}

async fn becomes(daemon: &Daemon, sample: &str, wanted: impl Fn(f64) -> bool) {
    let reached = async || wanted(daemon.metric(sample).await).then_some(());
    eventually(sample, reached).await;
}

/// A request that gets no answer, and a client that loses its patience.
async fn is_given_up(daemon: &Daemon, handle: &Handle) {
    befall(handle, Scope::Path("/users/fetch".into()), FaultKind::Hang);
    let hanging = tokio::spawn(client().get(daemon.url("/users/fetch/1")).send());
    becomes(daemon, "liquid_proxy_requests_in_flight", |found| found == 1.0).await;
    becomes(daemon, "liquid_proxy_connections_open", |found| found == 1.0).await;
    assert_eq!(daemon.status().await["requests_in_flight"], 1);
    hanging.abort();
    becomes(daemon, r#"liquid_proxy_requests_broken_off_total{by="client"}"#, |found| found == 1.0).await;
    becomes(daemon, "liquid_proxy_requests_in_flight", |found| found == 0.0).await;
}

#[tokio::test]
async fn readiness_says_what_is_pending() {
    let sandbox = sandbox().await;
    befall(&sandbox.handle(), Scope::Authentication, FaultKind::Hang);
    let daemon = Builder::new(&sandbox.base_url()).start().await;
    assert_eq!(daemon.admin("/livez").await, (200, "ok\n".to_owned()));
    let pending = "the first token has not come yet";
    assert_eq!(daemon.admin("/readyz").await, (503, format!("credential api: {pending}\n")));
    let status = daemon.status().await;
    assert_eq!(status["pending"], json!([{ "name": "credential api", "reason": pending }]));
    assert_eq!(
        (&status["ready"], &status["credentials"][0]["state"]),
        (&json!(false), &json!("initializing"))
    );
    assert_eq!(daemon.metric(r#"liquid_proxy_token_age_seconds{credential="api"}"#).await, 0.0);
}

#[tokio::test]
async fn status_describes_the_proxy() {
    let sandbox = sandbox().await;
    let builder = Builder::new(&sandbox.base_url());
    let source = builder.key_file();
    let daemon = builder.ready().await;
    let status = daemon.status().await;
    for (member, value) in [
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("environment", json!("staging")),
        ("ready", json!(true)),
        ("pending", json!([])),
        ("listen", json!(daemon.address())),
        ("admin", json!(daemon.admin_address())),
        ("upstream", json!(format!("{}/", sandbox.base_url()))),
        ("requests_in_flight", json!(0)),
    ] {
        assert_eq!(status[member], value, "{member}");
    }
    assert!(status["workers"].as_u64().unwrap() >= 1);
    let now = status["now_ms"].as_u64().unwrap();
    let credential = &status["credentials"][0];
    assert_eq!((&credential["name"], &credential["source"]), (&json!("api"), &json!(source)));
    assert_eq!((&credential["state"], &credential["generation"]), (&json!("available"), &json!(1)));
    assert_eq!(credential["trouble"], Value::Null);
    let (end, left) =
        (credential["expires_at_ms"].as_u64().unwrap(), credential["remaining_seconds"].as_u64().unwrap());
    assert!(end.abs_diff(now + left * 1000) < 60_000, "{credential}");
    assert!(credential["age_seconds"].as_u64().unwrap() < 60, "{credential}");
}

#[tokio::test]
async fn it_is_not_on_the_apps_listener() {
    let sandbox = sandbox().await;
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    for path in ["/livez", "/readyz", "/status", "/metrics"] {
        assert_eq!(client().get(daemon.url(path)).send().await.unwrap().status(), 404);
        assert_eq!(sandbox.handle().calls_to(path), 1, "{path} is the API's there");
    }
    let elsewhere = format!("http://{}/catalog/search", daemon.admin_address());
    assert_eq!(client().post(elsewhere).send().await.unwrap().status(), 404);
    assert_eq!(sandbox.handle().calls_to("/catalog/search"), 0);
}

#[tokio::test]
async fn metrics_are_open_metrics() {
    let sandbox = sandbox().await;
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    // One of each, as a family without a sample is left out.
    assert_eq!(post(&daemon, "/authentication").await, 403);
    let limited = FaultKind::RateLimited(LimitHeaders::None, Duration::from_secs(5));
    befall(&sandbox.handle(), Scope::Path("/cart".into()), limited);
    assert_eq!(post(&daemon, "/cart/update").await, 429);
    is_given_up(&daemon, &sandbox.handle()).await;
    let answer = client().get(format!("http://{}/metrics", daemon.admin_address())).send().await.unwrap();
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.headers()["content-type"], content_type);
    let families = open_metrics::parse(&answer.text().await.unwrap());
    let kinds: Vec<_> = families.iter().map(|(name, family)| (name.as_str(), family.kind.as_str())).collect();
    assert_eq!(
        kinds,
        [
            ("liquid_proxy_authentication_attempts", "counter"),
            ("liquid_proxy_build", "gauge"),
            ("liquid_proxy_clock_skew_seconds", "gauge"),
            ("liquid_proxy_connections", "counter"),
            ("liquid_proxy_connections_closed", "counter"),
            ("liquid_proxy_connections_open", "gauge"),
            ("liquid_proxy_own_answers", "counter"),
            ("liquid_proxy_rate_limits_passed", "counter"),
            ("liquid_proxy_request_head_seconds", "histogram"),
            ("liquid_proxy_request_seconds", "histogram"),
            ("liquid_proxy_requests", "counter"),
            ("liquid_proxy_requests_broken_off", "counter"),
            ("liquid_proxy_requests_in_flight", "gauge"),
            ("liquid_proxy_token_age_seconds", "gauge"),
            ("liquid_proxy_token_expiry_timestamp_seconds", "gauge"),
            ("liquid_proxy_token_remaining_seconds", "gauge"),
            ("liquid_proxy_upstream_connects", "counter"),
        ]
    );
    let build =
        format!(r#"liquid_proxy_build{{version="{}",environment="staging"}}"#, env!("CARGO_PKG_VERSION"));
    assert_eq!(daemon.metric(&build).await, 1.0);
}

#[tokio::test]
async fn requests_and_connections_are_counted() {
    let sandbox = sandbox().await;
    let handle = sandbox.handle();
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    assert_eq!(post(&daemon, "/catalog/search").await, 200);
    assert_eq!(client().get(daemon.url("/users/fetch/nobody")).send().await.unwrap().status(), 404);
    assert_eq!(client().delete(daemon.url("/authentication")).send().await.unwrap().status(), 403);
    for (sample, value) in [
        (r#"requests_total{method="POST",status="200"}"#, 1.0),
        (r#"requests_total{method="GET",status="404"}"#, 1.0),
        (r#"requests_total{method="DELETE",status="403"}"#, 1.0),
        (r#"own_answers_total{code="request_not_allowed"}"#, 1.0),
        ("request_head_seconds_count", 3.0),
        (r#"request_head_seconds_bucket{le="+Inf"}"#, 3.0),
        ("request_seconds_count", 3.0),
        ("connections_total", 3.0),
        ("connections_open", 0.0),
        ("requests_in_flight", 0.0),
    ] {
        becomes(&daemon, &format!("liquid_proxy_{sample}"), |found| found == value).await;
    }
    assert!(daemon.metric(r#"liquid_proxy_upstream_connects_total{outcome="connected"}"#).await >= 1.0);

    is_given_up(&daemon, &handle).await;
}

#[tokio::test]
async fn rate_limits_are_counted() {
    let sandbox = sandbox().await;
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    for (headers, label) in
        [(LimitHeaders::RetryAfterSeconds, "given"), (LimitHeaders::RateLimitReset, "derived")]
    {
        let limited = FaultKind::RateLimited(headers, Duration::from_secs(5));
        befall(&sandbox.handle(), Scope::Path("/cart".into()), limited);
        assert_eq!(post(&daemon, "/cart/update").await, 429);
        let sample = format!(r#"liquid_proxy_rate_limits_passed_total{{retry_after="{label}"}}"#);
        assert_eq!(daemon.metric(&sample).await, 1.0);
    }
}

#[tokio::test]
async fn tokens_are_measured() {
    let sandbox = sandbox().await;
    sandbox.handle().set_clock_offset_ms(-7_200_000);
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    let gauge = async |name: &str| {
        daemon.metric(&format!(r#"liquid_proxy_{name}_seconds{{credential="api"}}"#)).await
    };
    let status = daemon.status().await;
    let end = status["credentials"][0]["expires_at_ms"].as_u64().unwrap() as f64 / 1000.0;
    assert_eq!(gauge("token_expiry_timestamp").await, end);
    let remaining = gauge("token_remaining").await;
    assert!(remaining > 86_300.0 && remaining <= 86_400.0, "{remaining}");
    assert!((gauge("clock_skew").await + 7200.0).abs() < 60.0);
    let age = gauge("token_age").await;
    assert!(age > 0.0 && age < 60.0, "{age}");
    becomes(&daemon, r#"liquid_proxy_token_age_seconds{credential="api"}"#, |found| found > age).await;
    assert!(gauge("token_remaining").await < remaining);
}

#[tokio::test]
async fn authentication_attempts_are_counted_by_outcome() {
    let outcome = |name: &str| {
        format!(r#"liquid_proxy_authentication_attempts_total{{credential="api",outcome="{name}"}}"#)
    };
    for (fault, name) in [
        (FaultKind::Status(503), "failed"),
        (FaultKind::Status(401), "refused"),
        (FaultKind::RateLimited(LimitHeaders::RetryAfterSeconds, Duration::from_secs(9)), "rate_limited"),
    ] {
        let sandbox = sandbox().await;
        befall(&sandbox.handle(), Scope::Authentication, fault);
        let daemon = Builder::new(&sandbox.base_url()).start().await;
        becomes(&daemon, &outcome(name), |found| found >= 1.0).await;
        assert_eq!(daemon.metric(&outcome("ok")).await, 0.0);
    }
    let sandbox = sandbox().await;
    sandbox.handle().set_token_lifetime(Duration::from_secs(2));
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    becomes(&daemon, &outcome("ok"), |found| found >= 2.0).await;
    let asked = client().post(daemon.url("/cart/update")).body(r#"{"id":"","refresh":true}"#);
    assert_eq!(asked.send().await.unwrap().status(), 200);
    becomes(&daemon, &outcome("in_band"), |found| found == 1.0).await;
}

#[tokio::test]
async fn nothing_secret_is_in_any_of_it() {
    let sandbox = sandbox().await;
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    post(&daemon, "/catalog/search").await;
    let secrets = Secrets::of_sandbox(&sandbox.handle());
    for path in ["/livez", "/readyz", "/status", "/metrics", "/", "/nothing"] {
        secrets.assert_absent(path, daemon.admin(path).await.1);
    }
}

/// The system's descriptors are for the apps as well: so many operators are served, and no more until one goes.
#[tokio::test]
async fn a_crowd_of_operators_leaves_room_for_apps() {
    const SERVED: usize = 64;
    let sandbox = sandbox().await;
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count();
    let before = descriptors();
    let mut crowd = Vec::new();
    for _ in 0..2 * SERVED {
        let mut one = TcpStream::connect(daemon.admin_address()).await.unwrap();
        one.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
        crowd.push(one);
    }
    // The start has left a connection or two, which are among them or go.
    let full = async || (descriptors() >= before + SERVED - 4).then_some(());
    eventually("as many as may be are served", full).await;
    assert_eq!(post(&daemon, "/catalog/search").await, 200);
    assert!(descriptors() < before + SERVED + 10, "{before} before, {} now", descriptors());
    // Who says no more makes room for those who wait, without being asked to.
    let mut last = crowd.pop().unwrap();
    last.write_all(b"Connection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"), "{answer}");
}

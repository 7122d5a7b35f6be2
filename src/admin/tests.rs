use std::time::Duration;

use axum::body::Body;
use http::header::HOST;
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::config::{ConnectionLimits, Listen, UnixAccess};
use crate::lifecycle::Latch;
use crate::token::Credential;
use crate::token::clock::Clock;
use crate::token::exchange::ExchangeError;
use crate::token::manager::{Manager, Policy};

/// An admin whose one credential has not been exchanged yet.
fn admin() -> (Admin, Manager, Latch) {
    let readiness = Readiness::default();
    let metrics = Metrics::new("sandbox");
    let listener = readiness.latch("listener", "not serving yet");
    let latch = readiness.latch("credential api", "the first token has not come yet");
    let policy = Policy { refresh_ratio: 0.5, in_band: false };
    let (manager, handle) = Manager::new(Credential::Api, policy, Clock::default(), latch, metrics.clone());
    let admin = Admin::new(Parts {
        environment: "sandbox",
        listen: Address::Tcp("127.0.0.1:8000".parse().unwrap()),
        admin: admin_address(),
        upstream: "http://127.0.0.1:9/".into(),
        proxy: None,
        callers: callers(),
        warnings: Vec::new(),
        workers: 2,
        started: Instant::now(),
        readiness,
        metrics,
        credentials: vec![(handle, "LIQUID_API_KEY".into())],
    });
    (admin, manager, listener)
}

fn admin_address() -> Address {
    Address::Unix("/run/liquid/admin.sock".into())
}

fn callers() -> Callers {
    let listen = Listen {
        address: admin_address(),
        allow_remote: false,
        insecure_remote: false,
        allowed_hosts: Vec::new(),
        allowed_origins: Vec::new(),
        client_token: None,
        tls: None,
        limits: ConnectionLimits {
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            send_timeout: Duration::from_secs(60),
            max_connections: 4096,
        },
        unix: UnixAccess { mode: 0o600, allowed_uids: Vec::new() },
    };
    Callers::of_admin(&listen, &admin_address())
}

async fn get(admin: &Admin, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).header(HOST, "localhost").body(Body::empty()).unwrap();
    let response: Response<Body> = admin.clone().router().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn alive_before_it_is_ready() {
    let (admin, _manager, listener) = admin();
    assert_eq!(get(&admin, "/livez").await, (StatusCode::OK, "ok\n".into()));
    let (status, pending) = get(&admin, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(pending, "credential api: the first token has not come yet\nlistener: not serving yet\n");

    listener.ready(None);
    let (_, pending) = get(&admin, "/readyz").await;
    assert_eq!(pending, "credential api: the first token has not come yet\n");
}

#[tokio::test]
async fn status_tells_what_a_credential_goes_through() {
    let (admin, manager, _listener) = admin();
    let (_, before) = get(&admin, "/status").await;
    let before: serde_json::Value = serde_json::from_str(&before).unwrap();
    assert_eq!(before["ready"], false);
    assert_eq!(before["credentials"][0]["state"], "initializing");
    assert_eq!(before["credentials"][0]["source"], "LIQUID_API_KEY");

    let refused = async || Err(ExchangeError::Refused { message: "the API refused the API key".into() });
    let ran = tokio::time::timeout(Duration::from_millis(50), manager.run(refused)).await;
    assert!(ran.is_err(), "a manager never ends");
    let (_, after) = get(&admin, "/status").await;
    let after: serde_json::Value = serde_json::from_str(&after).unwrap();
    let trouble = &after["credentials"][0]["trouble"];
    assert_eq!(after["credentials"][0]["state"], "unavailable");
    assert_eq!((&trouble["kind"], &trouble["attempts"]), (&"refused".into(), &1.into()));
    assert_eq!(trouble["message"], "the API refused the API key");
}

#[tokio::test]
async fn metrics_are_openmetrics() {
    let (admin, ..) = admin();
    let (status, text) = get(&admin, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("liquid_proxy_build{"), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

//! What the API saw of a credential, and what the proxy says of it.

use liquid_auth_proxy::sandbox::{Call, Fault, FaultKind, Handle, Settings};
use serde_json::Value;

use super::daemon::{Daemon, KEY};

/// An API that knows the tests' key, and takes no token of one kind for the other.
pub fn settings() -> Settings {
    Settings { api_key: KEY.into(), orders_accept_api_token: false, ..Settings::default() }
}

/// A fault that lasts until it is taken away.
pub fn fault(kind: FaultKind) -> Option<Fault> {
    Some(Fault { kind, times: None })
}

/// The token that a call bears.
pub fn bearer(call: &Call) -> &str {
    call.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap()
}

/// The calls that were not for a token.
pub fn calls(handle: &Handle) -> Vec<Call> {
    let mut calls = handle.calls();
    calls.retain(|call| !call.path_and_query.contains("authentication"));
    calls
}

/// The entry of a credential in `/status`.
pub async fn credential(daemon: &Daemon, name: &str) -> Value {
    let status = daemon.status().await;
    let entries = status["credentials"].as_array().unwrap();
    entries.iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("{status}")).clone()
}

/// How often a credential's exchange had an outcome, as `/metrics` counts it.
pub async fn attempts(daemon: &Daemon, credential: &str, outcome: &str) -> f64 {
    let labels = format!(r#"credential="{credential}",outcome="{outcome}""#);
    daemon.metric(&format!("liquid_proxy_authentication_attempts_total{{{labels}}}")).await
}

/// How many requests were sent a second time, by what came of it: `accepted` or `rejected`.
pub async fn sent_again(daemon: &Daemon, outcome: &str) -> f64 {
    daemon.metric(&format!(r#"liquid_proxy_requests_sent_again_total{{outcome="{outcome}"}}"#)).await
}

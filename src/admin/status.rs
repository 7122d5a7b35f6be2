//! The proxy's state as JSON, for scripts and for people.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::Parts;
use crate::token::cell::Handle;
use crate::token::{State, Trouble, TroubleKind};

/// The body of `/status`. Holds nothing secret.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The program's version.
    pub version: &'static str,
    /// `environment`
    pub environment: &'static str,
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// The wall clock, Unix milliseconds.
    pub now_ms: u64,
    /// Whether nothing is pending.
    pub ready: bool,
    /// What is waited for, by name, and why.
    pub pending: Vec<Pending>,
    /// Where apps reach the proxy: `host:port` or `unix:/path`.
    pub listen: String,
    /// Where this is served.
    pub admin: String,
    /// What is not as safe as it could be, by the operator's own wish; left out where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Where requests go.
    pub upstream: String,
    /// `host:port` of the proxy on the way there, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// How many workers serve.
    pub workers: usize,
    /// Requests under way.
    pub requests_in_flight: i64,
    /// Open connections of apps.
    pub connections_open: i64,
    /// One entry a credential.
    pub credentials: Vec<CredentialStatus>,
}

/// A condition of readiness that does not hold.
#[derive(Debug, Serialize)]
pub struct Pending {
    /// Its name.
    pub name: String,
    /// Why it does not hold.
    pub reason: String,
}

/// How a credential's token is doing.
#[derive(Debug, Serialize)]
pub struct CredentialStatus {
    /// The credential's name.
    pub name: &'static str,
    /// Where it comes from: a variable or a file, never its value.
    pub source: String,
    /// `initializing`, `available` or `unavailable`.
    pub state: &'static str,
    /// How many tokens there have been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The token's end by the server's clock, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
    /// Seconds that it has left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_seconds: Option<u64>,
    /// Seconds since it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u64>,
    /// Why there is no token, or why its renewal fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<TroubleStatus>,
}

/// Why an exchange fails.
#[derive(Debug, Serialize)]
pub struct TroubleStatus {
    /// `refused`, `rate_limited` or `failing`.
    pub kind: &'static str,
    /// What happened.
    pub message: String,
    /// How many attempts in a row have failed.
    pub attempts: u32,
    /// Seconds until the next attempt.
    pub retry_in_seconds: u64,
}

impl Status {
    pub(super) fn of(parts: &Parts) -> Self {
        let pending: Vec<_> = parts
            .readiness
            .pending()
            .into_iter()
            .map(|pending| Pending { name: pending.name, reason: pending.reason })
            .collect();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            environment: parts.environment,
            uptime_seconds: parts.started.elapsed().as_secs(),
            now_ms: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64,
            ready: pending.is_empty(),
            pending,
            listen: parts.listen.to_string(),
            admin: parts.admin.to_string(),
            warnings: parts.warnings.clone(),
            upstream: parts.upstream.clone(),
            proxy: parts.proxy.clone(),
            workers: parts.workers,
            requests_in_flight: parts.metrics.in_flight(),
            connections_open: parts.metrics.connections_open(),
            credentials: parts
                .credentials
                .iter()
                .map(|(h, source)| CredentialStatus::of(h, source))
                .collect(),
        }
    }
}

impl CredentialStatus {
    fn of(handle: &Handle, source: &str) -> Self {
        let now = handle.clock().now();
        let state = handle.state();
        let (name, token, trouble) = match &state {
            State::Initializing => ("initializing", None, None),
            State::Available { token, renewal } => ("available", Some(token), renewal.as_deref()),
            State::Unavailable(trouble) => ("unavailable", None, Some(&**trouble)),
        };
        Self {
            name: handle.credential().as_str(),
            source: source.to_owned(),
            state: name,
            generation: token.map(|token| token.generation.number()),
            expires_at_ms: token.map(|token| token.expires_at_ms),
            remaining_seconds: token.map(|token| token.end.remaining(now).as_secs()),
            age_seconds: token.map(|token| now.since(token.requested).as_secs()),
            trouble: trouble
                .map(|trouble| TroubleStatus::of(trouble, trouble.retry_at.remaining(now).as_secs())),
        }
    }
}

impl TroubleStatus {
    fn of(trouble: &Trouble, retry_in_seconds: u64) -> Self {
        let kind = match trouble.kind {
            TroubleKind::Refused => "refused",
            TroubleKind::RateLimited => "rate_limited",
            TroubleKind::Failing => "failing",
        };
        Self { kind, message: trouble.message.clone(), attempts: trouble.attempts, retry_in_seconds }
    }
}

//! What operators ask a running proxy: is it alive, is it ready, how is it doing. Never on the apps'
//! listener.

mod guard;
mod refresh;
mod serve;
mod status;

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use http::StatusCode;
use http::header::CONTENT_TYPE;

pub use self::status::{CredentialStatus, Status};

use crate::config::Address;
use crate::lifecycle::{Readiness, Remark};
use crate::proxy::Callers;
use crate::telemetry::metrics::{self, Metrics, TokenTimes};
use crate::token::cell::Handle;
use crate::token::{self};

/// What the answers are made of.
#[derive(Debug, Clone)]
pub struct Admin(Arc<Parts>);

/// The parts of the program that an operator can see into.
#[derive(Debug)]
pub struct Parts {
    /// `environment`
    pub environment: &'static str,
    /// Where apps reach the proxy.
    pub listen: Address,
    /// Where this is served.
    pub admin: Address,
    /// Who may ask.
    pub callers: Callers,
    /// What is not as safe as it could be, by the operator's own wish.
    pub warnings: Vec<String>,
    /// Where requests go.
    pub upstream: String,
    /// `host:port` of the proxy on the way there.
    pub proxy: Option<String>,
    /// How many workers serve.
    pub workers: usize,
    /// When the process started to serve.
    pub started: Instant,
    /// What is still waited for.
    pub readiness: Readiness,
    /// What was counted.
    pub metrics: Metrics,
    /// The credentials, with the place that each comes from.
    pub credentials: Vec<(Handle, String)>,
}

impl Admin {
    /// Answers about `parts`.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The admin listener's routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .route("/status", get(status))
            .route("/refresh", post(refresh::refresh))
            .layer(middleware::from_fn_with_state(self.clone(), guard::guard))
            .with_state(self)
    }
}

/// 200 when ready, with a line for each thing that is not as it should be all the same; 503 with a
/// line for each thing that is pending.
async fn readyz(State(Admin(parts)): State<Admin>) -> Response {
    let lines = |remarks: Vec<Remark>| -> String {
        remarks.iter().map(|remark| format!("{}: {}\n", remark.name, remark.reason)).collect()
    };
    let pending = parts.readiness.pending();
    if pending.is_empty() {
        return format!("ok\n{}", lines(parts.readiness.notes())).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, lines(pending)).into_response()
}

async fn status(State(Admin(parts)): State<Admin>) -> Json<Status> {
    Json(Status::of(&parts))
}

async fn metrics(State(Admin(parts)): State<Admin>) -> Response {
    for (handle, _) in &parts.credentials {
        let now = handle.clock().now();
        let times = match handle.state() {
            token::State::Available { token, .. } => Some(TokenTimes {
                expires_at_ms: token.expires_at_ms,
                remaining: token.end.remaining(now),
                age: now.since(token.requested),
            }),
            token::State::Initializing | token::State::Unavailable(_) => None,
        };
        parts.metrics.token(handle.credential().as_str(), times);
    }
    match parts.metrics.encode() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests;

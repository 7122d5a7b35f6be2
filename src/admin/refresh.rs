//! `POST /refresh`: a new token now, within the floor, and what came of it.

use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::{Deserialize, Serialize};

use super::Admin;
use crate::token::cell::{Handle, Refreshed};

/// Which credential; all of them where none is named.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    credential: Option<String>,
}

/// What came of one credential's renewal.
#[derive(Debug, Serialize)]
struct Answer {
    credential: &'static str,
    /// `renewed`, `failed` or `not_yet`.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Seconds until the floor, or the backoff, allows an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
}

/// 200 when every credential that was asked for has a new token; 429 with `Retry-After` when it is too
/// early for one of them; 502 when an exchange failed; 404 when there is no such credential.
pub(super) async fn refresh(State(Admin(parts)): State<Admin>, Query(which): Query<Which>) -> Response {
    let named =
        |handle: &Handle| which.credential.as_deref().is_none_or(|name| name == handle.credential().as_str());
    let mut answers = Vec::new();
    for (handle, _) in parts.credentials.iter().filter(|(handle, _)| named(handle)) {
        answers.push(Answer::of(handle.credential().as_str(), handle.refresh().await));
    }
    let status = if answers.is_empty() {
        StatusCode::NOT_FOUND
    } else if answers.iter().any(|answer| answer.outcome == "failed") {
        StatusCode::BAD_GATEWAY
    } else if answers.iter().any(|answer| answer.outcome == "not_yet") {
        StatusCode::TOO_MANY_REQUESTS
    } else {
        StatusCode::OK
    };
    let wait = answers.iter().filter_map(|answer| answer.retry_after_seconds).max();
    let mut response = (status, Json(answers)).into_response();
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, wait.into());
    }
    response
}

impl Answer {
    fn of(credential: &'static str, refreshed: Option<Refreshed>) -> Self {
        let nothing = Self {
            credential,
            outcome: "failed",
            generation: None,
            lifetime_seconds: None,
            message: None,
            retry_after_seconds: None,
        };
        match refreshed {
            Some(Refreshed::Renewed { generation, lifetime }) => Self {
                outcome: "renewed",
                generation: Some(generation.number()),
                lifetime_seconds: Some(lifetime.as_secs()),
                ..nothing
            },
            Some(Refreshed::Failed(message)) => Self { message: Some(message), ..nothing },
            Some(Refreshed::NotBefore(wait)) => {
                // Rounded up: who waits exactly so long must not be early.
                let seconds = (wait + Duration::from_millis(999)).as_secs();
                Self { outcome: "not_yet", retry_after_seconds: Some(seconds), ..nothing }
            }
            None => Self { message: Some("the proxy is ending".into()), ..nothing },
        }
    }
}

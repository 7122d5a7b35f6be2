//! The shape of every answer: the API's own fields beside its metadata (wire contract).

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::calls::endpoint_path;
use super::rate_limit::LimitHeaders;

/// What an endpoint has to say.
#[derive(Debug)]
pub(super) enum Answer {
    /// In the envelope, below `data`.
    Data(Value),
    /// In the envelope, beside its own fields: carts and the catalogue.
    Beside(Map<String, Value>),
    /// Without an envelope.
    Bare(Value),
}

/// Why an endpoint does not do what it was asked for.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// The API's own code, the envelope's `statusCode`.
    pub(super) code: u16,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: u16, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// A refusal that says no more than its HTTP status.
    pub(super) fn status(status: StatusCode) -> Self {
        Self::new(status, status.as_u16(), status.canonical_reason().unwrap_or("Error"))
    }

    /// A refusal by one of the API's own codes, 5480 and above.
    pub(super) fn coded(code: u16, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// What was sent is not what the endpoint takes: 5487.
    pub(super) fn invalid(detail: impl std::fmt::Display) -> Self {
        Self::coded(5487, format!("There's been an error with your request parameters: {detail}"))
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, 404, format!("{what} not found"))
    }
}

/// What an answer says about itself.
#[derive(Debug, Clone)]
pub(super) struct Metadata {
    path: String,
    /// The server's clock at the request's arrival, in Unix ms.
    pub(super) now_ms: i64,
    /// Whether the answer shows it.
    pub(super) shows_timestamp: bool,
}

impl Metadata {
    /// `path` is the request's; an answer's always bears `/api`.
    pub(super) fn new(path: &str, now_ms: i64) -> Self {
        Self { path: format!("/api{}", endpoint_path(path)), now_ms, shows_timestamp: true }
    }

    /// A success; `auth` is the token that was asked for in band.
    pub(super) fn answer(&self, answer: Answer, auth: Option<Value>) -> Response {
        let mut fields = match answer {
            Answer::Bare(value) => return Json(value).into_response(),
            Answer::Beside(fields) => fields,
            Answer::Data(data) => Map::from_iter([("data".to_owned(), data)]),
        };
        fields.extend(auth.map(|auth| ("auth".to_owned(), auth)));
        self.envelope(StatusCode::OK, 200, "OK", fields)
    }

    /// A refusal.
    pub(super) fn refuse(&self, refusal: &Refusal) -> Response {
        self.envelope(refusal.status, refusal.code, &refusal.message, Map::new())
    }

    /// A 429 that sends the client away for `wait`.
    pub(super) fn refuse_for(&self, headers: LimitHeaders, wait: Duration) -> Response {
        let mut response = self.refuse(&Refusal::status(StatusCode::TOO_MANY_REQUESTS));
        response.headers_mut().extend(headers.for_wait(wait, self.now_ms));
        response
    }

    fn envelope(
        &self,
        status: StatusCode,
        code: u16,
        message: &str,
        mut fields: Map<String, Value>,
    ) -> Response {
        let mut metadata = json!({
            "languages": ["en"],
            "timezone": "UTC",
            "requestId": format!("reqid_{:016x}", fastrand::u64(..)),
            "path": self.path,
            "version": "1.7.0",
        });
        if self.shows_timestamp {
            metadata["timestamp"] = json!(self.now_ms);
        }
        fields.insert("statusCode".to_owned(), json!(code));
        fields.insert("message".to_owned(), json!(message));
        fields.insert("metadata".to_owned(), metadata);
        (status, Json(fields)).into_response()
    }
}

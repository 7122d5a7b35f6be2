//! The API's envelope, around what the proxy answers itself (wire contract, "Getting an access token").

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

/// The outer shape of every answer of the API's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<'a, T> {
    /// The HTTP status, where the answer is the proxy's.
    pub status_code: u16,
    /// A sentence for people. The official SDK shows it.
    pub message: &'a str,
    /// Where and when.
    pub metadata: Metadata<'a>,
    /// What was asked for; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<T>,
}

impl Envelope<'_, ()> {
    /// An envelope that holds nothing but a message, as JSON.
    pub(super) fn bytes(status: StatusCode, message: &str, path: &str, request_id: &str) -> Bytes {
        let metadata = Metadata::new(path, request_id, now_ms());
        let envelope: Envelope<'_, ()> =
            Envelope { status_code: status.as_u16(), message, metadata, data: None };
        // A struct of texts and numbers always has a JSON form.
        Bytes::from(serde_json::to_vec(&envelope).unwrap_or_default())
    }
}

/// The envelope's `metadata`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
    languages: [&'static str; 1],
    /// Unix milliseconds.
    timestamp: u64,
    timezone: &'static str,
    request_id: &'a str,
    path: &'a str,
    version: &'static str,
}

impl<'a> Metadata<'a> {
    /// The metadata of an answer made at `timestamp` (Unix milliseconds) to a request for `path`.
    pub(super) fn new(path: &'a str, request_id: &'a str, timestamp: u64) -> Self {
        Self {
            languages: ["en"],
            timestamp,
            timezone: "UTC",
            request_id,
            path,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// An id for an answer of the proxy's own, to find it in the log by.
pub(super) fn request_id() -> String {
    format!("lap_{:016x}", fastrand::u64(..))
}

/// The wall clock, Unix milliseconds.
pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

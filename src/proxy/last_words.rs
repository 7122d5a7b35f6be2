//! What a client hears that never got as far as a request: written as it is, after which its connection closes.

use std::fmt::Write;
use std::time::SystemTime;

use bytes::Bytes;
use http::Response;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use http::{HeaderValue, Version};
use tracing::warn;

use super::envelope;
use super::error::Refusal;
use crate::config::AccessLog;
use crate::telemetry::metrics::Metrics;

/// The bytes of an HTTP/1.1 answer that says `refusal`, counted and logged as any other answer of the proxy's own.
pub fn last_words(refusal: &Refusal, metrics: &Metrics, access: AccessLog) -> Bytes {
    let request_id = envelope::request_id();
    let mut response = refusal.answer("", &request_id);
    let length = response.body().len();
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if let Ok(date) = httpdate::fmt_http_date(SystemTime::now()).try_into() {
        headers.insert(DATE, date);
    }
    let code = refusal.code();
    metrics.own_answer(code);
    if access != AccessLog::Off {
        let (status, message) = (response.status().as_u16(), refusal.to_string());
        warn!(status, code, request_id, message, "answered what is no whole request");
    }
    written(&response)
}

fn written(response: &Response<Bytes>) -> Bytes {
    let mut text = String::new();
    // A `String` takes all that is written to it.
    let _ = write!(text, "{:?} {}\r\n", Version::HTTP_11, response.status());
    let mut bytes = text.into_bytes();
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(response.body());
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_an_answer_of_the_proxys_own() {
        let metrics = Metrics::new("sandbox");
        let words = last_words(&Refusal::RequestMalformed("it is odd"), &metrics, AccessLog::Off);
        let words = std::str::from_utf8(&words).unwrap();
        let (head, body) = words.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        assert_eq!(lines.next(), Some("HTTP/1.1 400 Bad Request"));
        let lines: Vec<_> = lines.collect();
        assert!(lines.contains(&"x-liquid-proxy-error: request_broken"), "{head}");
        assert!(lines.contains(&"connection: close"), "{head}");
        assert!(lines.contains(&format!("content-length: {}", body.len()).as_str()), "{head}");
        assert!(metrics.encode().unwrap().contains(r#"own_answers_total{code="request_broken"} 1"#));
    }
}

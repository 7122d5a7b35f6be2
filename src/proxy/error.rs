//! What the proxy answers when it cannot pass a request on: the only place where a status of its own
//! is chosen.
//!
//! The client sees a stable code and a short text; the log sees the cause. Never 401: that is the
//! API's word.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};

use super::body::Body;
use super::envelope::{self, Envelope};
use super::path::Doubtful;
use super::proxy_status;
use crate::token::cell::Unavailable;

/// Carries the code of an answer of the proxy's own.
pub const CODE_HEADER: HeaderName = HeaderName::from_static("x-liquid-proxy-error");

/// Clients that are told to come back "soon" are told this.
const SOON: Duration = Duration::from_secs(1);

/// Why a request is not passed on, or its answer not back.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No valid token within `token.wait_timeout`.
    #[error("no access token yet: {reason}")]
    TokenUnavailable {
        /// Why there is none.
        reason: String,
        /// How long until the next attempt to get one.
        retry_in: Duration,
    },
    /// No token, because the authentication endpoint answered 429.
    #[error("no access token yet: the API's authentication endpoint is rate limited")]
    AuthenticationRateLimited {
        /// What is left of its time.
        retry_in: Duration,
    },
    /// The API refused the key.
    #[error("{0}")]
    CredentialRejected(String),
    /// An Orders path, and no Orders credential.
    #[error(
        "this path needs the Orders credential, which the proxy does not have: set credentials.orders.user_id \
         (LIQUID_ORDERS_USER_ID) and credentials.orders.password_file (LIQUID_ORDERS_PASSWORD_FILE)"
    )]
    CredentialNotConfigured,
    /// No connection: name, TCP or TLS.
    #[error("cannot reach the API: {reason}")]
    UpstreamUnreachable {
        /// What failed.
        reason: String,
        /// The failure's name in `Proxy-Status` (RFC 9209, section 2.3).
        kind: &'static str,
    },
    /// No head of an answer in time.
    #[error("the API did not answer within {} s", .0.as_secs_f64())]
    UpstreamTimeout(Duration),
    /// What the API answered cannot be passed on.
    #[error("the API's answer cannot be passed on: {0}")]
    UpstreamProtocolError(String),
    /// The client stopped sending its request's body.
    #[error("the request's body did not come on within {} s", .0.as_secs_f64())]
    RequestTimeout(Duration),
    /// The client did not send all of its request's head.
    #[error("the request's head did not come within {} s, the time that listen.head_timeout gives", .0.as_secs_f64())]
    HeadTimeout(Duration),
    /// The request has more headers, or a larger head, than allowed.
    #[error("{0}")]
    HeadTooLarge(String),
    /// The request's path and query are longer than `requests.max_uri`.
    #[error("the request's path and query have more than {0} bytes, the most that requests.max_uri allows")]
    UriTooLong(usize),
    /// The client's body is not valid HTTP, or broke off.
    #[error("the request's body is broken")]
    RequestBroken,
    /// What it says of itself could be read in more than one way.
    #[error("the request is not valid HTTP: {0}")]
    RequestMalformed(&'static str),
    /// There is no room for it now.
    #[error("{0}")]
    Overloaded(String),
    /// The request's body exceeds `requests.max_body`.
    #[error("the request's body has more than {0} bytes, the most that requests.max_body allows")]
    RequestTooLarge(u64),
    /// The request names a host that is none of the proxy's, more than one, or none.
    #[error("this request is not for this proxy: {0}")]
    HostNotAllowed(String),
    /// A page of another origin made the request.
    #[error("pages of {0} may not use this proxy; listen.allowed_origins names those that may")]
    OriginNotAllowed(String),
    /// The client does not show what it shares with the proxy.
    #[error("this proxy serves only clients that show its client token: {0} {1}")]
    ClientNotAllowed(HeaderName, &'static str),
    /// The request bears the token that only this proxy has.
    #[error("this request has been through this proxy already: upstream.base_url leads back to it")]
    LoopDetected,
    /// The request is of a kind that the proxy does not pass on.
    #[error("{0}")]
    RequestNotAllowed(String),
}

impl Refusal {
    /// The stable name of this answer.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TokenUnavailable { .. } => "token_unavailable",
            Self::AuthenticationRateLimited { .. } => "authentication_rate_limited",
            Self::CredentialRejected(_) => "credential_rejected",
            Self::CredentialNotConfigured => "credential_not_configured",
            Self::UpstreamUnreachable { .. } => "upstream_unreachable",
            Self::UpstreamTimeout(_) => "upstream_timeout",
            Self::UpstreamProtocolError(_) => "upstream_protocol_error",
            Self::RequestTimeout(_) | Self::HeadTimeout(_) => "request_timeout",
            Self::HeadTooLarge(_) => "head_too_large",
            Self::UriTooLong(_) => "uri_too_long",
            Self::RequestBroken | Self::RequestMalformed(_) => "request_broken",
            Self::Overloaded(_) => "overloaded",
            Self::RequestTooLarge(_) => "request_too_large",
            Self::HostNotAllowed(_) => "host_not_allowed",
            Self::OriginNotAllowed(_) => "origin_not_allowed",
            Self::ClientNotAllowed(..) => "client_not_allowed",
            Self::LoopDetected => "loop_detected",
            Self::RequestNotAllowed(_) => "request_not_allowed",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::TokenUnavailable { .. } | Self::Overloaded(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::AuthenticationRateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::CredentialRejected(_)
            | Self::CredentialNotConfigured
            | Self::UpstreamUnreachable { .. }
            | Self::UpstreamProtocolError(_) => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::RequestTimeout(_) | Self::HeadTimeout(_) => StatusCode::REQUEST_TIMEOUT,
            Self::RequestBroken | Self::RequestMalformed(_) => StatusCode::BAD_REQUEST,
            Self::HeadTooLarge(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UriTooLong(_) => StatusCode::URI_TOO_LONG,
            Self::RequestTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HostNotAllowed(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::OriginNotAllowed(_) | Self::ClientNotAllowed(..) | Self::RequestNotAllowed(_) => {
                StatusCode::FORBIDDEN
            }
            Self::LoopDetected => StatusCode::LOOP_DETECTED,
        }
    }

    /// The error's type in `Proxy-Status` (RFC 9209, section 2.3).
    fn proxy_error(&self) -> &'static str {
        match self {
            Self::TokenUnavailable { .. }
            | Self::AuthenticationRateLimited { .. }
            | Self::CredentialRejected(_)
            | Self::CredentialNotConfigured => "destination_unavailable",
            Self::UpstreamUnreachable { kind, .. } => kind,
            Self::UpstreamTimeout(_) => "http_response_timeout",
            Self::UpstreamProtocolError(_) => "http_protocol_error",
            Self::RequestTimeout(_)
            | Self::HeadTimeout(_)
            | Self::HeadTooLarge(_)
            | Self::UriTooLong(_)
            | Self::RequestBroken
            | Self::RequestMalformed(_) => "http_request_error",
            Self::Overloaded(_) => "connection_limit_reached",
            Self::RequestTooLarge(_)
            | Self::HostNotAllowed(_)
            | Self::OriginNotAllowed(_)
            | Self::ClientNotAllowed(..)
            | Self::RequestNotAllowed(_) => "http_request_denied",
            Self::LoopDetected => "proxy_loop_detected",
        }
    }

    /// When to come back, where waiting helps.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TokenUnavailable { retry_in, .. } | Self::AuthenticationRateLimited { retry_in } => {
                Some(*retry_in)
            }
            Self::UpstreamUnreachable { .. } | Self::UpstreamTimeout(_) | Self::Overloaded(_) => Some(SOON),
            _ => None,
        }
    }

    /// The answer to a request for `path`, outside the data path.
    pub fn into_plain_response(&self, path: &str) -> Response<Bytes> {
        self.answer(path, &envelope::request_id())
    }

    /// The answer to a request for `path`.
    pub fn into_response(&self, path: &str, request_id: &str) -> Response<Body> {
        self.answer(path, request_id).map(Body::full)
    }

    pub(super) fn answer(&self, path: &str, request_id: &str) -> Response<Bytes> {
        let message = self.to_string();
        let status = self.status();
        let body = Envelope::<()>::bytes(status, &message, path, request_id);
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CODE_HEADER, HeaderValue::from_static(self.code()));
        // Shown by a browser it is a page of this origin, and would send for its icon: that passes, and so
        // nothing may be loaded for it. Nor is it any other kind of page, whatever it repeats of the request.
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        proxy_status::append(headers, Some(self.proxy_error()), Some(&message));
        if matches!(self, Self::RequestMalformed(_)) {
            // Where such a request ends, and the next begins, is anyone's guess.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(wait) = self.retry_after() {
            // Rounded up: who waits exactly so long must not be early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

impl From<Doubtful> for Refusal {
    fn from(Doubtful: Doubtful) -> Self {
        Self::RequestNotAllowed(
            "servers may differ on whether this path belongs to the Orders API, so the proxy cannot choose a \
             credential for it: write it plainly"
                .into(),
        )
    }
}

impl From<Unavailable> for Refusal {
    fn from(unavailable: Unavailable) -> Self {
        match unavailable {
            Unavailable::Refused(message) => Self::CredentialRejected(message),
            Unavailable::RateLimited(retry_in) => Self::AuthenticationRateLimited { retry_in },
            Unavailable::NotInTime { reason, retry_in } => Self::TokenUnavailable { reason, retry_in },
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn all() -> Vec<(Refusal, u16, &'static str, Option<&'static str>)> {
        let wait = Duration::from_millis(2500);
        vec![
            (
                Refusal::TokenUnavailable { reason: "down".into(), retry_in: wait },
                503,
                "token_unavailable",
                Some("3"),
            ),
            (
                Refusal::AuthenticationRateLimited { retry_in: wait },
                429,
                "authentication_rate_limited",
                Some("3"),
            ),
            (Refusal::CredentialRejected("no".into()), 502, "credential_rejected", None),
            (Refusal::CredentialNotConfigured, 502, "credential_not_configured", None),
            (
                Refusal::UpstreamUnreachable { reason: "refused".into(), kind: "connection_refused" },
                502,
                "upstream_unreachable",
                Some("1"),
            ),
            (Refusal::UpstreamTimeout(wait), 504, "upstream_timeout", Some("1")),
            (Refusal::UpstreamProtocolError("broken".into()), 502, "upstream_protocol_error", None),
            (Refusal::RequestTimeout(wait), 408, "request_timeout", None),
            (Refusal::HeadTimeout(wait), 408, "request_timeout", None),
            (Refusal::HeadTooLarge("much".into()), 431, "head_too_large", None),
            (Refusal::UriTooLong(7), 414, "uri_too_long", None),
            (Refusal::RequestBroken, 400, "request_broken", None),
            (Refusal::RequestMalformed("it is odd"), 400, "request_broken", None),
            (Refusal::Overloaded("full".into()), 503, "overloaded", Some("1")),
            (Refusal::RequestTooLarge(7), 413, "request_too_large", None),
            (Refusal::HostNotAllowed("evil.example".into()), 421, "host_not_allowed", None),
            (Refusal::RequestNotAllowed("no".into()), 403, "request_not_allowed", None),
        ]
    }

    #[tokio::test]
    async fn each_has_its_status_code_and_envelope() {
        for (refusal, status, code, retry_after) in all() {
            let response = refusal.into_response("/cart/update", "lap_1");
            assert_eq!(response.status(), status, "{code}");
            assert_eq!(response.headers()[CODE_HEADER], code);
            assert_eq!(
                response.headers().get(RETRY_AFTER).map(|v| v.to_str().unwrap()),
                retry_after,
                "{code}"
            );
            let proxy_status = response.headers()["proxy-status"].to_str().unwrap();
            assert!(proxy_status.starts_with("liquid-auth-proxy;error="), "{proxy_status}");

            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["statusCode"], status);
            assert_eq!(body["message"], refusal.to_string());
            assert_eq!(body["metadata"]["path"], "/cart/update");
            assert_eq!(body["metadata"]["requestId"], "lap_1");
        }
    }

    #[test]
    fn none_is_a_401() {
        assert!(all().iter().all(|(refusal, ..)| refusal.status() != StatusCode::UNAUTHORIZED));
    }
}

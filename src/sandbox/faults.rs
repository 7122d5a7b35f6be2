//! How the sandbox misbehaves when it is told to.
//!
//! The proxy must survive everything that the wire contract leaves open; each way in which the real
//! API, or something before it, could go wrong is a kind here.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::calls::endpoint_path;
use super::envelope::{Metadata, Refusal};
use super::rate_limit::LimitHeaders;

/// How long the body of [`FaultKind::HugeBody`] is, in bytes: 64 MiB.
pub const HUGE_BODY_BYTES: u64 = 64 * 1024 * 1024;
/// Where [`FaultKind::Redirect`] points: nothing is there, and a call to it shows that it was followed.
pub const REDIRECT_TARGET: &str = "/redirected";

/// Which requests something is about. Paths mean the same with and without `/api` in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// `/authentication`
    Authentication,
    /// `/order-authentication`
    OrderAuthentication,
    /// A path and what is below it, on whole segments.
    Path(String),
    /// Every request, those for tokens too.
    Everything,
}

impl Scope {
    pub(super) fn holds(&self, path: &str) -> bool {
        let path = endpoint_path(path);
        match self {
            Self::Authentication => path == "/authentication",
            Self::OrderAuthentication => path == "/order-authentication",
            Self::Path(prefix) => path
                .strip_prefix(endpoint_path(prefix).trim_end_matches('/'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Self::Everything => true,
        }
    }
}

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// How many requests it befalls; `None` until it is taken away.
    pub times: Option<u32>,
}

/// What can go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// This HTTP status, in the envelope; 204 and 304 have no body (RFC 9110, section 6.4.1).
    Status(u16),
    /// 429, with these headers and this time to wait.
    RateLimited(LimitHeaders, Duration),
    /// No answer, ever.
    Hang,
    /// The right answer, this much later.
    Delay(Duration),
    /// The connection is dropped without an answer.
    Disconnect,
    /// 200 with an empty body.
    EmptyOk,
    /// 200 with a page of HTML.
    NotJson,
    /// The right answer's first half, as if it were the whole.
    TruncatedJson,
    /// 302 to [`REDIRECT_TARGET`].
    Redirect,
    /// The issuer hands out the same token again until less than a tenth of its life is left.
    SameToken,
    /// Tokens come without their end.
    NoExp,
    /// A token's end is a minute ago.
    ExpInPast,
    /// A token's end is the greatest number there is, `i64::MAX`.
    ExpAbsurd,
    /// A token's end is in Unix seconds.
    ExpInSeconds,
    /// The envelope's metadata lacks `timestamp`.
    NoTimestamp,
    /// 400, with a body that repeats the key and the `Authorization` that came.
    EchoKey,
    /// 200 with [`HUGE_BODY_BYTES`] of valid JSON.
    HugeBody,
}

/// Marks an answer that must never be sent: the connection is dropped instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disconnected;

/// The faults in force, at most one a scope; the last one set is first asked.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<(Scope, Fault)>);

impl Faults {
    pub(super) fn set(&mut self, scope: Scope, fault: Option<Fault>) {
        self.0.retain(|(taken, _)| *taken != scope);
        self.0.extend(fault.map(|fault| (scope, fault)));
    }

    /// The fault that befalls a request, which counts as one of its times.
    pub(super) fn befall(&mut self, path: &str) -> Option<FaultKind> {
        let place = self.0.iter().rposition(|(scope, fault)| scope.holds(path) && fault.times != Some(0))?;
        let fault = &mut self.0[place].1;
        fault.times = fault.times.map(|times| times.saturating_sub(1));
        Some(fault.kind.clone())
    }
}

impl FaultKind {
    /// The answer of a fault that needs nothing of the true one; `None` for the others.
    pub(super) fn answer(&self, metadata: &Metadata, asked: &HeaderMap) -> Option<Response> {
        let response = match self {
            Self::Status(status) => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                match status {
                    StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => status.into_response(),
                    _ => metadata.refuse(&Refusal::status(status)),
                }
            }
            Self::RateLimited(headers, wait) => metadata.refuse_for(*headers, *wait),
            Self::Disconnect => (Extension(Disconnected), StatusCode::BAD_GATEWAY).into_response(),
            Self::EmptyOk => StatusCode::OK.into_response(),
            Self::NotJson => {
                let html = HeaderValue::from_static("text/html; charset=utf-8");
                ([(CONTENT_TYPE, html)], "<!doctype html><title>Welcome</title><p>It works.</p>")
                    .into_response()
            }
            Self::Redirect => (StatusCode::FOUND, [(LOCATION, REDIRECT_TARGET)]).into_response(),
            Self::EchoKey => {
                let seen = |name: &str| {
                    let value = asked.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
                    value.unwrap_or_default().into_owned()
                };
                let (key, token) = (seen("x-liquid-api-key"), seen(AUTHORIZATION.as_str()));
                metadata.refuse(&Refusal::new(
                    StatusCode::BAD_REQUEST,
                    400,
                    format!("The credential is not understood: {key} {token}"),
                ))
            }
            Self::HugeBody => {
                let json = HeaderValue::from_static("application/json");
                ([(CONTENT_TYPE, json)], Body::new(Huge { sent: 0 })).into_response()
            }
            _ => return None,
        };
        Some(response)
    }
}

/// Cuts an answer's body in half.
pub(super) async fn truncate(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.remove(http::header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(whole.slice(..whole.len() / 2)))
}

/// `{"data":"aaaa…"}`, made as it is read.
struct Huge {
    sent: u64,
}

const HUGE_HEAD: &[u8] = b"{\"data\":\"";
const HUGE_TAIL: &[u8] = b"\"}";
static HUGE_PIECE: [u8; 64 * 1024] = [b'a'; 64 * 1024];

impl HttpBody for Huge {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let filler_end = HUGE_BODY_BYTES - HUGE_TAIL.len() as u64;
        let piece = match self.sent {
            0 => HUGE_HEAD,
            sent if sent < filler_end => {
                let left = usize::try_from(filler_end - sent).unwrap_or(usize::MAX);
                &HUGE_PIECE[..left.min(HUGE_PIECE.len())]
            }
            sent if sent == filler_end => HUGE_TAIL,
            _ => return Poll::Ready(None),
        };
        self.sent += piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(HUGE_BODY_BYTES - self.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_what_is_below_it_with_and_without_api() {
        let scope = Scope::Path("/api/orders".to_owned());
        for path in ["/orders", "/api/orders", "/orders/1", "/api/orders/1"] {
            assert!(scope.holds(path), "{path}");
        }
        for path in ["/ordersX", "/order", "/api", "/order-authentication"] {
            assert!(!scope.holds(path), "{path}");
        }
        assert!(Scope::Authentication.holds("/api/authentication"));
        assert!(!Scope::Authentication.holds("/order-authentication"));
    }

    #[test]
    fn a_fault_befalls_so_many_requests() {
        let mut faults = Faults::default();
        faults.set(Scope::Everything, Some(Fault { kind: FaultKind::EmptyOk, times: None }));
        faults.set(Scope::Authentication, Some(Fault { kind: FaultKind::Hang, times: Some(1) }));
        assert_eq!(faults.befall("/authentication"), Some(FaultKind::Hang));
        assert_eq!(faults.befall("/authentication"), Some(FaultKind::EmptyOk));
        assert_eq!(faults.befall("/orders"), Some(FaultKind::EmptyOk));
        faults.set(Scope::Everything, None);
        assert_eq!(faults.befall("/orders"), None);
    }

    #[tokio::test]
    async fn the_huge_body_is_as_long_as_it_says() {
        let body = Body::new(Huge { sent: 0 });
        assert_eq!(body.size_hint().exact(), Some(HUGE_BODY_BYTES));
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        assert_eq!(bytes.len() as u64, HUGE_BODY_BYTES);
        assert!(bytes.starts_with(b"{\"data\":\"aaa") && bytes.ends_with(b"a\"}"));
    }
}

//! The two authentication endpoints, answered here.
//!
//! The official SDK calls one of them before anything else. It gets the API's envelope with a
//! placeholder for a token, and the real token's end, so that it works unmodified and holds nothing
//! worth stealing: what it sends as `Authorization` is replaced on the way.

use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Method, Request, Uri};
use serde_json::json;
use tower::ServiceExt;

use super::body::Body;
use super::envelope::{self, Envelope, Metadata};
use super::error::Refusal;
use super::path::Authentication;
use super::proxy_status;
use crate::token::cell::{Current, TokenCell};

/// What apps see instead of a token.
pub const PLACEHOLDER: &str = "placeholder-issued-by-liquid-auth-proxy";

/// The real token's end, as it is told to apps.
#[derive(Debug, Clone, Copy)]
struct Expiry {
    /// Unix milliseconds, by the server's clock.
    at_ms: u64,
    /// Seconds left.
    in_seconds: u64,
    /// The server's clock now, Unix milliseconds.
    server_now_ms: u64,
}

/// The router behind the proxy.
pub(super) fn router() -> Router {
    Router::new().route("/authentication", get(api)).route("/order-authentication", get(orders).post(orders))
}

/// Answers a request for one of the endpoints. Whatever credential the client sends with it is not
/// looked at: any key will do.
pub(super) async fn answer(
    router: &Router,
    endpoint: Authentication,
    method: Method,
    cell: &TokenCell,
) -> Result<http::Response<Body>, Refusal> {
    let (path, allowed) = match endpoint {
        Authentication::Api => ("/authentication", &[Method::GET, Method::HEAD][..]),
        Authentication::Orders => ("/order-authentication", &[Method::GET, Method::HEAD, Method::POST][..]),
    };
    if !allowed.contains(&method) {
        return Err(Refusal::RequestNotAllowed(format!(
            "{path} is answered by the proxy, which takes no {method} there"
        )));
    }
    let current = cell.current().await?;
    let mut request = Request::new(axum::body::Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_static(path);
    request.extensions_mut().insert(Expiry::of(&current, cell));
    let Ok(mut response) = router.clone().oneshot(request).await;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    proxy_status::append(response.headers_mut(), None, Some("a placeholder; the proxy holds the token"));
    Ok(response.map(Body::router))
}

impl Expiry {
    fn of(current: &Current, cell: &TokenCell) -> Self {
        let left = current.remaining(cell.now());
        let at_ms = current.expires_at_ms;
        Self {
            at_ms,
            in_seconds: left.as_secs(),
            server_now_ms: at_ms.saturating_sub(left.as_millis() as u64),
        }
    }
}

async fn api(Extension(expiry): Extension<Expiry>) -> Response {
    let data = json!({ "token": PLACEHOLDER, "type": "ACCESS_TOKEN", "exp": expiry.at_ms });
    enveloped("/api/authentication", expiry, data)
}

/// Three shapes of this answer are on record (wire contract, "The Orders API has its own
/// credential"). Their members do not collide, so this one holds all of them.
async fn orders(Extension(expiry): Extension<Expiry>) -> Response {
    let data = json!({ "token": PLACEHOLDER, "type": "ORDER_API", "exp": expiry.in_seconds });
    let request_id = envelope::request_id();
    let metadata = Metadata::new("/api/order-authentication", &request_id, expiry.server_now_ms);
    Json(json!({
        "statusCode": 200, "message": "OK", "metadata": metadata, "data": data,
        "token": PLACEHOLDER, "type": "ORDER_API", "exp": expiry.at_ms,
        "accessToken": PLACEHOLDER, "tokenType": "Bearer", "expiresIn": expiry.in_seconds,
    }))
    .into_response()
}

fn enveloped(path: &str, expiry: Expiry, data: serde_json::Value) -> Response {
    let request_id = envelope::request_id();
    let metadata = Metadata::new(path, &request_id, expiry.server_now_ms);
    Json(Envelope { status_code: 200, message: "OK", metadata, data: Some(data) }).into_response()
}

//! The way of a request through the sandbox, and which endpoint is where.

use std::time::Instant;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Extension, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodFilter, get};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Limited};

use super::calls::Call;
use super::endpoint::{api, orders};
use super::envelope::{Metadata, Refusal};
use super::faults::{self, FaultKind};
use super::handle::Handle;
use super::{addresses, authentication, carts, catalog, checkout, clock, orders as order, users, webhook};

/// The most bytes that a request's body may have: 2 MiB, far above what any endpoint takes.
const BODY_BYTES: usize = 2 * 1024 * 1024;

/// The whole API, to be served or to be called without a socket.
pub fn router(handle: Handle) -> Router {
    let endpoints = endpoints();
    endpoints
        .clone()
        .nest("/api", endpoints)
        .fallback(no_route)
        .layer(from_fn_with_state(handle.clone(), gate))
        .with_state(handle)
}

fn endpoints() -> Router<Handle> {
    use MethodFilter as M;
    Router::new()
        .route("/authentication", get(authentication::api))
        .route("/order-authentication", get(authentication::orders).post(authentication::orders))
        .route("/address/autocomplete", api(M::POST, addresses::autocomplete))
        .route("/address/details", api(M::POST, addresses::details))
        .route("/catalog/search", api(M::POST, catalog::search))
        .route("/catalog/availability", api(M::POST, catalog::availability))
        .route("/cart/update", api(M::POST, carts::update))
        .route("/users/session", api(M::POST, users::session))
        .route("/users/fetch/{id}", api(M::GET, users::fetch))
        .route("/users/purge/{id}", api(M::DELETE, users::purge))
        .route("/users/addresses/add", api(M::POST, users::add_address))
        .route("/users/payments/add", api(M::POST, users::add_payment))
        .route("/checkout/prepare", api(M::POST, checkout::prepare))
        .route("/checkout/complete", api(M::POST, checkout::complete))
        .route("/orders", orders(M::GET, order::list))
        .route("/orders/{id}", orders(M::GET, order::fetch))
        .route("/webhook/test", api(M::POST, webhook::test))
        .method_not_allowed_fallback(no_method)
}

async fn no_route(Extension(metadata): Extension<Metadata>) -> Response {
    metadata.refuse(&Refusal::status(StatusCode::NOT_FOUND))
}

async fn no_method(Extension(metadata): Extension<Metadata>) -> Response {
    metadata.refuse(&Refusal::status(StatusCode::METHOD_NOT_ALLOWED))
}

/// What happens to every request, before and after its endpoint.
async fn gate(State(handle): State<Handle>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let (body, too_large) = match read(body).await {
        Some(body) => (body, false),
        None => (Bytes::new(), true),
    };
    let number = handle.seen().arrived(Call::new(&parts, &body));
    let metadata = Metadata::new(parts.uri.path(), handle.clock().now_ms());
    let mut response = if too_large {
        metadata.refuse(&Refusal::status(StatusCode::PAYLOAD_TOO_LARGE))
    } else {
        conduct(&handle, metadata, parts, body, next).await
    };
    let date = httpdate::fmt_http_date(clock::system_time(handle.clock().now_ms()));
    if let Ok(date) = HeaderValue::try_from(date) {
        response.headers_mut().insert(header::DATE, date);
    }
    if response.extensions().get::<faults::Disconnected>().is_none() {
        handle.seen().answered(number, response.status());
    }
    response
}

/// The whole body, or `None` when it is too large or breaks off.
async fn read(body: Body) -> Option<Bytes> {
    if body.size_hint().lower() > BODY_BYTES as u64 {
        return None;
    }
    Some(Limited::new(body, BODY_BYTES).collect().await.ok()?.to_bytes())
}

/// The rules first, then the endpoint: what befalls a request, whether there are too many, its answer.
async fn conduct(
    handle: &Handle,
    mut metadata: Metadata,
    mut parts: Parts,
    body: Bytes,
    next: Next,
) -> Response {
    let path = parts.uri.path();
    let fault = handle.faults().befall(path);
    if let Some(answer) = fault.as_ref().and_then(|fault| fault.answer(&metadata, &parts.headers)) {
        return answer;
    }
    match fault {
        Some(FaultKind::Hang) => std::future::pending().await,
        Some(FaultKind::Delay(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    let limited = handle.limiter().count(path, Instant::now());
    if let Some((headers, wait)) = limited {
        return metadata.refuse_for(headers, wait);
    }
    metadata.shows_timestamp = fault != Some(FaultKind::NoTimestamp);
    parts.extensions.insert(metadata);
    if let Some(fault) = fault.clone() {
        parts.extensions.insert(fault);
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if fault == Some(FaultKind::TruncatedJson) { faults::truncate(response).await } else { response }
}

//! The two endpoints that turn a credential into a token, and the token asked for in band.

use std::time::Instant;

use axum::extract::{Extension, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap};
use serde_json::{Value, json};

use super::OrdersAnswer;
use super::envelope::{Answer, Metadata, Refusal};
use super::faults::FaultKind;
use super::handle::Handle;
use super::issuer::{Audience, Grant};

/// `GET /authentication`: an API key for an access token.
pub(super) async fn api(
    State(handle): State<Handle>,
    Extension(metadata): Extension<Metadata>,
    fault: Option<Extension<FaultKind>>,
    headers: HeaderMap,
) -> Response {
    let fault = fault.map(|Extension(fault)| fault);
    let granted = match headers.get("x-liquid-api-key") {
        Some(key) if key.as_bytes() == handle.issuer().api_key.as_bytes() => {
            grant(&handle, Audience::Api, fault.as_ref())
        }
        _ => Err(unauthorized()),
    };
    match granted {
        Ok(grant) => metadata.answer(Answer::Data(access_token(&grant, &metadata, fault.as_ref())), None),
        Err(refusal) => metadata.refuse(&refusal),
    }
}

/// `GET|POST /order-authentication`: a user's name and password for a token of the Orders API.
pub(super) async fn orders(
    State(handle): State<Handle>,
    Extension(metadata): Extension<Metadata>,
    fault: Option<Extension<FaultKind>>,
    headers: HeaderMap,
) -> Response {
    let fault = fault.map(|Extension(fault)| fault);
    let wanted = {
        let issuer = handle.issuer();
        format!("{}:{}", issuer.orders_user_id, issuer.orders_password)
    };
    let granted = match basic(&headers) {
        Some(credential) if credential == wanted.as_bytes() => {
            grant(&handle, Audience::Orders, fault.as_ref())
        }
        _ => Err(unauthorized()),
    };
    match granted {
        Ok(grant) => {
            metadata.answer(orders_token(&grant, handle.orders_answer(), &metadata, fault.as_ref()), None)
        }
        Err(refusal) => metadata.refuse(&refusal),
    }
}

/// The `auth` of an answer whose request had `"refresh": true`.
pub(super) fn in_band(
    handle: &Handle,
    metadata: &Metadata,
    fault: Option<&FaultKind>,
) -> Result<Value, Refusal> {
    Ok(access_token(&grant(handle, Audience::Api, fault)?, metadata, fault))
}

fn unauthorized() -> Refusal {
    Refusal::status(StatusCode::UNAUTHORIZED)
}

fn grant(handle: &Handle, audience: Audience, fault: Option<&FaultKind>) -> Result<Grant, Refusal> {
    let mut issuer = handle.issuer();
    let granted = match fault {
        Some(FaultKind::SameToken) => issuer.reissue(audience, Instant::now()),
        _ => issuer.issue(audience, Instant::now()),
    };
    granted.map_err(|_| Refusal::status(StatusCode::INTERNAL_SERVER_ERROR))
}

fn basic(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (scheme, credential) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(credential).ok())?
}

fn access_token(grant: &Grant, metadata: &Metadata, fault: Option<&FaultKind>) -> Value {
    let end = unix_ms(grant, metadata, fault);
    with_end(json!({ "token": grant.token, "type": "ACCESS_TOKEN" }), "exp", end)
}

fn orders_token(
    grant: &Grant,
    shape: OrdersAnswer,
    metadata: &Metadata,
    fault: Option<&FaultKind>,
) -> Answer {
    match shape {
        OrdersAnswer::Envelope => {
            let token = json!({ "token": grant.token, "type": "ORDER_API" });
            Answer::Data(with_end(token, "exp", seconds_from_now(grant, fault)))
        }
        OrdersAnswer::Token => {
            let token = json!({ "token": grant.token, "type": "ORDER_API" });
            Answer::Bare(with_end(token, "exp", unix_ms(grant, metadata, fault)))
        }
        OrdersAnswer::AccessToken => {
            let token = json!({ "accessToken": grant.token, "tokenType": "Bearer" });
            Answer::Bare(with_end(token, "expiresIn", seconds_from_now(grant, fault)))
        }
    }
}

fn with_end(mut token: Value, field: &str, end: Option<i64>) -> Value {
    if let Some(end) = end {
        token[field] = json!(end);
    }
    token
}

fn unix_ms(grant: &Grant, metadata: &Metadata, fault: Option<&FaultKind>) -> Option<i64> {
    let left_ms = i64::try_from(grant.left.as_millis()).unwrap_or(i64::MAX);
    let end_ms = metadata.now_ms.saturating_add(left_ms);
    match fault {
        Some(FaultKind::NoExp) => None,
        Some(FaultKind::ExpInPast) => Some(metadata.now_ms.saturating_sub(60_000)),
        Some(FaultKind::ExpAbsurd) => Some(i64::MAX),
        Some(FaultKind::ExpInSeconds) => Some(end_ms / 1000),
        _ => Some(end_ms),
    }
}

fn seconds_from_now(grant: &Grant, fault: Option<&FaultKind>) -> Option<i64> {
    match fault {
        Some(FaultKind::NoExp) => None,
        Some(FaultKind::ExpInPast) => Some(-60),
        Some(FaultKind::ExpAbsurd) => Some(i64::MAX),
        _ => Some(i64::try_from(grant.left.as_secs()).unwrap_or(i64::MAX)),
    }
}

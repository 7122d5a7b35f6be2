//! The API's refresh in band: `"refresh": true` in a request, `auth` beside the data of its answer.
//!
//! An app may ask for it, as documented; the new token goes to the token manager and the app sees the
//! placeholder in its place. Whether an answer must be searched is decided from the request's bytes
//! as they go by ([`Scan`]), so that all other answers stream through untouched. What cannot be
//! searched is not passed on: a token must not leak because an answer was odd.

mod insert;
mod mask;
mod scan;

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderName};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tower::{ServiceExt, service_fn};
use tower_http::decompression::Decompression;

pub(super) use self::insert::{insert, suits};
pub(super) use self::scan::Scan;

use super::body::Body;
use super::error::Refusal;
use super::local_auth::PLACEHOLDER;
use super::proxy_status;
use crate::token::{Grant, Moment, Times};

/// The largest answer, decoded, that is searched. The API's are a hundredth of this.
pub(super) const MAX_ANSWER: usize = 4 * 1024 * 1024;

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const DIGEST: HeaderName = HeaderName::from_static("digest");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// An answer with its token replaced, and what the manager makes of the token.
#[derive(Debug)]
pub(super) struct Masked {
    /// What the app gets.
    pub response: Response<Body>,
    /// The token that was in it, where it can be used.
    pub grant: Option<Grant>,
}

/// Whose wish a refresh in band was, and so what the app expects to see of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The app asked: it gets `auth` with the placeholder.
    ByApp,
    /// We asked in its request: it gets its answer without `auth`.
    ByUs,
}

/// Reads the whole answer, takes the token out and leaves what the app expects.
pub(super) async fn mask(
    response: Response<Incoming>,
    method: &Method,
    asked: Asked,
    idle_timeout: Duration,
    requested: Moment,
) -> Result<Masked, Refusal> {
    let response = response.map(|body| Body::upstream(body, idle_timeout));
    if method == Method::HEAD
        || matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    {
        return Ok(Masked { response, grant: None });
    }
    if response.status().is_client_error() || response.status().is_server_error() {
        return Ok(Masked { response: refused(response).await, grant: None });
    }
    if response.status() == StatusCode::PARTIAL_CONTENT || response.headers().contains_key(CONTENT_RANGE) {
        // A part may hold a part of a token.
        return Err(unclear());
    }
    let (mut head, body) = decoded(response).await?.into_parts();
    let times = Times { requested, date: date(&head.headers), now: SystemTime::now() };
    let (body, grant) = match mask::find(&body) {
        mask::Found::Nothing => (body, None),
        mask::Found::Tokens(tokens) => {
            let grant = Grant::from_in_band(&body, times).ok();
            let masked = mask::replace(&body, &tokens, PLACEHOLDER);
            let left = match asked {
                Asked::ByApp => masked,
                Asked::ByUs => mask::without_auth(&masked),
            };
            (left, grant)
        }
        mask::Found::Unclear => return Err(unclear()),
    };
    // They describe the bytes that the API sent.
    for name in [ETAG, CONTENT_MD5, DIGEST, CONTENT_DIGEST] {
        if grant.is_some() {
            head.headers.remove(name);
        }
    }
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Ok(Masked { response: Response::from_parts(head, Body::full(body)), grant })
}

fn unclear() -> Refusal {
    Refusal::UpstreamProtocolError(
        "it may hold an access token, in a form that the proxy cannot take it out of".into(),
    )
}

/// An answer without success. It tells the app what to do, and holds no new token if the API keeps to
/// its contract: status and headers pass in any case, and the body unless it may hold one after all.
async fn refused(response: Response<Body>) -> Response<Body> {
    let status = response.status();
    let original = response.headers().clone();
    let kept = match decoded(response).await.map(Response::into_parts) {
        Ok((head, body)) => match mask::find(&body) {
            mask::Found::Nothing => Some((head.headers, body)),
            mask::Found::Tokens(tokens) => Some((head.headers, mask::replace(&body, &tokens, PLACEHOLDER))),
            // A page for people, as gateways give it: no API's token stands in one.
            mask::Found::Unclear if !mask::looks_like_json(&body) => Some((head.headers, body)),
            mask::Found::Unclear => None,
        },
        Err(_) => None,
    };
    let (mut headers, body) = kept.unwrap_or_else(|| {
        let mut headers = original;
        headers.remove(CONTENT_ENCODING);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let why = unclear().to_string();
        proxy_status::append(&mut headers, None, Some(&why));
        (headers, Bytes::from(serde_json::json!({ "message": why }).to_string()))
    });
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The answer, whole and without its content coding.
async fn decoded(response: Response<Body>) -> Result<Response<Bytes>, Refusal> {
    let mut response = Some(named_plainly(response)?);
    let decompressed = Decompression::new(service_fn(move |_: Request<()>| {
        let response = response.take().ok_or(Gone);
        std::future::ready(response)
    }))
    .oneshot(Request::new(()))
    .await
    .map_err(|error| Refusal::UpstreamProtocolError(error.to_string()))?;
    if let Some(coding) = decompressed.headers().get(CONTENT_ENCODING) {
        return Err(undecodable(coding));
    }
    let (head, body) = decompressed.into_parts();
    let mut body = std::pin::pin!(Limited::new(body, MAX_ANSWER));
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Refusal::UpstreamProtocolError(format!(
                "it may hold an access token, but not all of it came: {error}"
            ))
        })?;
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(Response::from_parts(head, bytes.freeze()))
}

/// The answer with its content coding under the one name that the decoder knows: names are
/// case-insensitive, `x-gzip` is gzip and `identity` is none (RFC 9110, sections 8.4.1 and 12.5.3).
/// More codings than one are refused, as the decoder would take off only one of them.
fn named_plainly(mut response: Response<Body>) -> Result<Response<Body>, Refusal> {
    let mut fields = response.headers().get_all(CONTENT_ENCODING).iter();
    let (first, second) = (fields.next(), fields.next());
    let Some(coding) = first else { return Ok(response) };
    if let Some(second) = second {
        return Err(undecodable(second));
    }
    let name = match coding.as_bytes().to_ascii_lowercase().as_slice() {
        b"identity" | b"" => None,
        b"x-gzip" => Some(HeaderValue::from_static("gzip")),
        lower => Some(HeaderValue::from_bytes(lower).map_err(|_| undecodable(coding))?),
    };
    match name {
        Some(name) => response.headers_mut().insert(CONTENT_ENCODING, name),
        None => response.headers_mut().remove(CONTENT_ENCODING),
    };
    Ok(response)
}

fn undecodable(coding: &HeaderValue) -> Refusal {
    Refusal::UpstreamProtocolError(format!(
        "it may hold an access token, in the content coding {coding:?} that the proxy cannot decode"
    ))
}

/// The one answer was taken already.
#[derive(Debug, thiserror::Error)]
#[error("the answer was read twice")]
struct Gone;

fn date(headers: &http::HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

//! The API's refresh in band: `"refresh": true` in a request, `auth` beside the data of its answer.
//!
//! An app may ask for it, as documented; the new token goes to the token manager and the app sees the
//! placeholder in its place. Whether an answer must be searched is decided from the request's bytes
//! as they go by ([`Scan`]), so that all other answers stream through untouched. What cannot be
//! searched is not passed on: a token must not leak because an answer was odd.

mod cut;
mod decode;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz_targets;
mod insert;
mod mask;
mod places;
mod scan;

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

pub(super) use self::decode::Room;
pub use self::decode::SearchMemory;
use self::decode::{Allowance, Decoded};
pub(super) use self::insert::{insert, limit_codings, suits};
use self::mask::Found;
pub(super) use self::scan::Scan;

use super::body::Body;
use super::envelope::{self, Envelope};
use super::error::Refusal;
use super::local_auth::PLACEHOLDER;
use super::proxy_status;
use crate::token::{Grant, Moment, Times};

/// What describes the bytes that the API sent: gone when the app gets others.
const OF_THE_BYTES: [HeaderName; 5] = [
    ETAG,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

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

/// What was asked, as far as the answer's meaning hangs on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub method: &'a Method,
    /// The request's path, as it was written.
    pub path: &'a str,
    pub asked: Asked,
    /// When it was sent.
    pub requested: Moment,
}

/// Reads the whole answer within `limit`, takes the token out and leaves what the app expects.
pub(super) async fn mask(
    response: Response<Body>,
    question: Question<'_>,
    limit: Duration,
    memory: &SearchMemory,
) -> Result<Masked, Refusal> {
    let status = response.status();
    let is_empty = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    // What never ends holds no member of a JSON object that the app has not asked for.
    let is_stream = question.asked == Asked::ByUs && is_event_stream(response.headers());
    if question.method == Method::HEAD || is_empty || is_stream {
        return Ok(Masked { response, grant: None });
    }
    // An answer without success tells the app what to do: status and headers pass whatever its body is.
    let refused = is_refusal(status).then(|| response.headers().clone());
    match (searched(response, question, limit, memory).await, refused) {
        (Err(why), Some(headers)) => {
            Ok(Masked { response: without_body(status, headers, question.path, &why), grant: None })
        }
        (searched, _) => searched,
    }
}

fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"))
}

async fn searched(
    response: Response<Body>,
    question: Question<'_>,
    limit: Duration,
    memory: &SearchMemory,
) -> Result<Masked, Refusal> {
    let status = response.status();
    let is_part = response.headers().contains_key(CONTENT_RANGE) && !is_refusal(status);
    if status == StatusCode::PARTIAL_CONTENT || is_part {
        // A part may hold a part of a token.
        return Err(unclear());
    }
    let allowance = match question.asked {
        Asked::ByApp => Allowance::Shared(memory),
        Asked::ByUs => Allowance::Own,
    };
    let Decoded { response, was_coded, room } = decode::decoded(response, allowance, limit).await?;
    let (mut head, body) = response.into_parts();
    let left = match question.asked {
        // An app that knows nothing of the wish must not lose its answer, so only `auth` is looked for.
        Asked::ByUs => cut::without_auth(&body, PLACEHOLDER).ok_or_else(unclear)?,
        Asked::ByApp => match mask::find(&body) {
            Found::Nothing => body.clone(),
            Found::Tokens(tokens) => places::replace(&body, &tokens, PLACEHOLDER),
            // A page for people, as gateways give it: no API's token stands in one.
            Found::Unclear if is_refusal(status) && !mask::looks_like_json(&body) => body.clone(),
            Found::Unclear => return Err(unclear()),
        },
    };
    let times = Times { requested: question.requested, date: date(&head.headers), now: SystemTime::now() };
    let grant = Grant::from_in_band(&body, times).ok();
    if was_coded || left != body {
        for name in OF_THE_BYTES {
            head.headers.remove(name);
        }
    }
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(left.len()));
    Ok(Masked { response: Response::from_parts(head, Body::held(left, room)), grant })
}

fn unclear() -> Refusal {
    Refusal::UpstreamProtocolError(
        "it may hold an access token, in a form that the proxy cannot take it out of".into(),
    )
}

/// An answer without success whose body may hold a token after all: the API's status and headers, and in
/// place of the body why it is missing.
fn without_body(status: StatusCode, mut headers: HeaderMap, path: &str, why: &Refusal) -> Response<Body> {
    let why = why.to_string();
    let body = Envelope::<()>::bytes(status, &why, path, &envelope::request_id());
    for name in [CONTENT_ENCODING, CONTENT_RANGE].iter().chain(&OF_THE_BYTES) {
        headers.remove(name);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    proxy_status::append(&mut headers, None, Some(&why));
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests;

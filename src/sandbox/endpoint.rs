//! What all endpoints that want a token have in common.

use std::collections::HashMap;
use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Path, Request, State};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::header::{AUTHORIZATION, HeaderMap};
use http::{StatusCode, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::authentication::in_band;
use super::envelope::{Answer, Metadata, Refusal};
use super::faults::FaultKind;
use super::handle::Handle;
use super::issuer::Audience;
use super::world::World;

/// The most bytes of a text that the sandbox keeps.
const TEXT_BYTES: usize = 1000;

/// What an endpoint does, once it is known that it may.
pub(super) type Run = fn(&mut World, &Asked) -> Result<Answer, Refusal>;

/// What an endpoint was asked.
#[derive(Debug)]
pub(super) struct Asked {
    /// The path's last segment where the route has an id there, else empty.
    pub(super) id: String,
    pub(super) query: HashMap<String, String>,
    /// The server's clock, in Unix ms.
    pub(super) now_ms: i64,
    body: Map<String, Value>,
}

impl Asked {
    /// The body as the endpoint wants it.
    ///
    /// # Errors
    /// 5487 when it is something else.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_value(Value::Object(self.body.clone())).map_err(Refusal::invalid)
    }

    fn wants_refresh(&self) -> bool {
        self.body.get("refresh") == Some(&Value::Bool(true))
    }
}

/// A text of a bounded length, for what is kept.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub(super) struct Text(pub(super) String);

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() > TEXT_BYTES {
            return Err(format!("a text may have at most {TEXT_BYTES} bytes"));
        }
        Ok(Self(text))
    }
}

/// An endpoint that wants an access token.
pub(super) fn api(method: MethodFilter, run: Run) -> MethodRouter<Handle> {
    endpoint(method, Audience::Api, run)
}

/// An endpoint of the Orders API.
pub(super) fn orders(method: MethodFilter, run: Run) -> MethodRouter<Handle> {
    endpoint(method, Audience::Orders, run)
}

fn endpoint(method: MethodFilter, audience: Audience, run: Run) -> MethodRouter<Handle> {
    on(
        method,
        async move |State(handle): State<Handle>,
                    Extension(metadata): Extension<Metadata>,
                    fault: Option<Extension<FaultKind>>,
                    id: Option<Path<String>>,
                    request: Request| {
            let id = id.map(|Path(id)| id).unwrap_or_default();
            let fault = fault.map(|Extension(fault)| fault);
            serve(&handle, &metadata, audience, fault.as_ref(), run, id, request)
                .await
                .unwrap_or_else(|refusal| metadata.refuse(&refusal))
        },
    )
}

async fn serve(
    handle: &Handle,
    metadata: &Metadata,
    audience: Audience,
    fault: Option<&FaultKind>,
    run: Run,
    id: String,
    request: Request,
) -> Result<Response, Refusal> {
    authorize(handle, audience, request.headers())?;
    let query = query(request.uri());
    let asked = Asked { id, query, now_ms: metadata.now_ms, body: json_object(request.into_body()).await? };
    let answer = run(&mut handle.world(), &asked)?;
    let auth = match audience {
        Audience::Api if asked.wants_refresh() => Some(in_band(handle, metadata, fault)?),
        _ => None,
    };
    Ok(metadata.answer(answer, auth))
}

fn authorize(handle: &Handle, wanted: Audience, headers: &HeaderMap) -> Result<(), Refusal> {
    let good_for = bearer(headers).and_then(|token| handle.issuer().audience(token, Instant::now()));
    let allowed = match (wanted, good_for) {
        (_, None) => false,
        (Audience::Orders, Some(Audience::Api)) => handle.orders_accept_api_token(),
        (wanted, Some(good_for)) => wanted == good_for,
    };
    if allowed { Ok(()) } else { Err(Refusal::status(StatusCode::UNAUTHORIZED)) }
}

/// The token of the one `Authorization` field; two are as bad as none.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    let (scheme, token) = field.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn query(uri: &Uri) -> HashMap<String, String> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// Reads a body as JSON, whatever its `Content-Type` says: what people type into curl has the wrong
/// one. No body is an empty object.
async fn json_object(body: Body) -> Result<Map<String, Value>, Refusal> {
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    if bytes.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(&bytes)
        .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, 400, "The request's body is not a JSON object"))
}

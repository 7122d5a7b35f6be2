//! Reading an answer whole and without its content coding, to search it; and the memory for that.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_ENCODING;
use http::{HeaderValue, Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{ServiceExt, service_fn};
use tower_http::decompression::Decompression;

use super::super::body::Body;
use super::super::error::Refusal;

/// The largest answer, decoded, that is searched when an app asked for a new token. The API's are a
/// hundredth of this.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// The same when the proxy asked: the app knows nothing of it and must not lose its answer. There is one
/// such request at a time.
const MAX_OWN: usize = 64 * 1024 * 1024;

/// The memory for all answers that are being searched, or are searched and not passed on yet, bytes.
const MEMORY: usize = 16 * MAX_ANSWER;

/// Memory is handed out in pieces of this many bytes.
const PIECE: usize = 1024;

/// The memory for answers that are searched, over all requests. Who finds none waits for it.
#[derive(Debug, Clone)]
pub struct SearchMemory(Arc<Semaphore>);

/// A part of the memory, until dropped.
pub(in crate::proxy) type Room = OwnedSemaphorePermit;

/// An answer's bytes without their coding.
#[derive(Debug)]
pub(super) struct Decoded {
    pub response: Response<Bytes>,
    /// Whether they had a coding.
    pub was_coded: bool,
    /// What they take up.
    pub room: Option<Room>,
}

/// How much an answer may take up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Allowance<'a> {
    /// What all share.
    Shared(&'a SearchMemory),
    /// That of the one request in which the proxy asks.
    Own,
}

impl Default for SearchMemory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MEMORY / PIECE)))
    }
}

impl SearchMemory {
    /// Room for an answer, as far as its head tells how much it needs.
    async fn room(&self, response: &Response<Body>) -> Option<Room> {
        let plain = !response.headers().contains_key(CONTENT_ENCODING);
        let length = response.body().size_hint().exact().filter(|_| plain);
        let bytes = length.map_or(MAX_ANSWER, |length| length.min(MAX_ANSWER as u64) as usize);
        // An error would mean that the semaphore is closed, which it never is.
        self.0.clone().acquire_many_owned(pieces(bytes)).await.ok()
    }
}

fn pieces(bytes: usize) -> u32 {
    // At most what `MAX_ANSWER` needs: it fits.
    bytes.div_ceil(PIECE) as u32
}

/// The answer, whole and without its content coding.
pub(super) async fn decoded(response: Response<Body>, allowance: Allowance<'_>) -> Result<Decoded, Refusal> {
    let was_coded = response.headers().contains_key(CONTENT_ENCODING);
    let (mut room, most) = match allowance {
        Allowance::Shared(memory) => (memory.room(&response).await, MAX_ANSWER),
        Allowance::Own => (None, MAX_OWN),
    };
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
    let mut body = std::pin::pin!(Limited::new(body, most));
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
    if let Some(room) = &mut room {
        // What was taken in advance and is not needed.
        let spare = room.num_permits().saturating_sub(pieces(bytes.len()) as usize);
        drop(room.split(spare));
    }
    Ok(Decoded { response: Response::from_parts(head, bytes.freeze()), was_coded, room })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &'static [u8], coding: Option<&'static str>) -> Response<Body> {
        let mut response = Response::new(Body::full(Bytes::from_static(body)));
        if let Some(coding) = coding {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        response
    }

    #[tokio::test]
    async fn memory_is_taken_for_what_the_answer_has() {
        let memory = SearchMemory::default();
        let all = memory.0.available_permits();
        let first = decoded(answer(&[b' '; 3000], None), Allowance::Shared(&memory)).await.unwrap();
        assert_eq!(memory.0.available_permits(), all - 3);
        let coded = answer(&[b' '; 3000], Some("identity"));
        let second = decoded(coded, Allowance::Shared(&memory)).await.unwrap();
        assert_eq!(memory.0.available_permits(), all - 6, "what it took in advance is given back");
        drop((first, second));
        assert_eq!(memory.0.available_permits(), all);
    }

    #[tokio::test]
    async fn who_finds_no_memory_waits_for_it() {
        let memory = SearchMemory::default();
        let all = memory.0.clone().acquire_many_owned(pieces(MEMORY)).await.unwrap();
        let mut waiting = Box::pin(decoded(answer(b"{}", None), Allowance::Shared(&memory)));
        assert!(futures_now(&mut waiting).is_none());
        drop(all);
        assert!(waiting.await.is_ok());
    }

    fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}

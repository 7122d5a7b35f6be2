//! Reading an answer whole and without its content coding, to search it; and the memory for that.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_ENCODING;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
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

/// What an answer is given before it has come. The API's are smaller, nearly all of them.
const FIRST: usize = 64 * 1024;

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
    /// Room for an answer's beginning. Who finds none waits; it comes back with each answer that is passed on.
    async fn first(&self) -> Option<Room> {
        // An error would mean that the semaphore is closed, which it never is.
        self.0.clone().acquire_many_owned(pieces(FIRST)).await.ok()
    }

    /// Makes a room as large as `bytes`. It does not wait: many that did would wait for each other.
    fn grow(&self, room: &mut Room, bytes: usize) -> Result<(), Refusal> {
        let missing = pieces(bytes).saturating_sub(room.num_permits() as u32);
        let more = self.0.clone().try_acquire_many_owned(missing).map_err(|_| no_room())?;
        room.merge(more);
        Ok(())
    }
}

fn no_room() -> Refusal {
    Refusal::Overloaded("too many answers are being searched for a new token".into())
}

fn pieces(bytes: usize) -> u32 {
    // At most what `MAX_ANSWER` needs: it fits.
    bytes.div_ceil(PIECE) as u32
}

/// The answer, whole and without its content coding, within `limit`.
pub(super) async fn decoded(
    response: Response<Body>,
    allowance: Allowance<'_>,
    limit: Duration,
) -> Result<Decoded, Refusal> {
    let was_coded = response.headers().contains_key(CONTENT_ENCODING);
    let (memory, mut room, most) = match allowance {
        Allowance::Shared(memory) => {
            let room = timeout(limit, memory.first()).await.map_err(|_| no_room())?;
            (Some(memory), room, MAX_ANSWER)
        }
        Allowance::Own => (None, None, MAX_OWN),
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
    let reading = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| not_whole(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            if let (Some(memory), Some(room)) = (memory, &mut room) {
                memory.grow(room, bytes.len() + data.len())?;
            }
            bytes.extend_from_slice(&data);
        }
        Ok::<_, Refusal>(())
    };
    timeout(limit, reading).await.map_err(|_| not_whole(&"it took too long"))??;
    if let Some(room) = &mut room {
        // What was taken in advance and is not needed.
        let spare = room.num_permits().saturating_sub(pieces(bytes.len()) as usize);
        drop(room.split(spare));
    }
    Ok(Decoded { response: Response::from_parts(head, bytes.freeze()), was_coded, room })
}

fn not_whole(why: &dyn std::fmt::Display) -> Refusal {
    Refusal::UpstreamProtocolError(format!("it may hold an access token, but not all of it came: {why}"))
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

    const LIMIT: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn memory_is_taken_for_what_the_answer_has() {
        let memory = SearchMemory::default();
        let all = memory.0.available_permits();
        let first = decoded(answer(&[b' '; 3000], None), Allowance::Shared(&memory), LIMIT).await.unwrap();
        assert_eq!(memory.0.available_permits(), all - 3, "what it took in advance is given back");
        let coded = answer(&[b' '; 3 * FIRST], Some("identity"));
        let second = decoded(coded, Allowance::Shared(&memory), LIMIT).await.unwrap();
        assert_eq!(memory.0.available_permits(), all - 3 - 3 * FIRST / PIECE, "it takes more as it comes");
        drop((first, second));
        assert_eq!(memory.0.available_permits(), all);
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_memory_waits_for_it_and_not_for_ever() {
        let memory = SearchMemory::default();
        let all = memory.0.clone().acquire_many_owned(pieces(MEMORY)).await.unwrap();
        let waiting = decoded(answer(b"{}", None), Allowance::Shared(&memory), LIMIT);
        let given_back = async {
            tokio::time::sleep(LIMIT / 2).await;
            drop(all);
        };
        assert!(tokio::join!(waiting, given_back).0.is_ok());

        let _all = memory.0.clone().acquire_many_owned(pieces(MEMORY)).await.unwrap();
        let refused = decoded(answer(b"{}", None), Allowance::Shared(&memory), LIMIT).await.unwrap_err();
        assert_eq!(refused.code(), "overloaded");
    }

    #[tokio::test]
    async fn an_answer_that_finds_no_more_memory_is_given_up() {
        let memory = SearchMemory::default();
        let _most = memory.0.clone().acquire_many_owned(pieces(MEMORY - FIRST)).await.unwrap();
        assert!(decoded(answer(&[b' '; FIRST], None), Allowance::Shared(&memory), LIMIT).await.is_ok());
        let large = answer(&[b' '; FIRST + 1], None);
        let refused = decoded(large, Allowance::Shared(&memory), LIMIT).await.unwrap_err();
        assert_eq!(refused.code(), "overloaded");
        assert_eq!(memory.0.available_permits(), FIRST / PIECE);
    }
}

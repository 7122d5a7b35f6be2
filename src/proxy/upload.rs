//! A request's body on its way to the API: streamed, counted, and watched for what the answer will
//! have to be searched for.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

use super::client_body::ClientBody;
use super::error::Refusal;
use super::in_band::Scan;
use super::replay::Kept;

/// A request's body. The client library may hold it on another task, so what others must know of it
/// is in its [`Progress`].
#[derive(Debug)]
pub(super) struct Upload {
    source: Source,
    left: u64,
    scan: Scan,
    progress: Arc<Progress>,
}

#[derive(Debug)]
enum Source {
    /// From the client, as it comes.
    Client(ClientBody),
    /// At hand already.
    Held(VecDeque<Bytes>),
}

/// How far a request's body has come.
#[derive(Debug)]
pub(super) struct Progress {
    started: Instant,
    limit: u64,
    /// Milliseconds after `started` at which the last frame went through.
    last_ms: AtomicU64,
    ended: AtomicBool,
    waiting_for_client: AtomicBool,
    too_large: AtomicBool,
    asks_refresh: AtomicBool,
    kept: Mutex<Kept>,
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(super) enum UploadError {
    /// The client's connection failed.
    #[error("the request's body broke off: {0}")]
    Client(#[from] hyper::Error),
    /// The limit is exceeded.
    #[error("the request's body is too large")]
    TooLarge,
}

/// Who keeps a request from coming on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The client has not sent the rest of the body.
    ForClient,
    /// The API takes no more of it, or has it all and does not answer.
    ForUpstream,
}

impl Upload {
    /// A client's body of at most `max` bytes; `kept` is what is kept of it, to send it again.
    pub(super) fn streamed(incoming: ClientBody, max: u64, scan: Scan, kept: Kept) -> (Self, Arc<Progress>) {
        Self::new(Source::Client(incoming), max, scan, kept)
    }

    /// A body that is at hand, whole.
    pub(super) fn held(pieces: VecDeque<Bytes>, scan: Scan, kept: Kept) -> (Self, Arc<Progress>) {
        Self::new(Source::Held(pieces), u64::MAX, scan, kept)
    }

    fn new(source: Source, max: u64, scan: Scan, kept: Kept) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress {
            started: Instant::now(),
            limit: max,
            last_ms: AtomicU64::new(0),
            ended: AtomicBool::new(source.is_end_stream()),
            waiting_for_client: AtomicBool::new(false),
            too_large: AtomicBool::new(false),
            asks_refresh: AtomicBool::new(scan.found()),
            kept: Mutex::new(kept),
        });
        (Self { source, left: max, scan, progress: progress.clone() }, progress)
    }
}

/// Reads a client's body whole. Its length is known, and small enough.
pub(super) async fn collect(mut incoming: ClientBody, idle_timeout: Duration) -> Result<Bytes, Refusal> {
    let mut whole = BytesMut::new();
    loop {
        let frame = timeout(idle_timeout, incoming.frame())
            .await
            .map_err(|_| Refusal::RequestTimeout(idle_timeout))?;
        match frame {
            None => return Ok(whole.freeze()),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    whole.extend_from_slice(&data);
                }
            }
            Some(Err(_)) => return Err(Refusal::RequestBroken),
        }
    }
}

impl Source {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self {
            Self::Client(incoming) => Pin::new(incoming).poll_frame(cx),
            Self::Held(pieces) => Poll::Ready(pieces.pop_front().map(|piece| Ok(Frame::data(piece)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Client(incoming) => incoming.is_end_stream(),
            Self::Held(pieces) => pieces.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Client(incoming) => incoming.size_hint(),
            Self::Held(pieces) => SizeHint::with_exact(pieces.iter().map(|piece| piece.len() as u64).sum()),
        }
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = self.get_mut();
        let polled = this.source.poll_frame(cx);
        this.progress.waiting_for_client.store(polled.is_pending(), Ordering::Relaxed);
        let frame = ready!(polled).transpose()?;
        this.progress.note();
        let Some(frame) = frame else {
            this.progress.ended.store(true, Ordering::Relaxed);
            return Poll::Ready(None);
        };
        let Some(data) = frame.data_ref() else {
            this.progress.kept().give_up();
            return Poll::Ready(Some(Ok(frame)));
        };
        let Some(left) = this.left.checked_sub(data.len() as u64) else {
            this.progress.too_large.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Err(UploadError::TooLarge)));
        };
        this.left = left;
        this.progress.kept().keep(data);
        if this.scan.feed(data) {
            this.progress.asks_refresh.store(true, Ordering::Relaxed);
        }
        if this.source.is_end_stream() {
            this.progress.ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}

impl Progress {
    fn note(&self) {
        self.last_ms.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// When the last frame went through.
    pub(super) fn last(&self) -> Instant {
        self.started + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }

    /// Who is to move next.
    pub(super) fn waiting(&self) -> Waiting {
        if !self.has_ended() && self.waiting_for_client.load(Ordering::Relaxed) {
            Waiting::ForClient
        } else {
            Waiting::ForUpstream
        }
    }

    /// Whether the last frame went through.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The most bytes that the body may have.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Whether the body was broken off for its size.
    pub(super) fn is_too_large(&self) -> bool {
        self.too_large.load(Ordering::Relaxed)
    }

    /// The whole body, if it has gone through and was kept.
    pub(super) fn take_kept(&self) -> Option<VecDeque<Bytes>> {
        if self.has_ended() { self.kept().take() } else { None }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what went through so far may ask for a new token in band.
    pub(super) fn asks_refresh(&self) -> bool {
        self.asks_refresh.load(Ordering::Relaxed)
    }
}

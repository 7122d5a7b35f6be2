//! A request's body on its way to the API: streamed, counted, and watched for what the answer will
//! have to be searched for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::in_band::Scan;

/// A request's body. The client library may hold it on another task, so what others must know of it
/// is in its [`Progress`].
#[derive(Debug)]
pub(super) struct Upload {
    incoming: Incoming,
    left: u64,
    scan: Scan,
    progress: Arc<Progress>,
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
    /// A body of at most `max` bytes.
    pub(super) fn new(incoming: Incoming, max: u64, scan: Scan) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress {
            started: Instant::now(),
            limit: max,
            last_ms: AtomicU64::new(0),
            ended: AtomicBool::new(http_body::Body::is_end_stream(&incoming)),
            waiting_for_client: AtomicBool::new(false),
            too_large: AtomicBool::new(false),
            asks_refresh: AtomicBool::new(scan.found()),
        });
        (Self { incoming, left: max, scan, progress: progress.clone() }, progress)
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
        let polled = Pin::new(&mut this.incoming).poll_frame(cx);
        this.progress.waiting_for_client.store(polled.is_pending(), Ordering::Relaxed);
        let frame = ready!(polled).transpose()?;
        this.progress.note();
        let Some(frame) = frame else {
            this.progress.ended.store(true, Ordering::Relaxed);
            return Poll::Ready(None);
        };
        if let Some(data) = frame.data_ref() {
            let Some(left) = this.left.checked_sub(data.len() as u64) else {
                this.progress.too_large.store(true, Ordering::Relaxed);
                return Poll::Ready(Some(Err(UploadError::TooLarge)));
            };
            this.left = left;
            if this.scan.feed(data) {
                this.progress.asks_refresh.store(true, Ordering::Relaxed);
            }
        }
        if this.incoming.is_end_stream() {
            this.progress.ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
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

    /// Whether what went through so far may ask for a new token in band.
    pub(super) fn asks_refresh(&self) -> bool {
        self.asks_refresh.load(Ordering::Relaxed)
    }
}

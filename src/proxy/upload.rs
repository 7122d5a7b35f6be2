//! A request's body on its way to the API: streamed, counted, and watched for what the answer will
//! have to be searched for.

mod progress;
mod source;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

pub(super) use self::progress::{Progress, Waiting};
use self::source::Source;
use super::client_body::ClientBody;
use super::error::Refusal;
use super::in_band::Scan;
use super::replay::{Kept, Whole};

/// A request's body, as the client library takes it. The library may hold it on another task, and drop it
/// when it likes, so the bytes come by way of the [`Progress`] that others share.
#[derive(Debug)]
pub(super) struct Upload {
    scan: Scan,
    progress: Arc<Progress>,
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
    /// The request is sent on another connection, with another token.
    #[error("the request goes another way")]
    Elsewhere,
}

impl Upload {
    /// A client's body of at most `max` bytes, from `now` on; `kept` is what is kept of it, to send it again.
    pub(super) fn streamed(
        incoming: ClientBody,
        max: u64,
        scan: Scan,
        kept: Kept,
        now: Instant,
    ) -> (Self, Arc<Progress>) {
        Self::new(Source::client(incoming), max, scan, kept, now)
    }

    /// A body that is at hand, whole; `kept` is what is sent if it must be sent again.
    pub(super) fn held(whole: Whole, scan: Scan, kept: Kept) -> (Self, Arc<Progress>) {
        Self::new(Source::Held(whole), u64::MAX, scan, kept, Instant::now())
    }

    fn new(source: Source, max: u64, scan: Scan, kept: Kept, now: Instant) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress::new(source, max, scan.found(), kept, now));
        (Self { scan, progress: progress.clone() }, progress)
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
        let frame = ready!(this.progress.poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && frame.data_ref().is_some_and(|data| this.scan.feed(data))
        {
            this.progress.note_wish();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.progress.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.progress.size_hint()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.progress.dropped();
    }
}

/// Reads a client's body whole: its data in one piece, and what came behind it. Its length is known, and
/// small enough.
pub(super) async fn collect(
    mut incoming: ClientBody,
    idle_timeout: Duration,
) -> Result<(Bytes, Option<HeaderMap>), Refusal> {
    let mut data = BytesMut::new();
    let mut trailers = None;
    while let Some(frame) = next(&mut incoming, idle_timeout).await? {
        match frame.into_data() {
            Ok(piece) => data.extend_from_slice(&piece),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((data.freeze(), trailers))
}

/// The next frame of a client's body.
async fn next(incoming: &mut ClientBody, idle_timeout: Duration) -> Result<Option<Frame<Bytes>>, Refusal> {
    let frame =
        timeout(idle_timeout, incoming.frame()).await.map_err(|_| Refusal::RequestTimeout(idle_timeout))?;
    frame.transpose().map_err(|_| Refusal::RequestBroken)
}

/// The whole of a request's body, to send it again: what has gone through and was kept, and the rest,
/// where the API answered before it had all come. `None` if it does not fit, or does not come within
/// `limit`; then it goes on as it did.
///
/// # Errors
/// The client broke off.
pub(super) async fn whole(progress: &Arc<Progress>, limit: Duration) -> Result<Option<Whole>, Refusal> {
    let Some(mut loan) = progress.borrow_rest() else { return Ok(progress.take_kept()) };
    let reading = async {
        while let Some(frame) = loan.rest().frame().await {
            let frame = frame.map_err(|_| Refusal::RequestBroken)?;
            if !loan.keep(frame) {
                return Ok(false);
            }
        }
        Ok::<_, Refusal>(true)
    };
    let is_whole = match timeout(limit, reading).await {
        Ok(read) => read?,
        Err(_) => false,
    };
    Ok(is_whole.then(|| loan.into_whole()))
}

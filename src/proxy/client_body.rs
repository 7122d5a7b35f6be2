//! A request's body as it comes from its client.
//!
//! One that is given up is read to its end all the same, for a while: a client that is still sending
//! when its connection closes does not read the answer that tells why.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderName;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::runtime::Handle;

use super::inject;
use super::present::Present;

/// How long the rest of a body is read that nobody wants any more.
const LINGER: Duration = Duration::from_secs(5);

/// A client's body. The default is one that nothing is left of.
#[derive(Debug, Default)]
pub(super) struct ClientBody {
    // None when this is dropped, or nothing is left.
    incoming: Option<Incoming>,
    /// The client sends nothing before it is told to, which the first look at its body does.
    waits_for_go_ahead: bool,
    /// The header of the client token: it goes no further behind a body either.
    private: Option<HeaderName>,
    ended: bool,
}

impl ClientBody {
    /// The body of a request with these headers. `private` is no name for a trailer.
    pub(super) fn new(incoming: Incoming, present: Present, private: Option<&HeaderName>) -> Self {
        let waits_for_go_ahead = present.any(Present::EXPECT);
        Self { incoming: Some(incoming), waits_for_go_ahead, private: private.cloned(), ended: false }
    }

    /// Whether the client sends nothing before it is told to (RFC 9110, section 10.1.1).
    pub(super) fn waits_for_go_ahead(&self) -> bool {
        self.waits_for_go_ahead
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        this.waits_for_go_ahead = false;
        let mut frame = ready!(Pin::new(incoming).poll_frame(cx));
        if let Some(trailers) = frame.as_mut().and_then(|frame| frame.as_mut().ok()?.trailers_mut()) {
            inject::trailers(trailers, this.private.as_ref());
        }
        this.ended = !matches!(frame, Some(Ok(_)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        let Some(rest) = self.incoming.take() else { return };
        // Whoever waits for the go-ahead has sent nothing, and must not be asked to now.
        if self.ended || rest.is_end_stream() || self.waits_for_go_ahead {
            return;
        }
        // Without a runtime the connection is going down as well.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(tokio::time::timeout(LINGER, discard(rest)));
        }
    }
}

/// Reads to the end, or to the end of the connection.
async fn discard(mut rest: Incoming) {
    while let Some(Ok(_)) = rest.frame().await {}
}

//! An answer's body on its way from the API, and the connection that it comes by: free for the next request when
//! the body has come to its end, closed when it was given up before.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::pool::Borrowed;
use crate::proxy::upload::Progress;

/// An answer's body.
#[derive(Debug)]
pub(in crate::proxy) struct Download {
    incoming: Incoming,
    // None when it was given back, and for those that are shared.
    borrowed: Option<Borrowed>,
    // The request's body, if it was still on its way when the answer began.
    request: Option<Arc<Progress>>,
}

impl Download {
    /// The body of an answer that came by `borrowed` to a request of which so much is out.
    pub(super) fn new(incoming: Incoming, borrowed: Option<Borrowed>, progress: &Arc<Progress>) -> Self {
        let request = (borrowed.is_some() && !progress.has_ended()).then(|| progress.clone());
        let mut download = Self { incoming, borrowed, request };
        download.end_if_over();
        download
    }

    fn end_if_over(&mut self) {
        if self.incoming.is_end_stream() {
            self.end();
        }
    }

    fn end(&mut self) {
        // Where the request still goes on, nothing else can be sent. The library may know better: the end of a body
        // whose length was announced is of no interest to it.
        let is_sent = self.request.as_ref().is_none_or(|request| request.has_ended());
        if let Some(borrowed) = self.borrowed.take().filter(|borrowed| is_sent || borrowed.single.is_ready())
        {
            borrowed.give_back();
        }
        self.want_no_more();
    }

    /// A body that was held back until now will not be asked for any more.
    fn want_no_more(&mut self) {
        if let Some(request) = self.request.take().filter(|request| request.is_held_back()) {
            request.dropped();
        }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.incoming).poll_frame(cx);
        match &frame {
            Poll::Pending => {}
            Poll::Ready(None) => this.end(),
            // Behind trailers nothing comes, and whoever takes them may not ask again.
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => this.end(),
            // Nor behind the last of the bytes that were announced.
            Poll::Ready(Some(Ok(_))) => this.end_if_over(),
            Poll::Ready(Some(Err(_))) => {
                this.borrowed = None;
                this.want_no_more();
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.want_no_more();
    }
}

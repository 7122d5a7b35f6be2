//! Where a request's body comes from.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};

use super::super::client_body::ClientBody;
use super::super::replay::Whole;

/// What gives a body's frames.
#[derive(Debug)]
pub(super) enum Source {
    /// The client, as it comes.
    Client {
        /// What was read of it in advance.
        ahead: VecDeque<Bytes>,
        /// The rest.
        rest: ClientBody,
    },
    /// At hand already.
    Held(Whole),
}

impl Source {
    pub(super) fn client(rest: ClientBody) -> Self {
        Self::Client { ahead: VecDeque::new(), rest }
    }

    /// Whether its client sends nothing before it is told to.
    pub(super) fn waits_for_go_ahead(&self) -> bool {
        matches!(self, Self::Client { rest, .. } if rest.waits_for_go_ahead())
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self {
            Self::Client { ahead, rest } => match ahead.pop_front() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
                None => Pin::new(rest).poll_frame(cx),
            },
            Self::Held(whole) => {
                let data = whole.pieces.pop_front().map(Frame::data);
                let frame = data.or_else(|| whole.trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Client { ahead, rest } => ahead.is_empty() && rest.is_end_stream(),
            Self::Held(whole) => whole.pieces.is_empty() && whole.trailers.is_none(),
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            // It is asked before the first frame only.
            Self::Client { rest, .. } => rest.size_hint(),
            // Trailers want chunks (RFC 9112, section 7.1.2).
            Self::Held(whole) if whole.trailers.is_some() => SizeHint::default(),
            Self::Held(whole) => SizeHint::with_exact(whole.len() as u64),
        }
    }
}

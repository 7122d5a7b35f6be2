//! The body of an answer on its way to the client. Its request is under way until the last piece of it is
//! written: what a client asks for and does not take counts against it.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};

use super::life::UnderWay;
use crate::proxy::body::{Body, BodyError};

/// An answer's body, and the request that it ends.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    under_way: UnderWay,
}

/// A piece of a body, for as long as it is not written.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    under_way: UnderWay,
}

impl Answer {
    pub(super) fn new(mut body: Body, under_way: UnderWay) -> Self {
        under_way.answered(body.take_place());
        if body.is_after_whole_request() {
            under_way.is_whole();
        }
        Self { body, under_way }
    }
}

impl http_body::Body for Answer {
    type Data = Piece;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BodyError>>> {
        let this = self.get_mut();
        // Asked, it waits for the API; with something in hand, for the client.
        this.under_way.waits();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        this.under_way.given();
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| frame.map_data(|bytes| Piece { bytes, under_way: this.under_way.piece() }))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.bytes.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.under_way.progress();
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.under_way.piece_ended();
    }
}

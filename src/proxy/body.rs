//! The body of an answer, whoever gave it.
//!
//! An enum, not a box: most bodies come from the API frame by frame and go out as they came.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::forward::Download;
use super::in_band::Room;
use super::record::{Place, Record};
use super::upload::Progress;
use crate::telemetry::metrics::BrokenOff;

/// A body that is there already goes out in pieces of this many bytes.
const PIECE: usize = 64 * 1024;

/// An answer's body, and the record of the request that it ends.
#[derive(Debug)]
pub struct Body {
    kind: Kind,
    record: Option<Box<Record>>,
    /// Whether all of the request had come when the answer began.
    after_whole_request: bool,
}

#[derive(Debug)]
enum Kind {
    /// All of it, or nothing more; and its part of the memory for answers that are searched.
    Held { bytes: Bytes, _room: Option<Room> },
    /// The API's, as it comes.
    Upstream(Streamed),
    /// From the router behind the proxy.
    Router(axum::body::Body),
}

/// A body that must not stand still for longer than `idle_timeout`.
#[derive(Debug)]
struct Streamed {
    incoming: Download,
    idle_timeout: Duration,
    // Made when the body first has to wait: most answers never do.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    // The request's body, if it was still on its way when the answer began.
    request: Option<Arc<Progress>>,
    // How it broke off, until that is told.
    failed: Option<hyper::Error>,
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection to the API failed.
    #[error("the API's answer broke off: {0}")]
    Upstream(#[from] hyper::Error),
    /// Nothing came for `upstream.idle_timeout`.
    #[error("the API's answer did not come on within {} s", .0.as_secs_f64())]
    Idle(Duration),
    /// The rest of the request asked for a new token after its answer had begun.
    #[error("the API's answer may hold a token that was asked for too late to take it out")]
    LateWish,
    /// The router failed.
    #[error(transparent)]
    Router(#[from] axum::Error),
}

/// No body.
impl Default for Body {
    fn default() -> Self {
        Self::full(Bytes::new())
    }
}

impl Body {
    /// A body that is there already.
    pub fn full(bytes: Bytes) -> Self {
        Self::held(bytes, None)
    }

    /// A body that is there already, and takes up room until the client has it.
    pub(super) fn held(bytes: Bytes, room: Option<Room>) -> Self {
        Self { kind: Kind::Held { bytes, _room: room }, record: None, after_whole_request: false }
    }

    /// The API's body, given up when no frame comes for `idle_timeout`. Where it began before all of its `request`
    /// had gone through, it is broken off if what comes of that yet asks for a new token.
    pub(super) fn upstream(
        incoming: Download,
        idle_timeout: Duration,
        request: Option<Arc<Progress>>,
    ) -> Self {
        let streamed =
            Streamed { incoming, idle_timeout, timer: None, waiting: false, request, failed: None };
        Self { kind: Kind::Upstream(streamed), record: None, after_whole_request: false }
    }

    /// The same body, of an answer that began when all of its request had come.
    pub(super) fn after_whole_request(mut self) -> Self {
        self.after_whole_request = true;
        self
    }

    /// Whether that is known of it.
    pub fn is_after_whole_request(&self) -> bool {
        self.after_whole_request
    }

    /// The length of a body that did not come from the API, which is left out: the answer to a HEAD has none, and
    /// over HTTP/2 nobody else sees to that.
    pub(super) fn leave_out(&mut self) -> Option<u64> {
        match &self.kind {
            Kind::Upstream(_) => None,
            Kind::Held { .. } | Kind::Router(_) => {
                let length = http_body::Body::size_hint(self).exact();
                self.kind = Kind::Held { bytes: Bytes::new(), _room: None };
                length
            }
        }
    }

    /// The body of one of the router's answers.
    pub fn router(body: axum::body::Body) -> Self {
        Self { kind: Kind::Router(body), record: None, after_whole_request: false }
    }

    /// Keeps `record`, which is closed when the body ends or is dropped.
    pub fn keep_record(&mut self, record: Box<Record>) {
        self.record = Some(record);
    }

    /// The place in flight of the request that this answers: whoever takes it gives it back when the client
    /// has the answer, instead of when all of it was asked for.
    pub fn take_place(&mut self) -> Option<Place> {
        self.record.as_mut()?.take_place()
    }

    fn close_record(&mut self, broken_off: Option<BrokenOff>) {
        if let Some(record) = self.record.take() {
            record.close(broken_off);
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = match &mut this.kind {
            Kind::Held { bytes, .. } if bytes.is_empty() => None,
            // In pieces, so that it goes no faster than the client takes it.
            Kind::Held { bytes, .. } => Some(Ok(Frame::data(bytes.split_to(bytes.len().min(PIECE))))),
            Kind::Upstream(streamed) => ready!(streamed.poll_frame(cx)),
            Kind::Router(body) => {
                ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(BodyError::from))
            }
        };
        match &frame {
            // Nothing comes after trailers, and hyper does not ask again.
            Some(Ok(frame)) if frame.is_trailers() => this.close_record(None),
            Some(Ok(_)) => {}
            Some(Err(_)) => this.close_record(Some(BrokenOff::Upstream)),
            None => this.close_record(None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Held { bytes, .. } => bytes.is_empty(),
            Kind::Upstream(streamed) => streamed.failed.is_none() && streamed.incoming.is_end_stream(),
            Kind::Router(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Held { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Kind::Upstream(streamed) => streamed.incoming.size_hint(),
            Kind::Router(body) => body.size_hint(),
        }
    }
}

impl Streamed {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Some(Err(error.into())));
        }
        if let Poll::Ready(frame) = http_body::Body::poll_frame(Pin::new(&mut self.incoming), cx) {
            self.waiting = false;
            if self.request.as_ref().is_some_and(|request| request.asks_refresh()) {
                return Poll::Ready(Some(Err(BodyError::LateWish)));
            }
            if let Some(Err(error)) = frame {
                // hyper drops what it has not sent yet when a body fails, be it the head: a client that has
                // seen nothing may take it for a connection that was idle too long, and send again. It is
                // told a turn later, when all that came before is out.
                self.failed = Some(error);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.idle_timeout)));
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(Instant::now() + self.idle_timeout);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(BodyError::Idle(self.idle_timeout))))
    }
}

impl Drop for Body {
    /// hyper does not poll a body that says it has ended, or of which all bytes that were announced
    /// are out (HTTP/2 may tell the end later); any other that is dropped was not wanted any more by a
    /// client that has gone.
    fn drop(&mut self) {
        if self.record.is_some() {
            let ended =
                http_body::Body::is_end_stream(self) || http_body::Body::size_hint(self).exact() == Some(0);
            self.close_record((!ended).then_some(BrokenOff::Client));
        }
    }
}

//! How far a request's body has come, and the rest of it: what the data path shares with the client
//! library that takes the body.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::super::client_body::ClientBody;
use super::super::replay::{Kept, Whole};
use super::UploadError;
use super::source::Source;

/// How far a request's body has come.
#[derive(Debug)]
pub(in crate::proxy) struct Progress {
    started: Instant,
    limit: u64,
    /// Milliseconds after `started` at which the last frame went through.
    last_ms: AtomicU64,
    ended: AtomicBool,
    waiting_for_client: AtomicBool,
    too_large: AtomicBool,
    broken: AtomicBool,
    asks_refresh: AtomicBool,
    /// The client waits for the go-ahead, and the API has not given it.
    held_back: AtomicBool,
    rest: Mutex<Rest>,
}

#[derive(Debug)]
struct Rest {
    slot: Slot,
    left: u64,
    kept: Kept,
    /// Whether anybody takes frames yet.
    taken: bool,
    /// Who waits for the next frame.
    waker: Option<Waker>,
}

/// Where the rest of the body is.
#[derive(Debug)]
enum Slot {
    Here(Source),
    /// Being read to be sent another way.
    Lent,
    /// It went another way, or nobody wants it any more.
    Gone,
}

/// Who keeps a request from coming on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Waiting {
    /// The client has not sent the rest of the body.
    ForClient,
    /// The API takes no more of it, or has it all and does not answer.
    ForUpstream,
}

/// The rest of a client's body, taken from the way that it was on. Given back when dropped, unless it
/// was read to its end.
#[derive(Debug)]
pub(super) struct Loan {
    progress: Arc<Progress>,
    ahead: VecDeque<Bytes>,
    whole: Kept,
    rest: ClientBody,
    read_to_end: bool,
}

impl Progress {
    pub(super) fn new(source: Source, limit: u64, asks_refresh: bool, kept: Kept, now: Instant) -> Self {
        Self {
            started: now,
            limit,
            last_ms: AtomicU64::new(0),
            ended: AtomicBool::new(source.is_end_stream()),
            waiting_for_client: AtomicBool::new(false),
            too_large: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            asks_refresh: AtomicBool::new(asks_refresh),
            held_back: AtomicBool::new(source.waits_for_go_ahead()),
            rest: Mutex::new(Rest { slot: Slot::Here(source), left: limit, kept, taken: true, waker: None }),
        }
    }

    pub(super) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let mut rest = self.lock();
        if self.is_held_back() && matches!(rest.slot, Slot::Here(_)) {
            return rest.wait(cx);
        }
        let polled = rest.poll_frame(cx);
        self.waiting_for_client.store(polled.is_pending(), Ordering::Relaxed);
        let frame = ready!(polled);
        self.goes_on();
        let has_ended = match (&frame, &rest.slot) {
            (Some(Err(error)), _) => {
                // What broke off is not whole, whoever asks for it, and never will be.
                rest.kept.give_up();
                match error {
                    UploadError::TooLarge => self.too_large.store(true, Ordering::Relaxed),
                    UploadError::Client(_) => self.broken.store(true, Ordering::Relaxed),
                    UploadError::Elsewhere => {}
                }
                false
            }
            (None, _) => true,
            (Some(Ok(_)), Slot::Here(source)) => source.is_end_stream(),
            (Some(Ok(_)), Slot::Lent | Slot::Gone) => false,
        };
        if has_ended {
            self.ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        matches!(&self.lock().slot, Slot::Here(source) if source.is_end_stream())
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match &self.lock().slot {
            Slot::Here(source) => source.size_hint(),
            Slot::Lent | Slot::Gone => SizeHint::default(),
        }
    }

    /// What went through asks for a new token in band.
    pub(super) fn note_wish(&self) {
        self.asks_refresh.store(true, Ordering::Relaxed);
    }

    /// Nobody takes frames any more. The rest stays as long as it may have to be sent another way.
    pub(in crate::proxy) fn dropped(&self) {
        let mut rest = self.lock();
        rest.taken = false;
        rest.let_go_unless_wanted();
    }

    /// Whether the body waits until the API wants it, as its client does.
    pub(in crate::proxy) fn is_held_back(&self) -> bool {
        self.held_back.load(Ordering::Relaxed)
    }

    /// The API wants the body, or does not know that it is asked.
    pub(in crate::proxy) fn go_ahead(&self) {
        let mut rest = self.lock();
        self.held_back.store(false, Ordering::Relaxed);
        let waker = rest.waker.take();
        drop(rest);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// There is a way to the API now: waiting counts anew.
    pub(in crate::proxy) fn goes_on(&self) {
        self.last_ms.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// When the last frame went through.
    pub(in crate::proxy) fn last(&self) -> Instant {
        self.started + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }

    /// Who is to move next.
    pub(in crate::proxy) fn waiting(&self) -> Waiting {
        if !self.has_ended() && self.waiting_for_client.load(Ordering::Relaxed) {
            Waiting::ForClient
        } else {
            Waiting::ForUpstream
        }
    }

    /// Whether the last frame went through.
    pub(in crate::proxy) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The most bytes that the body may have.
    pub(in crate::proxy) fn limit(&self) -> u64 {
        self.limit
    }

    /// Whether the body was broken off for its size.
    pub(in crate::proxy) fn is_too_large(&self) -> bool {
        self.too_large.load(Ordering::Relaxed)
    }

    /// Whether the client broke it off.
    pub(in crate::proxy) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Whether what went through so far may ask for a new token in band.
    pub(in crate::proxy) fn asks_refresh(&self) -> bool {
        self.asks_refresh.load(Ordering::Relaxed)
    }

    /// Whether the whole body may still be had: all that went through is kept, and the rest is there.
    pub(in crate::proxy) fn may_be_whole(&self) -> bool {
        let rest = self.lock();
        rest.kept.fits() && (self.has_ended() || matches!(rest.slot, Slot::Here(_)))
    }

    /// The request will not be sent again: what is kept for that may go.
    pub(in crate::proxy) fn is_final(&self) {
        let mut rest = self.lock();
        rest.kept.give_up();
        rest.let_go_unless_wanted();
    }

    /// The whole body, if it has gone through and was kept.
    pub(super) fn take_kept(&self) -> Option<Whole> {
        if self.has_ended() { self.lock().kept.take() } else { None }
    }

    /// The rest of a client's body that has not ended, if all that went through is kept. Until the loan
    /// ends, no frame goes through.
    pub(super) fn borrow_rest(self: &Arc<Self>) -> Option<Loan> {
        if self.has_ended() {
            return None;
        }
        let mut rest = self.lock();
        if !rest.kept.fits() {
            return None;
        }
        match std::mem::replace(&mut rest.slot, Slot::Lent) {
            Slot::Here(Source::Client { ahead, rest: client }) => {
                let mut whole = std::mem::replace(&mut rest.kept, Kept::nothing());
                whole.limit(rest.left);
                drop(rest);
                Some(Loan { progress: self.clone(), ahead, whole, rest: client, read_to_end: false })
            }
            other => {
                rest.slot = other;
                None
            }
        }
    }

    fn end_loan(&self, slot: Slot) {
        let mut rest = self.lock();
        rest.slot = slot;
        rest.let_go_unless_wanted();
        let waker = rest.waker.take();
        drop(rest);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rest {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let Slot::Here(source) = &mut self.slot else {
            return match self.slot {
                Slot::Gone => Poll::Ready(Some(Err(UploadError::Elsewhere))),
                Slot::Here(_) | Slot::Lent => self.wait(cx),
            };
        };
        let polled = source.poll_frame(cx);
        let is_streamed = matches!(source, Source::Client { .. });
        let Poll::Ready(frame) = polled else {
            // The rest may be lent, and then its source wakes somebody else.
            return if self.kept.fits() { self.wait(cx) } else { Poll::Pending };
        };
        let frame = frame.transpose()?;
        let Some(frame) = frame else { return Poll::Ready(None) };
        if let Some(data) = frame.data_ref() {
            let Some(left) = self.left.checked_sub(data.len() as u64) else {
                return Poll::Ready(Some(Err(UploadError::TooLarge)));
            };
            self.left = left;
            if is_streamed {
                self.kept.keep(data);
            }
        } else if let Some(trailers) = frame.trailers_ref().filter(|_| is_streamed) {
            self.kept.keep_trailers(trailers);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    fn let_go_unless_wanted(&mut self) {
        if !self.taken && !self.kept.fits() && matches!(self.slot, Slot::Here(_)) {
            self.slot = Slot::Gone;
            // Whoever still holds on to it, waiting for the client, has to hear of that.
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

impl Loan {
    /// The rest itself.
    pub(super) fn rest(&mut self) -> &mut ClientBody {
        &mut self.rest
    }

    /// Takes note of a frame that was read; tells whether what came so far still fits.
    pub(super) fn keep(&mut self, frame: Frame<Bytes>) -> bool {
        match frame.into_data() {
            Ok(data) => {
                self.whole.keep(&data);
                self.ahead.push_back(data);
            }
            Err(frame) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.whole.keep_trailers(trailers);
                }
            }
        }
        self.whole.fits()
    }

    /// All of it: it was read to its end.
    pub(super) fn into_whole(mut self) -> Whole {
        self.read_to_end = true;
        self.whole.take().unwrap_or_default()
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.progress.end_loan(match self.read_to_end {
            true => Slot::Gone,
            false => Slot::Here(Source::Client {
                ahead: std::mem::take(&mut self.ahead),
                rest: std::mem::take(&mut self.rest),
            }),
        });
    }
}

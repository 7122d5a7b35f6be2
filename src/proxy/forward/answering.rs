//! Waiting for the head of an answer, and not for ever.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

use super::download::Download;
use super::failure::{self, Unanswered};
use super::head;
use super::pool::Borrowed;
use crate::proxy::error::Refusal;
use crate::proxy::inject;
use crate::proxy::present::Present;
use crate::proxy::upload::{Progress, Upload, Waiting};

/// How long a body is held back for the API to ask for it: not every server knows how (RFC 9110, section 10.1.1).
const GO_AHEAD: Duration = Duration::from_secs(1);

/// What waits for an answer's head, and goes on with its connection.
pub(super) type Timer = Pin<Box<Sleep>>;

/// What the library says of a request.
pub(in crate::proxy) type Outcome = Result<Response<Incoming>, TrySendError<Request<Upload>>>;

/// What became of a request: an answer, or, where the connection had closed before, the request as it was.
pub(super) type Asked = Result<Result<Response<Download>, Box<Request<Upload>>>, Unanswered>;

/// How long may be waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For the head of the answer, when all of the request is out.
    pub response: Duration,
    /// For the next piece of the request's body.
    pub idle: Duration,
}

pin_project! {
    /// A request that is with the library. Dropped, it gives the request up and closes its connection.
    pub(in crate::proxy) struct Answering<F> {
        #[pin]
        call: F,
        progress: Arc<Progress>,
        patience: Patience,
        was_used: bool,
        // None for those that are shared.
        borrowed: Option<Borrowed>,
        timer: Option<Timer>,
        go_ahead: Option<Timer>,
    }
}

impl<F> Answering<F> {
    /// The outcome of `call`, which goes by `borrowed`, or by a connection that is shared.
    pub(super) fn new(
        call: F,
        mut borrowed: Option<Borrowed>,
        progress: &Arc<Progress>,
        patience: Patience,
    ) -> Self {
        let was_used = borrowed.as_ref().is_none_or(|borrowed| borrowed.was_used);
        let mut timer = borrowed.as_mut().and_then(|borrowed| borrowed.timer.take());
        // One that was set for the connection's last request may ring too early, which is looked into, and must not
        // too late.
        let shortest = patience.shortest();
        if patience.response != patience.idle
            && let Some(timer) = timer.as_mut().filter(|timer| timer.deadline() > Instant::now() + shortest)
        {
            timer.as_mut().reset(Instant::now() + shortest);
        }
        let go_ahead = progress.is_held_back().then(|| Box::pin(tokio::time::sleep(GO_AHEAD)));
        Self { call, progress: progress.clone(), patience, was_used, borrowed, timer, go_ahead }
    }
}

impl<F: Future<Output = Outcome>> Future for Answering<F> {
    type Output = Asked;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Asked> {
        let this = self.project();
        let progress = &*this.progress;
        if let Poll::Ready(outcome) = this.call.poll(cx) {
            let mut borrowed = this.borrowed.take();
            if let Some(borrowed) = &mut borrowed {
                borrowed.timer = this.timer.take();
            }
            return Poll::Ready(settled(outcome, borrowed, *this.was_used, progress));
        }
        if let Some(timer) = this.go_ahead
            && timer.as_mut().poll(cx).is_ready()
        {
            progress.go_ahead();
            *this.go_ahead = None;
        }
        let patience = *this.patience;
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience.shortest())));
        while timer.as_mut().poll(cx).is_ready() {
            let (now, limit) = (Instant::now(), patience.limit(progress));
            if limit <= now {
                return Poll::Ready(Err(patience.too_late(progress).into()));
            }
            // The request's end, from which on the response timeout counts, may come any time.
            timer.as_mut().reset(limit.min(now + patience.response));
        }
        Poll::Pending
    }
}

impl Patience {
    fn shortest(self) -> Duration {
        self.response.min(self.idle)
    }

    /// Until when something must have happened: the next piece of the request's body, or, once all of
    /// it is out, the head of the answer.
    fn limit(self, progress: &Progress) -> Instant {
        progress.last() + if progress.has_ended() { self.response } else { self.idle }
    }

    fn too_late(self, progress: &Progress) -> Refusal {
        match progress.waiting() {
            Waiting::ForClient => Refusal::RequestTimeout(self.idle),
            Waiting::ForUpstream if progress.has_ended() => Refusal::UpstreamTimeout(self.response),
            Waiting::ForUpstream => Refusal::UpstreamTimeout(self.idle),
        }
    }
}

fn settled(outcome: Outcome, borrowed: Option<Borrowed>, was_used: bool, progress: &Arc<Progress>) -> Asked {
    match outcome {
        Ok(mut answer) => {
            let present = Present::of(answer.headers());
            head::check(&answer, present)?;
            inject::response(answer.headers_mut(), present);
            Ok(Ok(answer.map(|incoming| Download::new(incoming, borrowed, progress))))
        }
        Err(mut error) => match error.take_message() {
            Some(back) => Ok(Err(Box::new(back))),
            None => Err(failure::unanswered(error.error(), progress, was_used)),
        },
    }
}

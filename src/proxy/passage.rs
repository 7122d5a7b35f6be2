//! A request's passage to the API, with our token, and the answer's back, without what is ours.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode, request};
use http_body::Body as _;
use pin_project_lite::pin_project;

use super::body::Body;
use super::client_body::ClientBody;
use super::error::Refusal;
use super::forward::{Answering, Download, Outcome, Unanswered};
use super::in_band::{self, Asked, Masked, Question, Scan};
use super::inject::Credentials;
use super::path::Readings;
use super::present::Present;
use super::replay::{Kept, SavedHead};
use super::upload::{Progress, Upload};
use super::{Proxy, Way, guard, inject, observe};
use crate::token::Moment;
use crate::token::cell::{Current, TokenCell};

pin_project! {
    /// A request that the API has, and what it takes to send it again.
    pub(super) struct Passage<'a, F> {
        #[pin]
        answering: Answering<F>,
        attempt: Attempt<'a>,
    }
}

/// What is kept of a request that is sent.
struct Attempt<'a> {
    method: Method,
    progress: Arc<Progress>,
    requested: Moment,
    /// The head to send then, if it may be sent again: what is sent goes with its connection.
    again: Option<SavedHead>,
    cell: &'a TokenCell,
    token: Rc<Current>,
}

/// A request as it was sent, and the answer to it.
pub(super) struct Sent {
    pub method: Method,
    pub response: Response<Download>,
    pub progress: Arc<Progress>,
    pub requested: Moment,
}

impl Proxy {
    /// Sends a request on, if there is a connection at hand.
    pub(super) fn forward<'a>(
        &'a self,
        (mut head, present): (request::Parts, Present),
        body: ClientBody,
        path: &Readings<'_>,
        (cell, token, now): (&'a TokenCell, Rc<Current>, Moment),
    ) -> Result<Way<'a, impl Future<Output = Outcome> + use<>>, Refusal> {
        if present.any(Present::AUTHORIZATION) {
            guard::no_loop(&head.headers, &token.authorization)?;
        }
        let repeatable = self.replay.allows(&head, path);
        let suits = repeatable && cell.asks_in_band() && in_band::suits(&head, self.replay.buffer());
        if let Some(claim) = suits.then(|| cell.claim_in_band(&token)).flatten() {
            return Ok(Way::Roundabout(Box::pin(self.forward_asking(head, body, cell, token, claim))));
        }
        let fits = body.size_hint().lower() <= self.replay.buffer() as u64;
        let kept = if repeatable && fits { Kept::new(self.replay.buffer()) } else { Kept::nothing() };
        let scan = if body.is_end_stream() { Scan::without_body(&head) } else { Scan::of(&head) };
        let (upload, progress) = Upload::streamed(body, self.limits.max_body, scan, kept, now.monotonic());
        let again = (repeatable && fits).then(|| SavedHead::of(&head));
        let method = head.method.clone();
        self.dress(&mut head.headers, present, &upload, &token);
        let request = Request::from_parts(head, upload);
        let attempt = Attempt { method, progress, requested: now, again, cell, token };
        Ok(match self.upstream.ask(request, &attempt.progress) {
            Ok(answering) => Way::Straight(Box::pin(Passage { answering, attempt })),
            Err(request) => {
                let path = path.as_written().to_owned();
                Way::Roundabout(Box::pin(async move {
                    let mut attempt = attempt;
                    self.try_on(*request, &mut attempt, &path).await
                }))
            }
        })
    }

    /// Sends a request on when there is a token.
    pub(super) async fn forward_later(
        &self,
        head: request::Parts,
        body: ClientBody,
        cell: &TokenCell,
    ) -> Result<Response<Body>, Refusal> {
        let token = cell.current().await?;
        let (uri, present) = (head.uri.clone(), Present::of(&head.headers));
        match self.forward((head, present), body, &Readings::of(uri.path()), (cell, token, cell.now()))? {
            Way::Straight(passage) => self.answered(passage, uri.path()).await,
            Way::Roundabout(answering) => answering.await,
        }
    }

    /// The answer to a request to this path.
    pub(super) async fn answered<F: Future<Output = Outcome>>(
        &self,
        mut passage: Pin<Box<Passage<'_, F>>>,
        path: &str,
    ) -> Result<Response<Body>, Refusal> {
        let asked = poll_fn(|cx| passage.as_mut().project().answering.poll(cx)).await;
        let attempt = passage.as_mut().project().attempt;
        match asked {
            Ok(Ok(response))
                if response.status() != StatusCode::UNAUTHORIZED && !attempt.progress.asks_refresh() =>
            {
                self.accepted(&attempt.method, &attempt.progress, path);
                Ok(self.answer_as_it_comes(response, &attempt.progress))
            }
            Ok(Ok(response)) => Box::pin(self.conclude(Ok(response), attempt, path)).await,
            Ok(Err(back)) => Box::pin(self.try_on(*back, attempt, path)).await,
            Err(unanswered) => Box::pin(self.conclude(Err(unanswered), attempt, path)).await,
        }
    }

    /// Sends a request, whatever it has to wait for, and gives the answer.
    async fn try_on(
        &self,
        request: Request<Upload>,
        attempt: &mut Attempt<'_>,
        path: &str,
    ) -> Result<Response<Body>, Refusal> {
        let outcome = self.upstream.send(request, &attempt.progress).await;
        self.conclude(outcome, attempt, path).await
    }

    /// The answer, after a second try where that is called for, and without a token where it may hold one.
    async fn conclude(
        &self,
        outcome: Result<Response<Download>, Unanswered>,
        attempt: &mut Attempt<'_>,
        path: &str,
    ) -> Result<Response<Body>, Refusal> {
        let Attempt { method, progress, requested, again, cell, token } = attempt;
        let (progress, again) = (progress.clone(), again.take().map(|head| head.into_head(method.clone())));
        let sent = match outcome {
            Ok(response) => Sent { method: method.clone(), response, progress, requested: *requested },
            Err(unanswered) => self.send_again(unanswered, &progress, again.as_ref(), cell, token).await?,
        };
        let sent = self.unless_rejected(sent, again, path, cell, token.generation).await?;
        self.answer(sent, Asked::ByApp, path, cell).await
    }

    /// Makes a request's headers what the API is to have.
    fn dress(&self, headers: &mut HeaderMap, present: Present, upload: &Upload, token: &Current) {
        let chunked = upload.size_hint().exact().is_none() && !upload.is_end_stream();
        let api_key = if self.send_api_key { token.api_key.as_ref() } else { None };
        let credentials = Credentials { authorization: &token.authorization, api_key };
        inject::request(headers, present, credentials, chunked);
    }

    /// Sends a request, whatever it has to wait for.
    pub(super) async fn send(
        &self,
        mut head: request::Parts,
        (upload, progress): (Upload, Arc<Progress>),
        cell: &TokenCell,
        token: &Current,
    ) -> Result<Sent, Unanswered> {
        let method = head.method.clone();
        let requested = cell.now();
        let present = Present::of(&head.headers);
        self.dress(&mut head.headers, present, &upload, token);
        let response = self.upstream.send(Request::from_parts(head, upload), &progress).await?;
        Ok(Sent { method, response, progress, requested })
    }

    /// The API's answer, searched for a token if it may hold one.
    pub(super) async fn answer(
        &self,
        sent: Sent,
        asked: Asked,
        path: &str,
        cell: &TokenCell,
    ) -> Result<Response<Body>, Refusal> {
        if !sent.progress.asks_refresh() {
            return Ok(self.answer_as_it_comes(sent.response, &sent.progress));
        }
        let Sent { method, mut response, requested, .. } = sent;
        observe::rate_limit(&mut response, &self.metrics);
        let idle_timeout = self.upstream.idle_timeout();
        let response = response.map(|body| Body::upstream(body, idle_timeout, None));
        let question = Question { method: &method, path, asked, requested };
        let masking = in_band::mask(response, question, idle_timeout, &self.search_memory);
        let Masked { response, grant } = Box::pin(masking).await?;
        if let Some(grant) = grant {
            cell.offer(grant);
        }
        Ok(response)
    }

    fn answer_as_it_comes(
        &self,
        mut response: Response<Download>,
        progress: &Arc<Progress>,
    ) -> Response<Body> {
        observe::rate_limit(&mut response, &self.metrics);
        let idle_timeout = self.upstream.idle_timeout();
        response.map(|body| match progress.has_ended() {
            true => Body::upstream(body, idle_timeout, None).after_whole_request(),
            false => Body::upstream(body, idle_timeout, Some(progress.clone())),
        })
    }
}

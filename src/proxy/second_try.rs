//! Sending a request a second time: with a newer token after a 401, or without our wish after the API
//! would not take it.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Response, StatusCode, request};

use super::body::Body;
use super::client_body::ClientBody;
use super::error::Refusal;
use super::forward::{Fate, Unanswered};
use super::in_band::{self, Asked, Scan};
use super::passage::Sent;
use super::replay::{Kept, Route, Whole};
use super::upload::{self, Progress, Upload};
use super::{Proxy, proxy_status};
use crate::token::Generation;
use crate::token::cell::{Claim, Current, TokenCell};

/// What an API may answer to a body with a member that it does not know, or a gateway to one that is longer
/// than it should be.
const REFUSALS: [StatusCode; 5] = [
    StatusCode::BAD_REQUEST,
    StatusCode::FORBIDDEN,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::UNPROCESSABLE_ENTITY,
];

impl Proxy {
    /// Sends a small request with the wish for a new token in its body, which is read whole for that. If
    /// the API does not take it, the request goes as its app sent it.
    pub(super) async fn forward_asking(
        &self,
        mut head: request::Parts,
        body: ClientBody,
        cell: &TokenCell,
        token: Rc<Current>,
        claim: Claim,
    ) -> Result<Response<Body>, Refusal> {
        let (uri, token) = (head.uri.clone(), &*token);
        let path = uri.path();
        let (theirs, trailers) = upload::collect(body, self.upstream.idle_timeout()).await?;
        let whole = |piece: Bytes| Whole { trailers: trailers.clone(), ..Whole::from(piece) };
        let scan = Scan::of(&head);
        let again = head.clone();
        let kept = Kept::all(whole(theirs.clone()));
        let Some(asking) = in_band::insert(&theirs) else {
            drop(claim);
            let sent = self.send(head, Upload::held(whole(theirs), scan, kept), cell, token).await?;
            let sent = self.unless_rejected(sent, Some(again), path, cell, token.generation).await?;
            return self.answer(sent, Asked::ByApp, path, cell).await;
        };
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(asking.len()));
        in_band::limit_codings(&mut head.headers);
        let sent = self.send(head, Upload::held(whole(asking), scan, kept), cell, token).await?;
        match sent.response.status() {
            // It says what it thinks of the token, not of the wish.
            StatusCode::UNAUTHORIZED => {
                drop(claim);
                let first = sent.progress.clone();
                let sent = self.unless_rejected(sent, Some(again), path, cell, token.generation).await?;
                let asked = if Arc::ptr_eq(&first, &sent.progress) { Asked::ByUs } else { Asked::ByApp };
                self.answer(sent, asked, path, cell).await
            }
            // An API that does not know the member may refuse it. What is refused so was not carried out.
            status if REFUSALS.contains(&status) => {
                let plain = Upload::held(whole(theirs.clone()), Scan::of(&again), Kept::all(whole(theirs)));
                let second = self.send(again.clone(), plain, cell, token).await?;
                let second = self.unless_rejected(second, Some(again), path, cell, token.generation).await?;
                if second.response.status().is_success() {
                    claim.refused();
                }
                self.answer(second, Asked::ByApp, path, cell).await
            }
            _ => {
                self.routes.forget(&sent.method, path);
                self.answer(sent, Asked::ByUs, path, cell).await
            }
        }
    }

    /// Sends a request again if the API did nothing with it: it says so, or it closed the connection when the
    /// request came, and nothing is lost by carrying it out twice. `again` is the head to send then.
    pub(super) async fn send_again(
        &self,
        unanswered: Unanswered,
        progress: &Arc<Progress>,
        again: Option<&request::Parts>,
        cell: &TokenCell,
        token: &Current,
    ) -> Result<Sent, Refusal> {
        let Unanswered { refusal, fate } = unanswered;
        let may_be_sent = |head: &&request::Parts| match fate {
            Fate::Untouched => true,
            Fate::Crossed => head.method.is_idempotent(),
            Fate::Unknown => false,
        };
        let Some(head) = again.filter(may_be_sent).filter(|_| progress.may_be_whole()) else {
            return Err(refusal);
        };
        let Some(body) = upload::whole(progress, self.upstream.idle_timeout()).await? else {
            return Err(refusal);
        };
        let upload = Upload::held(body.clone(), Scan::of(head), Kept::all(body));
        Ok(self.send(head.clone(), upload, cell, token).await?)
    }

    /// What was sent, or, if the API answered 401 and a newer token is to be had, what came of the request
    /// with that. `again` is the head to send then.
    pub(super) async fn unless_rejected(
        &self,
        sent: Sent,
        again: Option<request::Parts>,
        path: &str,
        cell: &TokenCell,
        rejected: Generation,
    ) -> Result<Sent, Refusal> {
        if sent.response.status() != StatusCode::UNAUTHORIZED {
            self.accepted(&sent.method, &sent.progress, path);
            return Ok(sent);
        }
        match self.once_more(&sent, again, path, cell, rejected).await? {
            Some(second) => Ok(second),
            None => {
                sent.progress.is_final();
                Ok(sent)
            }
        }
    }

    /// The API takes the token: the request will not be sent again.
    pub(super) fn accepted(&self, method: &Method, progress: &Progress, path: &str) {
        self.routes.forget(method, path);
        progress.is_final();
    }

    /// Sends the request a second time with a newer token, if there is one to be had and the request is
    /// still whole. `None`: the 401 is the answer.
    async fn once_more(
        &self,
        sent: &Sent,
        again: Option<request::Parts>,
        path: &str,
        cell: &TokenCell,
        rejected: Generation,
    ) -> Result<Option<Sent>, Refusal> {
        let Sent { method, progress, .. } = sent;
        let route = Route::of(method, path);
        let at_hand = cell.newer_at_hand(rejected);
        if at_hand.is_none() && self.routes.remembers(&route) {
            return Ok(None);
        }
        let Some(head) = again.filter(|_| progress.may_be_whole()) else {
            if at_hand.is_none() {
                // The next request will be better off.
                cell.report_rejected(rejected);
                self.routes.strike(route, rejected);
            }
            return Ok(None);
        };
        let newer = match at_hand {
            Some(newer) => newer,
            None => match cell.newer_than(rejected).await {
                Some(newer) => newer,
                None => return Ok(None),
            },
        };
        let Some(body) = upload::whole(progress, self.upstream.idle_timeout()).await? else {
            return Ok(None);
        };
        // The rest may have taken a while.
        let newer = cell.newer_at_hand(rejected).unwrap_or(newer);
        let upload = Upload::held(body.clone(), Scan::of(&head), Kept::all(body));
        let progress = upload.1.clone();
        let mut second = match self.send(head.clone(), upload, cell, &newer).await {
            Ok(second) => second,
            Err(unanswered) => self.send_again(unanswered, &progress, Some(&head), cell, &newer).await?,
        };
        let accepted = second.response.status() != StatusCode::UNAUTHORIZED;
        self.metrics.sent_again(accepted);
        if accepted {
            self.routes.forget(&second.method, path);
        } else {
            self.routes.strike(route, newer.generation);
        }
        proxy_status::append(
            second.response.headers_mut(),
            None,
            Some("sent again with a new token after a 401"),
        );
        Ok(Some(second))
    }
}

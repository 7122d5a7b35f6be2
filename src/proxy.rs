//! The data path: what happens to an app's request.
//!
//! [`Proxy::serve`] reads as a request's life. Each step stands in a file of its own; the order is
//! here. What the proxy answers itself comes from the router behind it (`local_auth`) or from
//! [`error`], the only place where a status of its own is chosen.

pub mod body;
pub mod error;
pub mod record;
pub mod retry_after;

mod blueprint;
mod client_body;
mod cors;
mod envelope;
mod forward;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzz_targets;
mod guard;
mod in_band;
mod inject;
mod last_words;
mod local_auth;
mod observe;
mod path;
mod proxy_status;
mod replay;
mod second_try;
mod upload;

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use axum::Router;
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode, request};
use http_body::Body as _;
use hyper::body::Incoming;
use tower::{Service, service_fn};

use self::body::Body;
use self::client_body::ClientBody;
use self::cors::{Cors, Page};
use self::error::Refusal;
use self::forward::{Download, Unanswered, Upstream};
use self::guard::{Limits, Rules};
use self::in_band::{Asked, Masked, Question, Scan};
use self::inject::Credentials;
use self::path::{Authentication, OrdersPaths, Readings};
use self::record::{InFlight, Own, Record};
use self::replay::{Kept, Replay};
use self::upload::{Progress, Upload};
use crate::config::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::token::cell::{Current, TokenCell};
use crate::token::{Credential, Moment};

pub use self::blueprint::{Blueprint, Handles};
pub use self::forward::LocalExecutor;
pub use self::guard::Callers;
pub use self::in_band::SearchMemory;
pub use self::last_words::last_words;
pub use self::local_auth::PLACEHOLDER;
pub use self::replay::Routes;

/// One worker's data path: its own connections to the API, its own view of the tokens.
#[derive(Debug)]
pub struct Proxy {
    api: TokenCell,
    orders: Option<TokenCell>,
    orders_paths: OrdersPaths,
    upstream: Upstream,
    send_api_key: bool,
    replay: Replay,
    routes: Routes,
    search_memory: SearchMemory,
    local: Router,
    callers: Callers,
    cors: Cors,
    rules: Rules,
    limits: Limits,
    in_flight: Arc<InFlight>,
    metrics: Metrics,
    access: AccessLog,
}

/// A request as it was sent, and the answer to it.
struct Sent {
    method: Method,
    response: Response<Download>,
    progress: Arc<Progress>,
    requested: Moment,
}

impl Proxy {
    /// The data path of the worker that calls this.
    pub fn new(blueprint: Blueprint) -> Self {
        let Blueprint { upstream, requests, access, wait_timeout, scheme, authority, .. } = blueprint;
        let limits = Limits::of(&requests);
        let metrics = blueprint.metrics.of_worker();
        Self {
            api: blueprint.tokens.api.cell(wait_timeout),
            orders: blueprint.tokens.orders.map(|handle| handle.cell(wait_timeout)),
            orders_paths: OrdersPaths::new(blueprint.orders_paths),
            upstream: Upstream::new(&upstream, scheme, authority, blueprint.tls, metrics.clone()),
            send_api_key: upstream.send_api_key,
            replay: Replay::new(requests.replay_buffer, requests.replay_deny),
            routes: blueprint.routes,
            search_memory: blueprint.search_memory,
            local: local_auth::router(),
            cors: Cors::new(blueprint.callers.origins()),
            callers: blueprint.callers,
            limits,
            rules: Rules::new(requests.allow, requests.deny),
            in_flight: blueprint.in_flight,
            metrics,
            access,
        }
    }

    /// The proxy as a tower service.
    pub fn into_service(
        self,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<Body>,
        Error = Infallible,
        Future = impl Future<Output = Result<Response<Body>, Infallible>> + 'static,
    > + Clone
    + 'static {
        let proxy = Rc::new(self);
        service_fn(move |request| {
            let proxy = proxy.clone();
            async move { Ok(proxy.serve(request).await) }
        })
    }

    /// A request's life. Every request gets an answer, the API's or one of our own.
    ///
    /// The future is moved with each request, and so is each that it waits for: what few requests go through is in
    /// boxes of its own.
    pub async fn serve(&self, request: Request<Incoming>) -> Response<Body> {
        let mut record = Record::open(&request, &self.metrics, self.access);
        let (head, body) = request.into_parts();
        let is_head = head.method == Method::HEAD;
        let mut page = self.callers.is_of_page(&head.headers).then(|| Box::new(Page::of(&head)));
        let response = match self.pass(head, body, &mut page, &mut record).await {
            Ok(response) => {
                record.answered(response.status(), None);
                response
            }
            Err(refusal) => refused(&refusal, &mut record),
        };
        let mut response = match page {
            // A preflight that was refused is refused: the layer would answer it.
            Some(page) if !page.is_preflight() => Box::pin(self.cors.complete(*page, response)).await,
            _ => response,
        };
        if is_head && let Some(length) = response.body_mut().leave_out() {
            response.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
        }
        response.map(|body| body.with_record(record))
    }

    async fn pass(
        &self,
        mut head: request::Parts,
        body: Incoming,
        page: &mut Option<Box<Page>>,
        record: &mut Record,
    ) -> Result<Response<Body>, Refusal> {
        let body = ClientBody::new(body, &head.headers, self.callers.token_header());
        let place = self.in_flight.enter().ok_or_else(|| {
            let most = self.in_flight.most();
            Refusal::Overloaded(format!(
                "{most} requests are under way, as many as requests.max_in_flight allows"
            ))
        })?;
        record.keep(place);
        guard::check(&head, &self.limits)?;
        self.callers.check(&head)?;
        if let Some(page) = page.take_if(|page| page.is_preflight()) {
            return Ok(Box::pin(self.cors.preflight(*page)).await);
        }
        self.callers.take_token(&mut head.headers)?;
        let path = Readings::of(record.path());
        if let Some(endpoint) = Authentication::of(&path) {
            let cell = self.cell(endpoint.credential())?;
            return Box::pin(local_auth::answer(&self.local, endpoint, head.method, cell)).await;
        }
        self.rules.check(&head, &path)?;
        let cell = self.cell(self.orders_paths.credential(&path)?)?;
        match cell.at_hand() {
            Some(token) => self.forward(head, body, &path, cell, &token).await,
            None => Box::pin(self.forward_later(head, body, &path, cell)).await,
        }
    }

    fn cell(&self, credential: Credential) -> Result<&TokenCell, Refusal> {
        match credential {
            Credential::Api => Ok(&self.api),
            Credential::Orders => self.orders.as_ref().ok_or(Refusal::CredentialNotConfigured),
        }
    }

    /// Sends a request on when there is a token.
    async fn forward_later(
        &self,
        head: request::Parts,
        body: ClientBody,
        path: &Readings<'_>,
        cell: &TokenCell,
    ) -> Result<Response<Body>, Refusal> {
        let token = cell.current().await?;
        self.forward(head, body, path, cell, &token).await
    }

    async fn forward(
        &self,
        head: request::Parts,
        body: ClientBody,
        path: &Readings<'_>,
        cell: &TokenCell,
        token: &Current,
    ) -> Result<Response<Body>, Refusal> {
        guard::no_loop(&head.headers, &token.authorization)?;
        let repeatable = self.replay.allows(&head, path);
        let suits = repeatable && cell.asks_in_band() && in_band::suits(&head, self.replay.buffer());
        if let Some(claim) = suits.then(|| cell.claim_in_band(token)).flatten() {
            return Box::pin(self.forward_asking(head, body, path, cell, token, claim)).await;
        }
        let fits = body.size_hint().lower() <= self.replay.buffer() as u64;
        let kept = if repeatable && fits { Kept::new(self.replay.buffer()) } else { Kept::nothing() };
        let scan = if body.is_end_stream() { Scan::without_body(&head) } else { Scan::of(&head) };
        let (upload, progress) = Upload::streamed(body, self.limits.max_body, scan, kept);
        // What is sent goes with its connection: a second try needs a head of its own.
        let again = (repeatable && fits).then(|| head.clone());
        let method = head.method.clone();
        let requested = cell.now();
        let sent = match self.upstream.send(self.dressed(head, upload, token), &progress).await {
            Ok(response) => Sent { method, response, progress, requested },
            Err(unanswered) => {
                Box::pin(self.send_again(unanswered, &progress, again.as_ref(), cell, token)).await?
            }
        };
        let sent = match sent.response.status() {
            StatusCode::UNAUTHORIZED => {
                Box::pin(self.unless_rejected(sent, again, path, cell, token.generation)).await?
            }
            _ => self.accepted(sent, path),
        };
        if sent.progress.asks_refresh() {
            return Box::pin(self.answer_searched(sent, Asked::ByApp, path, cell)).await;
        }
        Ok(self.answer_as_it_comes(sent))
    }

    /// A request as the API is to have it.
    fn dressed(&self, mut head: request::Parts, upload: Upload, token: &Current) -> Request<Upload> {
        let chunked = upload.size_hint().exact().is_none() && !upload.is_end_stream();
        let api_key = if self.send_api_key { token.api_key.as_ref() } else { None };
        inject::request(
            &mut head.headers,
            Credentials { authorization: &token.authorization, api_key },
            chunked,
        );
        Request::from_parts(head, upload)
    }

    async fn send(
        &self,
        head: request::Parts,
        (upload, progress): (Upload, Arc<Progress>),
        cell: &TokenCell,
        token: &Current,
    ) -> Result<Sent, Unanswered> {
        let method = head.method.clone();
        let requested = cell.now();
        let response = self.upstream.send(self.dressed(head, upload, token), &progress).await?;
        Ok(Sent { method, response, progress, requested })
    }

    /// The API's answer, searched for a token if it may hold one.
    async fn answer(
        &self,
        sent: Sent,
        asked: Asked,
        path: &Readings<'_>,
        cell: &TokenCell,
    ) -> Result<Response<Body>, Refusal> {
        match sent.progress.asks_refresh() {
            true => self.answer_searched(sent, asked, path, cell).await,
            false => Ok(self.answer_as_it_comes(sent)),
        }
    }

    fn answer_as_it_comes(&self, sent: Sent) -> Response<Body> {
        let Sent { mut response, progress, .. } = sent;
        self.undress(&mut response);
        response.map(|body| {
            let request = (!progress.has_ended()).then_some(progress);
            Body::upstream(body, self.upstream.idle_timeout(), request)
        })
    }

    /// The API's answer without the token that it holds.
    async fn answer_searched(
        &self,
        sent: Sent,
        asked: Asked,
        path: &Readings<'_>,
        cell: &TokenCell,
    ) -> Result<Response<Body>, Refusal> {
        let Sent { method, mut response, requested, .. } = sent;
        self.undress(&mut response);
        let idle_timeout = self.upstream.idle_timeout();
        let response = response.map(|body| Body::upstream(body, idle_timeout, None));
        let question = Question { method: &method, path: path.as_written(), asked, requested };
        let masking = in_band::mask(response, question, idle_timeout, &self.search_memory);
        let Masked { response, grant } = Box::pin(masking).await?;
        if let Some(grant) = grant {
            cell.offer(grant);
        }
        Ok(response)
    }

    /// Takes off an answer what is not its client's, and notes what it says.
    fn undress(&self, response: &mut Response<Download>) {
        inject::response(response.headers_mut());
        observe::rate_limit(response, &self.metrics);
    }
}

/// The answer that a refusal is.
#[cold]
fn refused(refusal: &Refusal, record: &mut Record) -> Response<Body> {
    let request_id = envelope::request_id();
    let response = refusal.into_response(record.path(), &request_id);
    let own = Own { code: refusal.code(), request_id, message: refusal.to_string() };
    record.answered(response.status(), Some(own));
    if matches!(refusal, Refusal::RequestBroken) {
        record.broken_off_by_client();
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_output<A, B, R>(_: impl Fn(A, B) -> R) -> usize {
        size_of::<R>()
    }

    /// Each layer of the service moves it, and it is what a request under way keeps in memory.
    #[test]
    fn a_requests_life_is_not_much_to_move() {
        let size = size_of_output(|proxy: &'static Proxy, request| proxy.serve(request));
        assert!(size < 3 * 1024, "{size} bytes");
    }
}

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
mod envelope;
mod forward;
mod guard;
mod in_band;
mod inject;
mod local_auth;
mod observe;
mod path;
mod proxy_status;
mod replay;
mod upload;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request, Response, StatusCode, request};
use http_body::Body as _;
use hyper::body::Incoming;
use tower::{Service, service_fn};

use self::body::Body;
use self::client_body::ClientBody;
use self::error::Refusal;
use self::forward::Upstream;
use self::in_band::{Asked, Masked, Scan};
use self::inject::Credentials;
use self::path::{Authentication, OrdersPaths, Readings};
use self::record::{InFlight, Own, Record};
use self::replay::{Kept, Replay, Route};
use self::upload::{Progress, Upload};
use crate::config::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::token::cell::{Current, TokenCell};
use crate::token::{Credential, Generation, Moment};

pub use self::blueprint::{Blueprint, Handles};
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
    local: Router,
    listen: SocketAddr,
    max_body: u64,
    in_flight: Arc<InFlight>,
    metrics: Metrics,
    access: AccessLog,
}

/// A request as it was sent, and the answer to it.
struct Sent {
    method: Method,
    response: Response<Incoming>,
    progress: Arc<Progress>,
    requested: Moment,
}

impl Proxy {
    /// The data path of the worker that calls this.
    pub fn new(blueprint: Blueprint) -> Self {
        let Blueprint { upstream, requests, access, wait_timeout, scheme, authority, .. } = blueprint;
        Self {
            api: blueprint.tokens.api.cell(wait_timeout),
            orders: blueprint.tokens.orders.map(|handle| handle.cell(wait_timeout)),
            orders_paths: OrdersPaths::new(blueprint.orders_paths),
            upstream: Upstream::new(&upstream, scheme, authority, blueprint.tls, blueprint.metrics.clone()),
            send_api_key: upstream.send_api_key,
            replay: Replay::new(requests.replay_buffer, requests.replay_deny),
            routes: blueprint.routes,
            local: local_auth::router(),
            listen: blueprint.listen,
            max_body: requests.max_body,
            in_flight: blueprint.in_flight,
            metrics: blueprint.metrics,
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
    pub async fn serve(&self, request: Request<Incoming>) -> Response<Body> {
        let mut record = Record::open(&request, &self.metrics, self.access);
        let response = match self.pass(request, &mut record).await {
            Ok(response) => {
                record.answered(response.status(), None);
                response
            }
            Err(refusal) => {
                let request_id = envelope::request_id();
                let response = refusal.into_response(record.path(), &request_id);
                let own = Own { code: refusal.code(), request_id, message: refusal.to_string() };
                record.answered(response.status(), Some(own));
                if matches!(refusal, Refusal::RequestBroken) {
                    record.broken_off_by_client();
                }
                response
            }
        };
        response.map(|body| body.with_record(record))
    }

    async fn pass(&self, request: Request<Incoming>, record: &mut Record) -> Result<Response<Body>, Refusal> {
        let (head, body) = request.into_parts();
        let body = ClientBody::new(body, &head.headers);
        let place = self.in_flight.enter().ok_or_else(|| Refusal::Overloaded(self.in_flight.most()))?;
        record.keep(place);
        guard::check(&head, self.listen, self.max_body)?;
        let uri = head.uri.clone();
        let path = Readings::of(uri.path());
        if let Some(endpoint) = Authentication::of(&path) {
            let cell = self.cell(endpoint.credential())?;
            return local_auth::answer(&self.local, endpoint, head.method, cell).await;
        }
        let cell = self.cell(self.orders_paths.credential(&path)?)?;
        let token = cell.current().await?;
        self.forward(head, body, &path, cell, &token).await
    }

    fn cell(&self, credential: Credential) -> Result<&TokenCell, Refusal> {
        match credential {
            Credential::Api => Ok(&self.api),
            Credential::Orders => self.orders.as_ref().ok_or(Refusal::CredentialNotConfigured),
        }
    }

    async fn forward(
        &self,
        mut head: request::Parts,
        body: ClientBody,
        path: &Readings<'_>,
        cell: &TokenCell,
        token: &Current,
    ) -> Result<Response<Body>, Refusal> {
        let repeatable = self.replay.allows(&head, path);
        let suits = repeatable && in_band::suits(&head, self.replay.buffer());
        let claim = if suits { cell.claim_in_band(token) } else { None };
        let fits = body.size_hint().lower() <= self.replay.buffer() as u64;
        let kept = if repeatable && fits { Kept::new(self.replay.buffer()) } else { Kept::nothing() };

        let scan = Scan::of(&head);
        let (upload, asked) = match &claim {
            Some(_) => self.asking(&mut head, body, scan, kept).await?,
            None => (Upload::streamed(body, self.max_body, scan, kept), Asked::ByApp),
        };
        // What is sent goes with its connection: a second try needs a head of its own.
        let again = (repeatable && fits).then(|| head.clone());
        let mut sent = self.send(head, upload, cell, token).await?;
        if sent.response.status() == StatusCode::UNAUTHORIZED {
            let again = again.zip(sent.progress.take_kept());
            let route = Route::of(&sent.method, path.as_written());
            if let Some(second) = self.once_more(again, route, cell, token.generation).await? {
                sent = second;
            }
        } else {
            self.routes.forget(&sent.method, path.as_written());
        }
        self.answer(sent, asked, cell).await
    }

    /// Reads a small body whole and puts the wish for a new token into it.
    async fn asking(
        &self,
        head: &mut request::Parts,
        body: ClientBody,
        scan: Scan,
        kept: Kept,
    ) -> Result<((Upload, Arc<Progress>), Asked), Refusal> {
        let theirs = upload::collect(body, self.upstream.idle_timeout()).await?;
        let (body, asked) = match in_band::insert(&theirs) {
            Some(asking) => (asking, Asked::ByUs),
            None => (theirs, Asked::ByApp),
        };
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Ok((Upload::held(VecDeque::from([body]), scan, kept), asked))
    }

    async fn send(
        &self,
        mut head: request::Parts,
        (upload, progress): (Upload, Arc<Progress>),
        cell: &TokenCell,
        token: &Current,
    ) -> Result<Sent, Refusal> {
        let chunked = upload.size_hint().exact().is_none() && !upload.is_end_stream();
        let api_key = if self.send_api_key { token.api_key.as_ref() } else { None };
        let method = head.method.clone();
        inject::request(
            &mut head.headers,
            Credentials { authorization: &token.authorization, api_key },
            chunked,
        );
        let requested = cell.now();
        let response = self.upstream.send(head, upload, &progress).await?;
        Ok(Sent { method, response, progress, requested })
    }

    /// After a 401: sends the request a second time with a newer token, if there is one to be had and
    /// the request is still whole. `None`: the 401 is the answer.
    async fn once_more(
        &self,
        again: Option<(request::Parts, VecDeque<Bytes>)>,
        route: Route,
        cell: &TokenCell,
        rejected: Generation,
    ) -> Result<Option<Sent>, Refusal> {
        let at_hand = cell.newer_at_hand(rejected);
        if at_hand.is_none() && self.routes.remembers(&route) {
            return Ok(None);
        }
        let Some((head, pieces)) = again else {
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
        let scan = Scan::of(&head);
        let mut second = self.send(head, Upload::held(pieces, scan, Kept::nothing()), cell, &newer).await?;
        let accepted = second.response.status() != StatusCode::UNAUTHORIZED;
        self.metrics.sent_again(accepted);
        if !accepted {
            self.routes.strike(route, newer.generation);
        }
        proxy_status::append(
            second.response.headers_mut(),
            None,
            Some("sent again with a new token after a 401"),
        );
        Ok(Some(second))
    }

    /// The API's answer as it comes, or, where it may hold a token, without it.
    async fn answer(&self, sent: Sent, asked: Asked, cell: &TokenCell) -> Result<Response<Body>, Refusal> {
        let Sent { method, mut response, progress, requested } = sent;
        inject::response(response.headers_mut());
        observe::rate_limit(&mut response, &self.metrics);
        let idle_timeout = self.upstream.idle_timeout();
        if !progress.asks_refresh() {
            let response = response.map(|body| Body::upstream(body, idle_timeout));
            return Ok(match progress.has_ended() {
                true => response,
                false => response.map(|body| body.while_request_goes_on(progress)),
            });
        }
        let Masked { response, grant } =
            in_band::mask(response, &method, asked, idle_timeout, requested).await?;
        if let Some(grant) = grant {
            cell.offer(grant);
        }
        Ok(response)
    }
}

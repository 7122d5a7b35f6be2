//! The data path: what happens to an app's request.
//!
//! [`Proxy::serve`] reads as a request's life. Each step stands in a file of its own; the order is
//! here. What the proxy answers itself comes from the router behind it (`local_auth`) or from
//! [`error`], the only place where a status of its own is chosen.

pub mod body;
pub mod error;
pub mod record;
pub mod retry_after;

mod envelope;
mod forward;
mod guard;
mod in_band;
mod inject;
mod local_auth;
mod observe;
mod path;
mod proxy_status;
mod upload;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, request};
use http_body::Body as _;
use hyper::body::Incoming;
use rustls::ClientConfig;
use tower::{Service, service_fn};

use self::body::Body;
use self::error::Refusal;
use self::forward::Upstream;
use self::in_band::{Masked, Scan};
use self::inject::Credentials;
use self::path::Authentication;
use self::record::{InFlight, Own, Record};
use self::upload::{Progress, Upload};
use crate::config::{self, AccessLog};
use crate::telemetry::metrics::Metrics;
use crate::token::Moment;
use crate::token::cell::{Current, Handle, TokenCell};

pub use self::local_auth::PLACEHOLDER;

/// All that a worker needs to make its own [`Proxy`]. Crosses threads; a `Proxy` does not.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// `[upstream]`
    pub upstream: config::Upstream,
    /// `[requests]`
    pub requests: config::Requests,
    /// `log.access`
    pub access: AccessLog,
    /// `token.wait_timeout`
    pub wait_timeout: Duration,
    /// `http` or `https`, of `upstream.base_url`.
    pub scheme: Scheme,
    /// Host and port of `upstream.base_url`.
    pub authority: Authority,
    /// Where apps reach the proxy.
    pub listen: SocketAddr,
    /// Whom to trust.
    pub tls: ClientConfig,
    /// Where the token comes from.
    pub token: Handle,
    /// The API key's header value, where `upstream.send_api_key` asks for it.
    pub api_key: Option<HeaderValue>,
    /// The requests under way over all workers.
    pub in_flight: Arc<InFlight>,
    /// Where to count.
    pub metrics: Metrics,
}

/// One worker's data path: its own connections to the API, its own view of the token.
#[derive(Debug)]
pub struct Proxy {
    token: TokenCell,
    upstream: Upstream,
    api_key: Option<HeaderValue>,
    local: Router,
    listen: SocketAddr,
    max_body: u64,
    in_flight: Arc<InFlight>,
    metrics: Metrics,
    access: AccessLog,
}

impl Proxy {
    /// The data path of the worker that calls this.
    pub fn new(blueprint: Blueprint) -> Self {
        let Blueprint { upstream, requests, access, wait_timeout, scheme, authority, .. } = blueprint;
        Self {
            token: blueprint.token.cell(wait_timeout),
            upstream: Upstream::new(&upstream, scheme, authority, blueprint.tls, blueprint.metrics.clone()),
            api_key: blueprint.api_key,
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
                response
            }
        };
        response.map(|body| body.with_record(record))
    }

    async fn pass(&self, request: Request<Incoming>, record: &mut Record) -> Result<Response<Body>, Refusal> {
        let place = self.in_flight.enter().ok_or_else(|| Refusal::Overloaded(self.in_flight.most()))?;
        record.keep(place);
        let (head, body) = request.into_parts();
        guard::check(&head, self.listen, self.max_body)?;
        if let Some(endpoint) = Authentication::of(head.uri.path()) {
            return local_auth::answer(&self.local, endpoint, head.method, &self.token).await;
        }
        let token = self.token.current().await?;
        self.forward(head, body, &token).await
    }

    async fn forward(
        &self,
        mut head: request::Parts,
        body: Incoming,
        token: &Current,
    ) -> Result<Response<Body>, Refusal> {
        let method = head.method.clone();
        let chunked = body.size_hint().exact().is_none() && !body.is_end_stream();
        let (upload, progress) = Upload::new(body, self.max_body, Scan::of(&head));
        let ours = Credentials { authorization: &token.authorization, api_key: self.api_key.as_ref() };
        inject::request(&mut head.headers, ours, chunked);

        let requested = self.token.now();
        let mut response = self.upstream.send(head, upload, &progress).await?;
        inject::response(response.headers_mut());
        observe::rate_limit(&mut response, &self.metrics);
        self.answer(response, &method, &progress, requested).await
    }

    /// The API's answer as it comes, or, where it may hold a token, without it.
    async fn answer(
        &self,
        response: Response<Incoming>,
        method: &http::Method,
        progress: &Progress,
        requested: Moment,
    ) -> Result<Response<Body>, Refusal> {
        let idle_timeout = self.upstream.idle_timeout();
        if !progress.asks_refresh() {
            return Ok(response.map(|body| Body::upstream(body, idle_timeout)));
        }
        let Masked { response, grant } = in_band::mask(response, method, idle_timeout, requested).await?;
        if let Some(grant) = grant {
            self.token.offer(grant);
        }
        Ok(response)
    }
}

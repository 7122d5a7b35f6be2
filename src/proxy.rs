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
mod passage;
mod path;
mod present;
mod proxy_status;
mod replay;
mod second_try;
mod upload;

use std::convert::Infallible;
use std::pin::Pin;

use axum::Router;
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, request};
use hyper::body::Incoming;
use tower::{Service, service_fn};

use self::body::Body;
use self::client_body::ClientBody;
use self::cors::{Cors, Page};
use self::error::Refusal;
use self::forward::{Outcome, Upstream};
use self::guard::{Limits, Rules};
use self::passage::Passage;
use self::path::{Authentication, OrdersPaths, Readings};
use self::present::Present;
use self::record::{Own, Places, Record};
use self::replay::Replay;
use crate::config::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::token::Credential;
use crate::token::cell::TokenCell;

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
    in_flight: Places,
    metrics: Metrics,
    access: AccessLog,
}

/// Where a request goes.
enum Way<'a, F> {
    /// To the API, and it is there already.
    Straight(Pin<Box<Passage<'a, F>>>),
    /// Elsewhere, or there with a wait before or a look at its body.
    Roundabout(Pin<Box<dyn Future<Output = Result<Response<Body>, Refusal>> + 'a>>),
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
            in_flight: Places::of(blueprint.in_flight),
            metrics,
            access,
        }
    }

    /// The proxy as a tower service. It is never dropped.
    pub fn into_service(
        self,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<Body>,
        Error = Infallible,
        Future = impl Future<Output = Result<Response<Body>, Infallible>> + 'static,
    > + Clone
    + 'static {
        // Each worker makes one, which lives as long as the process: no request needs a handle of its own.
        let proxy: &'static Self = Box::leak(Box::new(self));
        service_fn(move |request| proxy.serve(request))
    }

    /// A request's life. Every request gets an answer, the API's or one of our own.
    ///
    /// All that needs no waiting is done before there is a future, which is moved with each request and so should be
    /// small; what few requests go through is in boxes of its own.
    pub fn serve(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> {
        let mut record = Box::new(Record::open(&request, &self.metrics, self.access));
        let (head, body) = request.into_parts();
        let is_head = head.method == Method::HEAD;
        let mut page = self.callers.is_of_page(&head.headers).then(|| Box::new(Page::of(&head)));
        let way = self.way(head, body, &mut page, &mut record);
        async move {
            let outcome = match way {
                Ok(Way::Straight(passage)) => self.answered(passage, record.path()).await,
                Ok(Way::Roundabout(answering)) => answering.await,
                Err(refusal) => Err(refusal),
            };
            let mut response = match outcome {
                Ok(response) => {
                    record.answered(response.status(), None);
                    response
                }
                Err(refusal) => refused(&refusal, &mut record),
            };
            // A preflight that was refused is refused: the layer would answer it.
            if let Some(page) = page.filter(|page| !page.is_preflight()) {
                response = Box::pin(self.cors.complete(*page, response)).await;
            }
            if is_head && let Some(length) = response.body_mut().leave_out() {
                response.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
            }
            response.body_mut().keep_record(record);
            Ok(response)
        }
    }

    /// Where a request goes, if it goes anywhere: most are on their way to the API when this returns.
    fn way<'a>(
        &'a self,
        mut head: request::Parts,
        body: Incoming,
        page: &mut Option<Box<Page>>,
        record: &mut Record,
    ) -> Result<Way<'a, impl Future<Output = Outcome> + use<>>, Refusal> {
        let present = Present::of(&head.headers);
        let body = ClientBody::new(body, present, self.callers.token_header());
        let place = self.in_flight.enter().ok_or_else(|| {
            let most = self.in_flight.most();
            Refusal::Overloaded(format!(
                "{most} requests are under way, as many as requests.max_in_flight allows"
            ))
        })?;
        record.keep(place);
        guard::check(&head, present, &self.limits)?;
        self.callers.check_by(&head, present)?;
        if let Some(page) = page.take_if(|page| page.is_preflight()) {
            return Ok(Way::Roundabout(Box::pin(async { Ok(self.cors.preflight(*page).await) })));
        }
        self.callers.take_token(&mut head.headers)?;
        let path = Readings::of(record.path());
        if let Some(endpoint) = Authentication::of(&path) {
            let cell = self.cell(endpoint.credential())?;
            let answering = local_auth::answer(&self.local, endpoint, head.method, cell);
            return Ok(Way::Roundabout(Box::pin(answering)));
        }
        self.rules.check(&head, &path)?;
        let cell = self.cell(self.orders_paths.credential(&path)?)?;
        let now = cell.now();
        match cell.at_hand(now) {
            Some(token) => self.forward((head, present), body, &path, (cell, token, now)),
            None => Ok(Way::Roundabout(Box::pin(self.forward_later(head, body, cell)))),
        }
    }

    fn cell(&self, credential: Credential) -> Result<&TokenCell, Refusal> {
        match credential {
            Credential::Api => Ok(&self.api),
            Credential::Orders => self.orders.as_ref().ok_or(Refusal::CredentialNotConfigured),
        }
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
        assert!(size < 1024, "{size} bytes");
    }
}

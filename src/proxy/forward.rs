//! The way to the API: a head and a body go in, an answer comes out.
//!
//! Behind this seam are the connection pool, TLS and timeouts. Where it dials, which name it checks
//! and what it says in `Host` come from the configuration alone, never from a request.

mod connect;
mod download;
mod drained;
mod failure;
mod head;
mod pool;
mod read_ahead;
mod tunnel;
mod wire;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::{CONNECTION, HOST, TE, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use rustls::ClientConfig;
use tokio::time::{Instant, Sleep};

use self::connect::Connect;
pub(super) use self::download::Download;
pub(super) use self::failure::{Fate, Unanswered};
use self::pool::{Borrowed, Lease, Pool};
pub use self::wire::LocalExecutor;
use super::error::Refusal;
use super::upload::{Progress, Upload, Waiting};
use crate::config;
use crate::telemetry::metrics::Metrics;

/// How many connections from the pool may turn out to be closed before a request asks for a new one; as many of
/// those may.
const CLOSED: usize = 3;

/// How long a body is held back for the API to ask for it: not every server knows how (RFC 9110, section 10.1.1).
const GO_AHEAD: Duration = Duration::from_secs(1);

/// One worker's way to the API.
#[derive(Debug)]
pub(super) struct Upstream {
    pool: Pool,
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    /// The authority for people, and how it is reached.
    place: String,
    response_timeout: Duration,
    idle_timeout: Duration,
}

/// What waits for an answer's head, and goes on with its connection.
type Timer = Pin<Box<Sleep>>;

/// What the library says of a request.
type Outcome = Result<Response<Incoming>, TrySendError<Request<Upload>>>;

impl Upstream {
    /// The way to the API at `base_url`, which has a scheme and an authority.
    pub(super) fn new(
        config: &config::Upstream,
        scheme: Scheme,
        authority: Authority,
        tls: ClientConfig,
        metrics: Metrics,
    ) -> Self {
        let place = match &config.proxy {
            Some(proxy) => format!("{authority} through the proxy {proxy}"),
            None => authority.to_string(),
        };
        let api = target(&scheme, &authority, PathAndQuery::from_static("/"));
        Self {
            pool: Pool::new(Connect::new(api, tls, config, metrics)),
            host: host(&scheme, &authority),
            scheme,
            authority,
            place,
            response_timeout: config.response_timeout,
            idle_timeout: config.idle_timeout,
        }
    }

    /// How long an answer's body may stand still.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.idle_timeout
    }

    /// Sends a request; returns when the head of the answer is there. The body may still be on its
    /// way then. Dropping the future gives the request up and closes its connection.
    pub(super) async fn send(
        &self,
        request: Request<Upload>,
        progress: &Arc<Progress>,
    ) -> Result<Response<Download>, Unanswered> {
        let Some(mut borrowed) = self.pool.ready() else {
            return Box::pin(self.send_patiently(request, progress)).await;
        };
        let was_used = borrowed.was_used;
        let answering = pin!(borrowed.single.try_send_request(self.for_http1(request, progress)));
        let answer = self.in_time(answering, progress, &mut borrowed.timer).await?;
        match settled(answer, Some(borrowed), was_used, progress)? {
            Ok(answer) => Ok(answer),
            Err(back) => Box::pin(self.send_patiently(back, progress)).await,
        }
    }

    /// The same where no connection may be at hand, or one was that had closed.
    async fn send_patiently(
        &self,
        mut request: Request<Upload>,
        progress: &Arc<Progress>,
    ) -> Result<Response<Download>, Unanswered> {
        let mut closed = 0;
        loop {
            let at_hand = if closed <= CLOSED { self.pool.at_hand().await } else { None };
            let lease = match at_hand {
                Some(lease) => lease,
                None => {
                    let lease = self.pool.wait().await.map_err(|failed| failed.refusal(&self.place))?;
                    // It is from now on that the API may be waited for.
                    progress.goes_on();
                    lease
                }
            };
            match self.ask(lease, request, progress).await? {
                Ok(answer) => return Ok(answer),
                // Nothing of it was written: the connection had closed.
                Err(back) if closed < 2 * CLOSED => {
                    request = back;
                    closed += 1;
                }
                Err(_) => {
                    let reason = "the connection closed before the request".to_owned();
                    return Err(Refusal::UpstreamProtocolError(reason).into());
                }
            }
        }
    }

    /// Sends a request on this connection. `Ok(Err(_))`: it could not, and the request is as it was.
    async fn ask(
        &self,
        lease: Lease,
        request: Request<Upload>,
        progress: &Arc<Progress>,
    ) -> Result<Result<Response<Download>, Request<Upload>>, Unanswered> {
        match lease {
            Lease::Single(mut borrowed) => {
                let was_used = borrowed.was_used;
                let answering = pin!(borrowed.single.try_send_request(self.for_http1(request, progress)));
                let answer = self.in_time(answering, progress, &mut borrowed.timer).await?;
                settled(answer, Some(borrowed), was_used, progress)
            }
            Lease::Shared(mut shared) => {
                // The library does not tell of the go-ahead there.
                if progress.is_held_back() {
                    progress.go_ahead();
                }
                let answering = pin!(shared.try_send_request(self.for_http2(request)));
                settled(self.in_time(answering, progress, &mut None).await?, None, true, progress)
            }
        }
    }

    /// The outcome of a call, if it comes in time.
    fn in_time<'a>(
        &'a self,
        mut answering: Pin<&'a mut impl Future<Output = Outcome>>,
        progress: &'a Progress,
        timer: &'a mut Option<Timer>,
    ) -> impl Future<Output = Result<Outcome, Refusal>> + 'a {
        let shortest = self.response_timeout.min(self.idle_timeout);
        // One that was set for the connection's last request may ring too early, which is looked into, and must not
        // too late.
        if self.response_timeout != self.idle_timeout
            && let Some(timer) = timer.as_mut().filter(|timer| timer.deadline() > Instant::now() + shortest)
        {
            timer.as_mut().reset(Instant::now() + shortest);
        }
        let mut go_ahead = progress.is_held_back().then(|| Box::pin(tokio::time::sleep(GO_AHEAD)));
        poll_fn(move |cx| {
            if let Poll::Ready(outcome) = answering.as_mut().poll(cx) {
                return Poll::Ready(Ok(outcome));
            }
            if let Some(timer) = &mut go_ahead
                && timer.as_mut().poll(cx).is_ready()
            {
                progress.go_ahead();
                go_ahead = None;
            }
            let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(shortest)));
            while timer.as_mut().poll(cx).is_ready() {
                let (now, limit) = (Instant::now(), self.limit(progress));
                if limit <= now {
                    return Poll::Ready(Err(self.too_late(progress)));
                }
                // The request's end, from which on the response timeout counts, may come any time.
                timer.as_mut().reset(limit.min(now + self.response_timeout));
            }
            Poll::Pending
        })
    }

    /// A request as HTTP/1.1 has it: a path, and whose it is in `Host`.
    fn for_http1(&self, mut request: Request<Upload>, progress: &Arc<Progress>) -> Request<Upload> {
        if request.uri().authority().is_some() {
            *request.uri_mut() = path_and_query(request.uri()).into();
        }
        *request.version_mut() = Version::HTTP_11;
        let is_chunked = request.body().size_hint().exact().is_none() && !request.body().is_end_stream();
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        if is_chunked {
            // Said, so that it is kept: without, the library takes it that a GET has no body.
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        if headers.contains_key(TE) {
            // It goes with the connection, and `Connection` must name it (RFC 9110, section 10.1.4).
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
        }
        if progress.is_held_back() {
            let progress = progress.clone();
            hyper::ext::on_informational(&mut request, move |answer| {
                if answer.status() == StatusCode::CONTINUE {
                    progress.go_ahead();
                }
            });
        }
        request
    }

    /// A request as HTTP/2 has it: all in its target, and nothing of a connection (RFC 9113, section 8.2.2).
    fn for_http2(&self, mut request: Request<Upload>) -> Request<Upload> {
        *request.uri_mut() = target(&self.scheme, &self.authority, path_and_query(request.uri()));
        *request.version_mut() = Version::HTTP_2;
        for name in [HOST, CONNECTION, TRANSFER_ENCODING] {
            request.headers_mut().remove(name);
        }
        request
    }

    /// Until when something must have happened: the next piece of the request's body, or, once all of
    /// it is out, the head of the answer.
    fn limit(&self, progress: &Progress) -> Instant {
        let allowed = if progress.has_ended() { self.response_timeout } else { self.idle_timeout };
        progress.last() + allowed
    }

    fn too_late(&self, progress: &Progress) -> Refusal {
        match progress.waiting() {
            Waiting::ForClient => Refusal::RequestTimeout(self.idle_timeout),
            Waiting::ForUpstream if progress.has_ended() => Refusal::UpstreamTimeout(self.response_timeout),
            Waiting::ForUpstream => Refusal::UpstreamTimeout(self.idle_timeout),
        }
    }
}

/// What came of a call. `Ok(Err(_))`: nothing, and the request is as it was.
fn settled(
    outcome: Outcome,
    borrowed: Option<Borrowed>,
    was_used: bool,
    progress: &Arc<Progress>,
) -> Result<Result<Response<Download>, Request<Upload>>, Unanswered> {
    match outcome {
        Ok(answer) => {
            head::check(&answer)?;
            Ok(Ok(answer.map(|incoming| Download::new(incoming, borrowed, progress))))
        }
        Err(mut error) => match error.take_message() {
            Some(back) => Ok(Err(back)),
            None => Err(failure::unanswered(error.error(), progress, was_used)),
        },
    }
}

fn path_and_query(uri: &Uri) -> PathAndQuery {
    uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"))
}

/// The API's scheme and authority, with path and query as they came.
fn target(scheme: &Scheme, authority: &Authority, path_and_query: PathAndQuery) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme.clone());
    parts.authority = Some(authority.clone());
    parts.path_and_query = Some(path_and_query);
    // All three are there: no combination of them is invalid.
    Uri::from_parts(parts).unwrap_or_default()
}

/// `Host` as everyone writes it: without the scheme's own port (RFC 9110, section 7.2).
fn host(scheme: &Scheme, authority: &Authority) -> HeaderValue {
    let usual = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    let host = match authority.port_u16() {
        Some(port) if port != usual => format!("{}:{port}", authority.host()),
        _ => authority.host().to_owned(),
    };
    // An authority holds nothing that a header cannot.
    HeaderValue::try_from(host).unwrap_or_else(|_| HeaderValue::from_static(""))
}

//! The way to the API: a head and a body go in, an answer comes out.
//!
//! Behind this seam are the connection pool, TLS and timeouts. Where it dials, which name it checks
//! and what it says in `Host` come from the configuration alone, never from a request.

mod connect;
mod failure;
mod head;
mod tunnel;

use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version, request};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::time::Instant;

use self::connect::Connect;
use super::error::Refusal;
use super::upload::{Progress, Upload, Waiting};
use crate::config;
use crate::telemetry::metrics::Metrics;

/// A connection that was idle for this long is closed by us before most servers close theirs.
const POOL_IDLE: Duration = Duration::from_secs(45);

/// Idle connections that are kept: each costs tens of KiB.
const POOL_SIZE: usize = 64;

/// A dead HTTP/2 connection would take all requests with it: it is asked for a sign of life this often.
const HTTP2_PING: Duration = Duration::from_secs(10);

/// A connection without a sign of life for this long is closed.
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(5);

/// What the API may send of one answer before the client has taken it, bytes.
const HTTP2_STREAM_WINDOW: u32 = 256 * 1024;

/// The same over all answers of a connection: so many clients may stop reading before others notice.
const HTTP2_CONNECTION_WINDOW: u32 = 128 * HTTP2_STREAM_WINDOW;

/// How much is read of an answer before it is used, bytes. A head that is not whole then is too large.
const HTTP1_BUFFER: usize = 64 * 1024;

/// One worker's way to the API.
#[derive(Debug)]
pub(super) struct Upstream {
    client: Client<Connect, Upload>,
    scheme: Scheme,
    authority: Authority,
    /// The authority for people, and how it is reached.
    place: String,
    response_timeout: Duration,
    idle_timeout: Duration,
}

impl Upstream {
    /// The way to the API at `base_url`, which has a scheme and an authority.
    pub(super) fn new(
        config: &config::Upstream,
        scheme: Scheme,
        authority: Authority,
        tls: ClientConfig,
        metrics: Metrics,
    ) -> Self {
        let connect = Connect::new(tls, config, metrics);
        let place = match &config.proxy {
            Some(proxy) => format!("{authority} through the proxy {proxy}"),
            None => authority.to_string(),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_SIZE)
            .timer(TokioTimer::new())
            .http1_max_buf_size(HTTP1_BUFFER)
            .http2_keep_alive_interval(HTTP2_PING)
            .http2_keep_alive_timeout(HTTP2_PING_TIMEOUT)
            .http2_keep_alive_while_idle(true)
            .http2_initial_stream_window_size(HTTP2_STREAM_WINDOW)
            .http2_initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
            .build(connect);
        Self {
            client,
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
        mut head: request::Parts,
        body: Upload,
        progress: &Progress,
    ) -> Result<Response<Incoming>, Refusal> {
        head.uri = self.target(head.uri)?;
        // What the client speaks with us says nothing about what we speak with the API.
        head.version = Version::HTTP_11;
        let mut answer = self.client.request(Request::from_parts(head, body));
        let mut timer = std::pin::pin!(tokio::time::sleep(self.response_timeout.min(self.idle_timeout)));
        loop {
            tokio::select! {
                answer = &mut answer => {
                    let answer = answer.map_err(|error| failure::refusal(&error, progress, &self.place))?;
                    head::check(&answer)?;
                    return Ok(answer);
                }
                () = &mut timer => {
                    let (now, limit) = (Instant::now(), self.limit(progress));
                    if limit <= now {
                        return Err(self.too_late(progress));
                    }
                    // The request's end, from which on the response timeout counts, may come any time.
                    timer.as_mut().reset(limit.min(now + self.response_timeout));
                }
            }
        }
    }

    /// The API's scheme and authority, with path and query as they came.
    fn target(&self, uri: Uri) -> Result<Uri, Refusal> {
        let path_and_query =
            uri.into_parts().path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path_and_query)
            .build()
            .map_err(|error| {
                Refusal::RequestNotAllowed(format!("the request's target is not valid: {error}"))
            })
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

//! The way to the API: a head and a body go in, an answer comes out.
//!
//! Behind this seam are the connection pool, TLS and timeouts. Where it dials, which name it checks
//! and what it says in `Host` come from the configuration alone, never from a request.

mod answering;
mod connect;
mod download;
mod failure;
mod head;
mod pool;
mod tls;
mod tunnel;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::Either;
use http::header::{CONNECTION, HOST, TE, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use rustls::ClientConfig;

use self::answering::Patience;
pub(super) use self::answering::{Answering, Outcome};
use self::connect::Connect;
pub(super) use self::download::Download;
pub(super) use self::failure::{Fate, Unanswered};
use self::pool::{Lease, Pool};
pub use self::wire::LocalExecutor;
use super::error::Refusal;
use super::upload::{Progress, Upload};
use crate::config;
use crate::telemetry::metrics::Metrics;

/// How many connections from the pool may turn out to be closed before a request asks for a new one; as many of
/// those may.
const CLOSED: usize = 3;

/// One worker's way to the API.
#[derive(Debug)]
pub(super) struct Upstream {
    pool: Pool,
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    /// The authority for people, and how it is reached.
    place: String,
    patience: Patience,
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
            patience: Patience { response: config.response_timeout, idle: config.idle_timeout },
        }
    }

    /// How long an answer's body may stand still.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.patience.idle
    }

    /// Sends a request that has just begun, if there is a connection that can be used at once.
    ///
    /// # Errors
    /// There is none: the request as it was.
    pub(super) fn ask(
        &self,
        request: Request<Upload>,
        progress: &Arc<Progress>,
    ) -> Result<Answering<impl Future<Output = Outcome> + use<>>, Box<Request<Upload>>> {
        match self.pool.ready(progress.last()) {
            Some(lease) => Ok(self.ask_by(lease, request, progress)),
            None => Err(Box::new(request)),
        }
    }

    /// Sends a request, whatever it has to wait for; returns when the head of the answer is there. The body may
    /// still be on its way then. Dropping the future gives the request up and closes its connection.
    pub(super) async fn send(
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
            match self.ask_by(lease, request, progress).await? {
                Ok(answer) => return Ok(answer),
                // Nothing of it was written: the connection had closed.
                Err(back) if closed < 2 * CLOSED => {
                    request = *back;
                    closed += 1;
                }
                Err(_) => {
                    let reason = "the connection closed before the request".to_owned();
                    return Err(Refusal::UpstreamProtocolError(reason).into());
                }
            }
        }
    }

    fn ask_by(
        &self,
        lease: Lease,
        mut request: Request<Upload>,
        progress: &Arc<Progress>,
    ) -> Answering<impl Future<Output = Outcome> + use<>> {
        let (call, borrowed) = match lease {
            Lease::Single(mut borrowed) => {
                self.make_http1(&mut request, progress);
                (Either::Left(borrowed.single.try_send_request(request)), Some(borrowed))
            }
            Lease::Shared(mut shared) => {
                // The library does not tell of the go-ahead there.
                if progress.is_held_back() {
                    progress.go_ahead();
                }
                self.make_http2(&mut request);
                (Either::Right(shared.try_send_request(request)), None)
            }
        };
        Answering::new(call, borrowed, progress, self.patience)
    }

    /// Makes a request as HTTP/1.1 has it: a path, and whose it is in `Host`.
    fn make_http1(&self, request: &mut Request<Upload>, progress: &Arc<Progress>) {
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
            hyper::ext::on_informational(request, move |answer| {
                if answer.status() == StatusCode::CONTINUE {
                    progress.go_ahead();
                }
            });
        }
    }

    /// Makes a request as HTTP/2 has it: all in its target, and nothing of a connection (RFC 9113, section 8.2.2).
    fn make_http2(&self, request: &mut Request<Upload>) {
        *request.uri_mut() = target(&self.scheme, &self.authority, path_and_query(request.uri()));
        *request.version_mut() = Version::HTTP_2;
        for name in [HOST, CONNECTION, TRANSFER_ENCODING] {
            request.headers_mut().remove(name);
        }
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

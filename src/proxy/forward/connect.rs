//! Dialling the API: name, TCP, a proxy where there is one, and TLS within one time limit.

use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::failure::{Unconnected, unconnected};
use super::tls::{Connector, TlsStream};
use super::tunnel::Tunnel;
use crate::config;
use crate::config::Http2;
use crate::telemetry::metrics::Metrics;

/// Keeps routers on the way from forgetting an idle connection, and finds dead peers.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// The protocols' names in ALPN (RFC 7301, section 6; RFC 9113, section 3.2).
const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens connections to the API.
#[derive(Debug)]
pub(super) struct Connect {
    api: Uri,
    tcp: HttpConnector,
    tunnel: Option<Tunnel>,
    tls: Option<Tls>,
    timeout: Duration,
    metrics: Metrics,
}

/// Whose certificate is checked, and how.
struct Tls {
    connector: Connector,
    name: Result<ServerName<'static>, String>,
}

/// A connection to the API that nothing was said on yet.
pub(super) enum Connected {
    /// Without TLS, to a loopback address.
    Plain(TcpStream),
    /// With it.
    Tls(Box<TlsStream>),
}

/// There was no connection in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {} s", .0.as_secs_f64())]
pub(super) struct ConnectTimeout(Duration);

impl Connect {
    /// To the API at `api`, which has a scheme and a host.
    pub(super) fn new(api: Uri, mut tls: ClientConfig, config: &config::Upstream, metrics: Metrics) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        let tunnel = config.proxy.as_ref().map(Tunnel::new);
        tls.alpn_protocols = match config.http2 {
            Http2::Auto => vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()],
            Http2::Never => vec![ALPN_HTTP1.to_vec()],
        };
        // `http:` is only ever a loopback address: the configuration sees to that.
        let tls = (api.scheme_str() == Some("https")).then(|| {
            let host = api.host().unwrap_or_default();
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string());
            Tls { connector: Connector::new(tls), name }
        });
        Self { api, tcp, tunnel, tls, timeout: config.connect_timeout, metrics }
    }

    /// Opens a connection, or tells why there is none.
    pub(super) async fn connect(&self) -> Result<Connected, Unconnected> {
        let connected = match tokio::time::timeout(self.timeout, self.dial()).await {
            Ok(connected) => connected,
            Err(_) => Err(ConnectTimeout(self.timeout).into()),
        };
        self.metrics.upstream_connect(connected.is_ok());
        connected.map_err(|error| unconnected(&*error))
    }

    async fn dial(&self) -> Result<Connected, BoxError> {
        // Through a tunnel or straight: whose certificate is checked is decided behind it, and is the API's.
        let stream = match &self.tunnel {
            Some(tunnel) => tunnel.open(self.tcp.clone(), &self.api).await?,
            None => self.tcp.clone().oneshot(self.api.clone()).await?,
        };
        let stream = TokioIo::into_inner(stream);
        let Some(Tls { connector, name }) = &self.tls else { return Ok(Connected::Plain(stream)) };
        let stream = connector.connect(stream, name.clone()?).await?;
        Ok(Connected::Tls(Box::new(stream)))
    }
}

impl Connected {
    /// Whether the API has chosen HTTP/2 (ALPN, RFC 7301).
    pub(super) fn is_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.alpn_protocol() == Some(ALPN_HTTP2),
        }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

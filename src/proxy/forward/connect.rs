//! Dialling the API: name, TCP, a proxy where there is one, and TLS within one time limit.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::Service;

use super::tunnel::Tunnel;
use crate::config;
use crate::config::Http2;
use crate::telemetry::metrics::Metrics;

/// Keeps routers on the way from forgetting an idle connection, and finds dead peers.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens connections for the pool.
#[derive(Debug, Clone)]
pub(super) struct Connect {
    https: HttpsConnector<Dial>,
    timeout: Duration,
    metrics: Metrics,
}

/// TCP to the API: straight, or through a tunnel. Whose certificate is checked is decided behind it, and
/// is the API's either way.
#[derive(Debug, Clone)]
struct Dial {
    tcp: HttpConnector,
    tunnel: Option<Arc<Tunnel>>,
}

/// There was no connection in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {} s", .0.as_secs_f64())]
pub(super) struct ConnectTimeout(Duration);

impl Connect {
    pub(super) fn new(tls: ClientConfig, config: &config::Upstream, metrics: Metrics) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        let tunnel = config.proxy.as_ref().map(|proxy| Arc::new(Tunnel::new(proxy)));
        let dial = Dial { tcp, tunnel };
        // `http:` is only ever a loopback address: the configuration sees to that.
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let https = match config.http2 {
            Http2::Auto => builder.enable_http1().enable_http2().wrap_connector(dial),
            Http2::Never => builder.enable_http1().wrap_connector(dial),
        };
        Self { https, timeout: config.connect_timeout, metrics }
    }
}

impl Service<Uri> for Dial {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, api: Uri) -> Self::Future {
        let mut tcp = self.tcp.clone();
        let tunnel = self.tunnel.clone();
        Box::pin(async move {
            match tunnel {
                Some(tunnel) => Ok(tunnel.open(tcp, &api).await?),
                None => Ok(tcp.call(api).await?),
            }
        })
    }
}

impl Service<Uri> for Connect {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.https.call(uri);
        let (timeout, metrics) = (self.timeout, self.metrics.clone());
        Box::pin(async move {
            let connected = match tokio::time::timeout(timeout, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(ConnectTimeout(timeout).into()),
            };
            metrics.upstream_connect(connected.is_ok());
            connected
        })
    }
}

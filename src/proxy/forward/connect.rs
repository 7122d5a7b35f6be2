//! Dialling the API: name, TCP and TLS within one time limit.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::Service;

use crate::config::Http2;
use crate::telemetry::metrics::Metrics;

/// Keeps routers on the way from forgetting an idle connection, and finds dead peers.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens connections for the pool.
#[derive(Debug, Clone)]
pub(super) struct Connect {
    https: HttpsConnector<HttpConnector>,
    timeout: Duration,
    metrics: Metrics,
}

/// There was no connection in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {} s", .0.as_secs_f64())]
pub(super) struct ConnectTimeout(Duration);

impl Connect {
    pub(super) fn new(tls: ClientConfig, http2: Http2, timeout: Duration, metrics: Metrics) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        // `http:` is only ever a loopback address: the configuration sees to that.
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let https = match http2 {
            Http2::Auto => builder.enable_http1().enable_http2().wrap_connector(tcp),
            Http2::Never => builder.enable_http1().wrap_connector(tcp),
        };
        Self { https, timeout, metrics }
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

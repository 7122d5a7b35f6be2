//! The sandbox's sockets: HTTP/1.1 and HTTP/2, plain or over TLS.

use std::convert::Infallible;
use std::future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::faults;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait after accepting failed, which it does while there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts and serves until it is dropped, and all its connections with it.
pub(super) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(accepted(stream, tls.clone(), router.clone()));
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn accepted(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router) {
    // Without this an answer in two pieces waits for the first one's acknowledgement.
    let _ = stream.set_nodelay(true);
    match tls {
        None => connection(stream, router).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await {
                connection(stream, router).await;
            }
        }
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let dropped = Arc::new(Notify::new());
    let service =
        service_fn(|request: Request<Incoming>| answer(router.clone(), Arc::clone(&dropped), request));
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new());
    let serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // What ends a connection (the peer went away, broken bytes) is the peer's affair.
    tokio::select! {
        _ = serving => {}
        () = dropped.notified() => {}
    }
}

async fn answer(
    router: Router,
    dropped: Arc<Notify>,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let response = router.oneshot(request.map(Body::new)).await?;
    if response.extensions().get::<faults::Disconnected>().is_some() {
        dropped.notify_one();
        future::pending::<()>().await;
    }
    Ok(response)
}

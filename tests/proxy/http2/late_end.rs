//! An API over HTTP/2 that sends the whole of an answer and does not say that it was the last of it.
//!
//! Many servers end a stream with an empty frame of its own, a little later than the last byte; this one
//! takes all the time there is.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use crate::support::tls::{Version, acceptor};
use crate::support::upstream::TOKEN;

/// What it answers to everything but authentication.
pub(super) const ANSWER: &str = "all of it";

/// A running one.
pub(super) struct LateEnd {
    port: u16,
    ca_pem: String,
    serving: AbortHandle,
}

/// All bytes, and then nothing: not even the end.
struct WithoutEnd(Option<Bytes>);

type Answered = Response<BoxBody<Bytes, Infallible>>;

impl LateEnd {
    pub(super) async fn start() -> Self {
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(accept(listener, acceptor(&certificate, Version::Two))).abort_handle();
        Self { port, ca_pem: certificate.cert.pem(), serving }
    }

    pub(super) fn base_url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    pub(super) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

impl Drop for LateEnd {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, tls.clone()));
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor) {
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(match request.uri().path() {
            "/api/authentication" => authentication(),
            _ => whole_without_end(),
        })
    });
    // An error is what the end of the proxy looks like.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

fn authentication() -> Answered {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let body = serde_json::json!({
        "metadata": { "timestamp": now.as_millis() as u64 },
        "data": { "token": TOKEN, "exp": (now + Duration::from_secs(3600)).as_millis() as u64 },
    });
    Response::new(Full::from(body.to_string()).boxed())
}

fn whole_without_end() -> Answered {
    let body = WithoutEnd(Some(Bytes::from_static(ANSWER.as_bytes())));
    Response::builder().header("content-length", ANSWER.len()).body(body.boxed()).unwrap()
}

impl Body for WithoutEnd {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(all) => Poll::Ready(Some(Ok(Frame::data(all)))),
            None => Poll::Pending,
        }
    }
}

//! An API for clients: it sends bodies of any size, says what came, and asks for patience.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

pub use crate::support::tls::Version;
use crate::support::tls::acceptor;
use crate::support::upstream::TOKEN;

/// What a 429 asks for, seconds.
const PATIENCE: u64 = 1;

/// The pieces of a long body, bytes.
const PIECE: usize = 10_007;

/// A running one.
pub struct Api {
    version: Version,
    port: u16,
    ca_pem: String,
    seen: Arc<Mutex<Seen>>,
    serving: AbortHandle,
}

#[derive(Default)]
struct Seen {
    calls: Vec<Call>,
    /// When somebody was asked for patience, by path.
    asked: HashMap<String, Instant>,
}

struct Call {
    version: http::Version,
    headers: HeaderMap,
}

type Answered = Response<BoxBody<Bytes, Infallible>>;

/// The byte of every body at this place.
fn byte(at: usize) -> u8 {
    (at % 251) as u8
}

impl Api {
    pub async fn start(version: Version) -> Self {
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let serving = accept(listener, acceptor(&certificate, version), seen.clone());
        let serving = tokio::spawn(serving).abort_handle();
        Self { version, port, ca_pem: certificate.cert.pem(), seen, serving }
    }

    pub fn base_url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Checks that calls came, all in this version, with our token, of this agent.
    pub fn assert_called(&self, agent: &str) {
        let seen = self.seen.lock().unwrap();
        assert!(!seen.calls.is_empty());
        let version =
            if self.version == Version::One { http::Version::HTTP_11 } else { http::Version::HTTP_2 };
        for call in &seen.calls {
            assert_eq!(call.version, version);
            assert_eq!(call.headers["authorization"], format!("Bearer {TOKEN}"));
            let name = call.headers["user-agent"].to_str().unwrap();
            assert!(name.contains(agent), "{name}");
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, seen: Arc<Mutex<Seen>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, tls.clone(), seen.clone()));
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, seen: Arc<Mutex<Seen>>) {
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(|request| answer(request, seen.clone()));
    // An error is what the end of the proxy looks like.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, seen: Arc<Mutex<Seen>>) -> Result<Answered, Infallible> {
    let (head, mut body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if path == "/api/authentication" {
        return Ok(authentication());
    }
    seen.lock().unwrap().calls.push(Call { version: head.version, headers: head.headers });
    let parts: Vec<_> = path.split('/').skip(1).collect();
    Ok(match parts[..] {
        // A body of a known length.
        // Over HTTP/2 the library would send it in answer to HEAD as well.
        ["bytes", length] if head.method == Method::HEAD => {
            let answer = Response::builder().header("content-length", length);
            answer.body(Full::default().boxed()).unwrap()
        }
        ["bytes", length] => {
            let body: Vec<u8> = (0..length.parse().unwrap()).map(byte).collect();
            Response::new(Full::from(body).boxed())
        }
        // A long one, piece by piece and without a length.
        ["stream", length] => Response::new(pieces(length.parse().unwrap())),
        // What came, or where it was wrong.
        ["count"] => {
            let mut count = 0;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return Ok(status(StatusCode::BAD_REQUEST, "broken")) };
                for given in frame.data_ref().into_iter().flatten() {
                    if *given != byte(count) {
                        return Ok(status(StatusCode::BAD_REQUEST, &format!("another byte at {count}")));
                    }
                    count += 1;
                }
            }
            status(StatusCode::OK, &count.to_string())
        }
        // The first time it is too much, and then it matters when the second comes.
        ["patience", _] => {
            let asked = seen.lock().unwrap().asked.insert(path, Instant::now());
            match asked.map(|asked| asked.elapsed()) {
                None => {
                    let mut answer = status(StatusCode::TOO_MANY_REQUESTS, "too many");
                    answer.headers_mut().insert("retry-after", PATIENCE.into());
                    answer
                }
                Some(waited) if waited < Duration::from_secs(PATIENCE) => {
                    status(StatusCode::FORBIDDEN, &format!("too soon: {waited:?}"))
                }
                Some(_) => status(StatusCode::OK, "patient"),
            }
        }
        _ => status(StatusCode::NOT_FOUND, "no such path"),
    })
}

fn status(status: StatusCode, text: &str) -> Answered {
    Response::builder().status(status).body(Full::from(text.to_owned()).boxed()).unwrap()
}

fn pieces(length: usize) -> BoxBody<Bytes, Infallible> {
    let (sender, pieces) = mpsc::channel(4);
    tokio::spawn(async move {
        for begin in (0..length).step_by(PIECE) {
            let piece: Bytes = (begin..length.min(begin + PIECE)).map(byte).collect();
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    });
    Pieces(pieces).boxed()
}

/// A body that is made while it is sent.
struct Pieces(mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

fn authentication() -> Answered {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let body = serde_json::json!({
        "metadata": { "timestamp": now.as_millis() as u64 },
        "data": { "token": TOKEN, "exp": (now + Duration::from_secs(3600)).as_millis() as u64 },
    });
    Response::new(Full::from(body.to_string()).boxed())
}

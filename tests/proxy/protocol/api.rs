//! An API over TLS whose conduct a test decides, in either version of HTTP. What asks for a token it answers
//! itself, in HTTP/1.1.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::line::{Left, Line};
use super::{Fields, Piece, Version, streams};
use crate::support::tls::acceptor;
use crate::support::upstream::{TOKEN, authentication};
use crate::support::within_limit;

/// More calls than any test leaves lying.
const CALLS: usize = 1024;

/// What HTTP/2 lets come of one body before any of it is taken, bytes.
pub const WINDOW: u32 = 128 * 1024;

/// A running one.
pub struct Api {
    version: Version,
    port: u16,
    ca_pem: String,
    calls: mpsc::Receiver<Call>,
    links: mpsc::Receiver<TlsStream<TcpStream>>,
    serving: AbortHandle,
}

/// A request, as far as it has come, and the way to answer it.
pub struct Call {
    pub method: Method,
    /// Path and query.
    pub path: String,
    pub headers: HeaderMap,
    /// The number of its connection, in the order in which they were made.
    pub connection: usize,
    side: Side,
}

enum Side {
    One { line: Line, chunked: bool, calls: mpsc::Sender<Call> },
    Two { body: RecvStream, respond: SendResponse<Bytes>, answer: Option<SendStream<Bytes>> },
}

/// What connections are handed to.
#[derive(Clone)]
struct Hands {
    calls: mpsc::Sender<Call>,
    links: Option<mpsc::Sender<TlsStream<TcpStream>>>,
}

impl Api {
    /// One whose calls come as such.
    pub async fn start(version: Version) -> Self {
        Self::serving(version, false).await
    }

    /// One that hands out what the version chose as bare connections; see [`Self::link`].
    pub async fn bare(version: Version) -> Self {
        Self::serving(version, true).await
    }

    async fn serving(version: Version, bare: bool) -> Self {
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (calls, coming) = mpsc::channel(CALLS);
        let (links, linked) = mpsc::channel(CALLS);
        let hands = Hands { calls, links: bare.then_some(links) };
        let serving = tokio::spawn(accept(listener, acceptor(&certificate, version), hands)).abort_handle();
        Self { version, port, ca_pem: certificate.cert.pem(), calls: coming, links: linked, serving }
    }

    pub fn base_url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The next request that is not for a token.
    pub async fn call(&mut self) -> Call {
        let call = within_limit("a call comes", self.calls.recv()).await.unwrap();
        let version = if matches!(call.side, Side::One { .. }) { Version::One } else { Version::Two };
        assert_eq!(version, self.version, "{} {}", call.method, call.path);
        call
    }

    /// Whether a request has come that nobody has taken.
    pub fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// The next connection that is not for a token, before anything was read of it.
    pub async fn link(&mut self) -> TlsStream<TcpStream> {
        within_limit("a connection comes", self.links.recv()).await.unwrap()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, hands: Hands) {
    for connection in 0.. {
        let Ok((stream, _)) = listener.accept().await else { return };
        stream.set_nodelay(true).unwrap();
        let (tls, hands) = (tls.clone(), hands.clone());
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let is_two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            match hands.links {
                Some(links) if is_two => drop(links.send(stream).await),
                _ if is_two => two(stream, connection, hands.calls).await,
                _ => one(Line::new(stream), connection, hands.calls, hands.links).await,
            }
        });
    }
}

/// Reads the next request of a connection.
async fn one(
    mut line: Line,
    connection: usize,
    calls: mpsc::Sender<Call>,
    _links: Option<mpsc::Sender<TlsStream<TcpStream>>>,
) {
    let Some((first, headers)) = line.head().await else { return };
    let [method, path, "HTTP/1.1"] = first.split(' ').collect::<Vec<_>>()[..] else { panic!("{first}") };
    let (method, path) = (method.parse().unwrap(), path.to_owned());
    if path == "/api/authentication" {
        let answer = authentication(TOKEN, Duration::from_secs(3600));
        // An error means that the test is over.
        let _ = line.try_send(answer.as_bytes()).await;
        let _ = line.half_close().await;
        return;
    }
    line.expect_body(&headers, Left::Nothing);
    let side = Side::One { line, chunked: false, calls: calls.clone() };
    let _ = calls.send(Call { method, path, headers, connection, side }).await;
}

async fn two(stream: TlsStream<TcpStream>, connection: usize, calls: mpsc::Sender<Call>) {
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(8 * WINDOW);
    let Ok(mut requests) = builder.handshake(stream).await else { return };
    // It is this that moves all streams of the connection.
    while let Some(Ok((request, respond))) = requests.accept().await {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().unwrap().to_string();
        let side = Side::Two { body, respond, answer: None };
        let call = Call { method: head.method, path, headers: head.headers, connection, side };
        let _ = calls.send(call).await;
    }
}

impl Call {
    /// The next piece of the request's body.
    pub async fn piece(&mut self) -> Piece {
        match &mut self.side {
            Side::One { line, .. } => line.piece().await,
            Side::Two { body, .. } => streams::piece(body).await,
        }
    }

    /// The rest of the request's body, whole, and its trailers.
    pub async fn rest(&mut self) -> (Vec<u8>, HeaderMap) {
        Piece::all(async || self.piece().await).await
    }

    /// Reads until `length` bytes of the body have come, and no further.
    pub async fn bytes(&mut self, length: usize) -> Vec<u8> {
        Piece::first(length, async || self.piece().await).await
    }

    /// Sends an answer that is none yet.
    pub async fn interim(&mut self, status: u16, fields: Fields<'_>) {
        match &mut self.side {
            Side::One { line, .. } => line.send_head(&format!("HTTP/1.1 {status} Interim"), fields).await,
            Side::Two { respond, .. } => {
                let mut interim = Response::builder().status(status).body(()).unwrap();
                *interim.headers_mut() = streams::headers(fields);
                respond.send_informational(interim).unwrap();
            }
        }
    }

    /// Sends the head of an answer whose body follows.
    pub async fn head(&mut self, status: u16, fields: Fields<'_>) {
        let has_length = fields.iter().any(|(name, _)| *name == "content-length");
        match &mut self.side {
            Side::One { line, chunked, .. } => {
                *chunked = !has_length;
                let framing = [("transfer-encoding", "chunked")];
                let fields = if has_length { fields.to_vec() } else { [fields, &framing[..]].concat() };
                line.send_head(&format!("HTTP/1.1 {status} Status"), &fields).await;
            }
            Side::Two { respond, answer, .. } => {
                *answer = Some(respond.send_response(response(status, fields), false).unwrap());
            }
        }
    }

    /// Sends a head that nothing follows, whatever it says.
    pub async fn only_head(mut self, status: u16, fields: Fields<'_>) {
        match &mut self.side {
            Side::One { line, .. } => line.send_head(&format!("HTTP/1.1 {status} Status"), fields).await,
            Side::Two { respond, .. } => drop(respond.send_response(response(status, fields), true).unwrap()),
        }
        self.keep();
    }

    /// Sends some of the answer's body; all of it, or as much as is taken at once.
    pub async fn try_send(&mut self, data: &[u8]) -> Option<usize> {
        match &mut self.side {
            Side::One { line, chunked: true, .. } => {
                line.try_send_chunk(data).await.ok().map(|()| data.len())
            }
            Side::One { line, chunked: false, .. } => line.try_send(data).await.ok().map(|()| data.len()),
            Side::Two { answer, .. } => streams::send(answer.as_mut().unwrap(), data).await.ok(),
        }
    }

    /// Sends a piece of the answer's body.
    pub async fn send(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let sent = within_limit("the proxy takes a piece", self.try_send(data)).await.unwrap();
            data = &data[sent..];
        }
    }

    /// Ends the answer. The connection serves the next request.
    pub async fn end(mut self, trailers: Fields<'_>) {
        match &mut self.side {
            Side::One { line, chunked: true, .. } => line.send_last_chunk(trailers).await,
            Side::One { .. } => {}
            Side::Two { answer, .. } => streams::end(answer.as_mut().unwrap(), trailers),
        }
        self.keep();
    }

    /// Sends a whole answer with a length. The connection serves the next request.
    pub async fn answer(mut self, status: u16, body: &str) {
        self.head(status, &[("content-length", &body.len().to_string())]).await;
        self.send(body.as_bytes()).await;
        self.end(&[]).await;
    }

    /// Sends a whole answer with a length, and leaves the connection, which waits for its next request, to the
    /// test.
    pub async fn answer_once(mut self, status: u16, body: &str) -> Line {
        self.head(status, &[("content-length", &body.len().to_string())]).await;
        self.send(body.as_bytes()).await;
        self.into_line()
    }

    /// The connection itself, which is one of HTTP/1.1.
    pub fn into_line(self) -> Line {
        let Side::One { line, .. } = self.side else { panic!("it is HTTP/2") };
        line
    }

    /// Ends the answer, and takes nothing more of the request: its stream is reset without an error, or its
    /// connection closed, as carefully as a server can that wants its answer to be read.
    pub async fn end_and_reset(self) {
        match self.side {
            Side::One { mut line, .. } => {
                line.half_close().await;
                // What still comes would otherwise take the answer with it (RFC 9112, section 9.6).
                tokio::spawn(line.until_closed());
            }
            // The library resets a stream that is dropped behind the end of its answer.
            Side::Two { answer, .. } => streams::end(&mut answer.unwrap(), &[]),
        }
    }

    /// Takes nothing more of this request: its stream is reset, or its connection closed.
    pub async fn reset(mut self, reason: Reason) {
        match &mut self.side {
            // Dropped with what it holds.
            Side::One { .. } => {}
            Side::Two { respond, answer: None, .. } => respond.send_reset(reason),
            Side::Two { answer: Some(answer), .. } => answer.send_reset(reason),
        }
    }

    /// Waits until the proxy gives the request up, or takes no more of its answer. What it is told of why,
    /// in HTTP/2.
    pub async fn given_up(self) -> Option<Reason> {
        match self.side {
            Side::One { line, .. } => {
                line.until_closed().await;
                None
            }
            Side::Two { mut respond, answer, .. } => {
                let reset = async {
                    match answer {
                        Some(mut answer) => poll_fn(|cx| answer.poll_reset(cx)).await,
                        None => poll_fn(|cx| respond.poll_reset(cx)).await,
                    }
                };
                Some(within_limit("the stream is reset", reset).await.unwrap())
            }
        }
    }

    fn keep(self) {
        if let Side::One { line, calls, .. } = self.side {
            tokio::spawn(one(line, self.connection, calls, None));
        }
    }
}

fn response(status: u16, fields: Fields<'_>) -> Response<()> {
    let mut response = Response::builder().status(status).body(()).unwrap();
    *response.headers_mut() = streams::headers(fields);
    response
}

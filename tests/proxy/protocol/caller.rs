//! An app that speaks either version of HTTP, and sees what no library shows.

use std::future::poll_fn;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::net::TcpStream;

use super::line::{Left, Line};
use super::{Fields, Piece, Version, streams};
use crate::support::daemon::Daemon;
use crate::support::within_limit;

/// What HTTP/2 lets come of one answer before any of it is taken, bytes.
pub const WINDOW: u32 = 128 * 1024;

/// A connection to the proxy that may have a request under way.
pub struct Caller {
    host: String,
    side: Side,
}

enum Side {
    One(Option<Line>),
    Two(SendRequest<Bytes>),
}

/// A request under way.
pub struct Asked {
    is_head: bool,
    side: AskedSide,
}

enum AskedSide {
    One { line: Line, chunked: bool },
    Two { body: SendStream<Bytes>, answering: Option<ResponseFuture>, answer: Option<RecvStream> },
}

/// The head of an answer, be it an interim one.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    pub headers: HeaderMap,
}

impl Caller {
    pub async fn connect(version: Version, daemon: &Daemon) -> Self {
        let stream = TcpStream::connect(daemon.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let side = match version {
            Version::One => Side::One(Some(Line::new(stream))),
            Version::Two => {
                let mut builder = h2::client::Builder::new();
                builder.initial_window_size(WINDOW).initial_connection_window_size(8 * WINDOW);
                let (sender, connection) = builder.handshake(stream).await.unwrap();
                tokio::spawn(connection);
                Side::Two(sender)
            }
        };
        Self { host: daemon.address().to_string(), side }
    }

    /// Sends a request without a body.
    pub async fn ask(&mut self, method: &str, path: &str, fields: Fields<'_>) -> Asked {
        self.send(method, path, fields, false).await
    }

    /// Sends the head of a request whose body follows.
    pub async fn begin(&mut self, method: &str, path: &str, fields: Fields<'_>) -> Asked {
        self.send(method, path, fields, true).await
    }

    async fn send(&mut self, method: &str, path: &str, fields: Fields<'_>, has_body: bool) -> Asked {
        let has_length = fields.iter().any(|(name, _)| *name == "content-length");
        let chunked = has_body && !has_length;
        let side = match &mut self.side {
            Side::One(line) => {
                let mut line = line.take().expect("another request is under way");
                let mut all = vec![("host", self.host.as_str())];
                all.extend(chunked.then_some(("transfer-encoding", "chunked")));
                let takes_trailers = fields.iter().any(|(name, _)| *name == "te");
                all.extend(takes_trailers.then_some(("connection", "te")));
                all.extend(fields);
                line.send_head(&format!("{method} {path} HTTP/1.1"), &all).await;
                AskedSide::One { line, chunked }
            }
            Side::Two(sender) => {
                let uri = format!("http://{}{path}", self.host);
                let mut request = Request::builder().method(method).uri(uri).body(()).unwrap();
                *request.headers_mut() = streams::headers(fields);
                let mut sender = within_limit("a stream is free", sender.clone().ready()).await.unwrap();
                let (answering, body) = sender.send_request(request, !has_body).unwrap();
                AskedSide::Two { body, answering: Some(answering), answer: None }
            }
        };
        Asked { is_head: method == "HEAD", side }
    }

    /// Takes the connection back for the next request, when the answer has come whole.
    pub fn again(&mut self, asked: Asked) {
        if let (Side::One(place), AskedSide::One { line, .. }) = (&mut self.side, asked.side) {
            *place = Some(line);
        }
    }
}

impl Asked {
    /// Sends some of the body; all of it, or as much as is taken at once. `None` where no more is.
    pub async fn try_send(&mut self, data: &[u8]) -> Option<usize> {
        match &mut self.side {
            AskedSide::One { line, chunked: true } => {
                line.try_send_chunk(data).await.ok().map(|()| data.len())
            }
            AskedSide::One { line, chunked: false } => line.try_send(data).await.ok().map(|()| data.len()),
            AskedSide::Two { body, .. } => streams::send(body, data).await.ok(),
        }
    }

    /// Sends a piece of the body.
    pub async fn send(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let sent = within_limit("the proxy takes a piece", self.try_send(data)).await.unwrap();
            data = &data[sent..];
        }
    }

    /// Ends the body.
    pub async fn end(&mut self, trailers: Fields<'_>) {
        match &mut self.side {
            AskedSide::One { line, chunked: true } => line.send_last_chunk(trailers).await,
            AskedSide::One { .. } => {}
            AskedSide::Two { body, .. } => streams::end(body, trailers),
        }
    }

    /// The next head, be it an interim one. Whoever stops waiting may wait again.
    ///
    /// # Errors
    /// None comes: the stream is reset for this reason, or the connection closed.
    pub async fn try_head(&mut self) -> Result<Head, Option<Reason>> {
        match &mut self.side {
            AskedSide::One { line, .. } => {
                let (first, headers) = line.head().await.ok_or(None)?;
                let status = first.split(' ').nth(1).unwrap().parse().unwrap();
                if self.is_head || matches!(status, 100..200 | 204 | 304) {
                    line.expect_nothing();
                } else {
                    line.expect_body(&headers, Left::UntilClosed);
                }
                Ok(Head { status, headers })
            }
            AskedSide::Two { answering, answer, .. } => {
                let coming = answering.as_mut().expect("the answer's head has come");
                let interim = within_limit("a head comes", poll_fn(|cx| coming.poll_informational(cx))).await;
                if let Some(Ok(interim)) = interim {
                    let (head, ()) = interim.into_parts();
                    return Ok(Head { status: head.status.as_u16(), headers: head.headers });
                }
                let response =
                    within_limit("the head comes", coming).await.map_err(|error| error.reason())?;
                *answering = None;
                let (head, body) = response.into_parts();
                *answer = Some(body);
                Ok(Head { status: head.status.as_u16(), headers: head.headers })
            }
        }
    }

    /// The next head, be it an interim one.
    pub async fn head(&mut self) -> Head {
        self.try_head().await.unwrap_or_else(|reason| panic!("no head comes: {reason:?}"))
    }

    /// The head of the answer itself, and the statuses of what came before it.
    pub async fn last_head(&mut self) -> (Vec<u16>, Head) {
        let mut before = Vec::new();
        loop {
            let head = self.head().await;
            if head.status >= 200 {
                return (before, head);
            }
            before.push(head.status);
        }
    }

    /// The next piece of the answer's body.
    pub async fn piece(&mut self) -> Piece {
        match &mut self.side {
            AskedSide::One { line, .. } => line.piece().await,
            AskedSide::Two { answer, .. } => streams::piece(answer.as_mut().unwrap()).await,
        }
    }

    /// The rest of the answer's body, whole, and its trailers.
    pub async fn rest(&mut self) -> (Vec<u8>, HeaderMap) {
        Piece::all(async || self.piece().await).await
    }

    /// Reads until `length` bytes of the answer's body have come, and no further.
    pub async fn bytes(&mut self, length: usize) -> Vec<u8> {
        Piece::first(length, async || self.piece().await).await
    }

    /// The whole answer: its status, and its body as text.
    pub async fn answer(&mut self) -> (u16, String) {
        let (_, head) = self.last_head().await;
        (head.status, String::from_utf8(self.rest().await.0).unwrap())
    }

    /// Ends what this side sends, where that is more than the end of a body.
    pub async fn half_close(&mut self) {
        match &mut self.side {
            AskedSide::One { line, .. } => line.half_close().await,
            AskedSide::Two { .. } => {}
        }
    }

    /// Gives the request up: its stream is reset, or its connection closed.
    pub fn give_up(self) {
        if let AskedSide::Two { mut body, .. } = self.side {
            body.send_reset(Reason::CANCEL);
        }
    }
}

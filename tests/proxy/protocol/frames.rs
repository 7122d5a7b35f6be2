//! An API's end of a connection of HTTP/2, frame by frame.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::support::within_limit;
use crate::wire::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS, block, frame,
};

const PING: u8 = 6;
const ACK: u8 = 1;

/// A stream that nobody can have opened yet: the first of two words of a server that leaves with care.
pub const ALL: u32 = (1 << 31) - 1;

/// The end of a connection that the proxy has made.
pub struct Frames {
    stream: TlsStream<TcpStream>,
    read: Vec<u8>,
}

/// A frame that is about a stream, or the last of the connection.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn ends(&self) -> bool {
        matches!(self.kind, HEADERS | DATA) && self.flags & END_STREAM != 0
    }
}

impl Frames {
    /// Takes the connection over: its preface comes, and ours goes.
    pub async fn of(stream: TlsStream<TcpStream>) -> Self {
        let mut frames = Self { stream, read: Vec::new() };
        while frames.read.len() < PREFACE.len() {
            assert!(frames.more().await, "no preface came");
        }
        assert_eq!(frames.read.drain(..PREFACE.len()).collect::<Vec<_>>(), PREFACE);
        frames.send(&frame(SETTINGS, 0, 0, &[])).await;
        frames
    }

    /// TLS itself.
    pub fn tls(&mut self) -> &mut TlsStream<TcpStream> {
        &mut self.stream
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        // An error means that the proxy has closed the connection, which it may.
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// The next frame of a stream; `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            while let Some(next) = self.take() {
                match next.kind {
                    SETTINGS if next.flags & ACK == 0 => self.send(&frame(SETTINGS, ACK, 0, &[])).await,
                    PING if next.flags & ACK == 0 => self.send(&frame(PING, ACK, 0, &next.payload)).await,
                    HEADERS | DATA | RST_STREAM => return Some(next),
                    _ => {}
                }
            }
            if !within_limit("a frame comes", self.more()).await {
                return None;
            }
        }
    }

    /// The next request, whole: the number of its stream, and its body. `None` at the end of the connection.
    pub async fn request(&mut self) -> Option<(u32, Vec<u8>)> {
        let mut body = Vec::new();
        loop {
            let next = self.next().await?;
            match next.kind {
                DATA => body.extend_from_slice(&next.payload),
                RST_STREAM => body.clear(),
                _ => {}
            }
            if next.ends() {
                return Some((next.stream, body));
            }
        }
    }

    /// Answers a stream, whole.
    pub async fn answer(&mut self, stream: u32, body: &str) {
        let head = block(&[(":status", "200")]);
        let head = frame(HEADERS, END_HEADERS, stream, &head);
        self.send(&[head, frame(DATA, END_STREAM, stream, body.as_bytes())].concat()).await;
    }

    /// Says that no stream behind `last` was or will be processed, and why.
    pub async fn go_away(&mut self, last: u32, code: u32) {
        self.send(&frame(GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())).await;
    }

    /// Ends the connection, and waits until the proxy has ended it as well.
    pub async fn leave(mut self) {
        self.stream.shutdown().await.unwrap();
        while self.next().await.is_some() {}
    }

    fn take(&mut self) -> Option<Frame> {
        let (head, rest) = self.read.split_first_chunk::<9>()?;
        let [a, b, c, kind, flags, s @ ..] = *head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let payload = rest.get(..length)?.to_vec();
        self.read.drain(..9 + length);
        Some(Frame { kind, flags, stream: u32::from_be_bytes(s), payload })
    }

    async fn more(&mut self) -> bool {
        self.stream.read_buf(&mut self.read).await.is_ok_and(|read| read > 0)
    }
}

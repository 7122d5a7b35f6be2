//! HTTP/1.1 byte by byte, from either side: heads, bodies in any framing, and how they end.

use std::io;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Fields, Piece};
use crate::support::within_limit;

/// A connection, whatever it goes over.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection of HTTP/1.1.
pub struct Line {
    io: Box<dyn Io>,
    read: Vec<u8>,
    left: Left,
}

/// What is left of the message that comes.
#[derive(Debug, Clone, Copy)]
pub enum Left {
    Nothing,
    Length(usize),
    Chunks,
    UntilClosed,
}

impl Line {
    pub fn new(io: impl Io + 'static) -> Self {
        Self { io: Box::new(io), read: Vec::new(), left: Left::Nothing }
    }

    /// Sends bytes. An error is what the other side's end looks like.
    pub async fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sending = async {
            self.io.write_all(bytes).await?;
            self.io.flush().await
        };
        within_limit("bytes are taken", sending).await
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).await.unwrap();
    }

    /// Sends a head: its first line and fields.
    pub async fn send_head(&mut self, first: &str, fields: Fields<'_>) {
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.send(format!("{first}\r\n{fields}\r\n").as_bytes()).await;
    }

    /// Sends a chunk; none that is empty, which would be the last.
    pub async fn try_send_chunk(&mut self, data: &[u8]) -> io::Result<()> {
        let size = format!("{:x}\r\n", data.len());
        self.try_send(&[size.as_bytes(), data, b"\r\n"].concat()).await
    }

    /// Sends the end of a body in chunks.
    pub async fn send_last_chunk(&mut self, trailers: Fields<'_>) {
        self.send_head("0", trailers).await;
    }

    /// Reads a head: its first line and fields. `None` where the connection ends before.
    pub async fn head(&mut self) -> Option<(String, HeaderMap)> {
        let head = String::from_utf8(self.until(b"\r\n\r\n").await?).unwrap();
        let (first, rest) = head.split_once("\r\n").unwrap();
        Some((first.to_owned(), fields(rest)))
    }

    /// What comes behind a head with these headers; without any that tell, `otherwise`.
    pub fn expect_body(&mut self, headers: &HeaderMap, otherwise: Left) {
        self.left = if headers.contains_key("transfer-encoding") {
            Left::Chunks
        } else if let Some(length) = headers.get("content-length") {
            Left::Length(length.to_str().unwrap().parse().unwrap())
        } else {
            otherwise
        };
    }

    /// Nothing comes behind the head, whatever it says.
    pub fn expect_nothing(&mut self) {
        self.left = Left::Nothing;
    }

    /// The next piece of the body.
    pub async fn piece(&mut self) -> Piece {
        self.try_piece().await.unwrap_or(Piece::Broken(None))
    }

    async fn try_piece(&mut self) -> Option<Piece> {
        match self.left {
            Left::Nothing | Left::Length(0) => Some(Piece::End(HeaderMap::new())),
            Left::Length(length) => {
                if self.read.is_empty() {
                    self.more().await?;
                }
                let rest = self.read.split_off(length.min(self.read.len()));
                let data = std::mem::replace(&mut self.read, rest);
                self.left = Left::Length(length - data.len());
                Some(Piece::Data(data.into()))
            }
            Left::Chunks => {
                let size = String::from_utf8(self.until(b"\r\n").await?).unwrap();
                let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
                if size > 0 {
                    let mut chunk = self.bytes(size + 2).await?;
                    chunk.truncate(size);
                    return Some(Piece::Data(chunk.into()));
                }
                let mut trailers = Vec::new();
                while !trailers.ends_with(b"\r\n\r\n") && trailers != b"\r\n" {
                    trailers.extend(self.until(b"\r\n").await?);
                }
                self.left = Left::Nothing;
                Some(Piece::End(fields(&String::from_utf8(trailers).unwrap())))
            }
            Left::UntilClosed => {
                if self.read.is_empty() && self.more().await.is_none() {
                    return Some(Piece::End(HeaderMap::new()));
                }
                Some(Piece::Data(std::mem::take(&mut self.read).into()))
            }
        }
    }

    /// Ends what this side sends.
    pub async fn half_close(&mut self) {
        self.io.shutdown().await.unwrap();
    }

    /// Reads until the other side has closed the connection, however it does.
    pub async fn until_closed(mut self) -> Vec<u8> {
        while self.more().await.is_some() {}
        self.read
    }

    async fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.read.len() < count {
            self.more().await?;
        }
        let rest = self.read.split_off(count);
        Some(std::mem::replace(&mut self.read, rest))
    }

    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                return self.bytes(at + end.len()).await;
            }
            self.more().await?;
        }
    }

    /// Reads more; `None` at the connection's end, be it clean or not.
    async fn more(&mut self) -> Option<()> {
        let read = within_limit("bytes come", self.io.read_buf(&mut self.read)).await;
        read.is_ok_and(|read| read > 0).then_some(())
    }
}

fn fields(lines: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
    }
    headers
}

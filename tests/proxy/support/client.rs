//! A client that is a socket: it sends what no library would, and sees exactly what comes back.

use std::io;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::daemon::Daemon;
use super::within_limit;

/// A connection to the proxy.
pub struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Without chunk sizes.
    pub body: Vec<u8>,
}

impl Client {
    /// Connects to the apps' listener.
    pub async fn connect(daemon: &Daemon) -> Self {
        let stream = TcpStream::connect(daemon.address()).await.unwrap();
        // What is sent in two pieces should leave as two.
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    /// On a connection that was made already.
    pub fn of(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// Connects, and sends a request: its line and headers as they are given, without the last empty line.
    pub async fn request(daemon: &Daemon, head: &str) -> Self {
        let mut client = Self::connect(daemon).await;
        client.head(head).await;
        client
    }

    /// Sends a head: lines as they are given, each ended, and the empty line.
    pub async fn head(&mut self, lines: &str) {
        let head =
            format!("{}\r\n\r\n", lines.trim().split('\n').map(str::trim).collect::<Vec<_>>().join("\r\n"));
        self.send(head.as_bytes()).await;
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) {
        within_limit("the proxy takes bytes", self.stream.write_all(bytes)).await.unwrap();
    }

    /// Sends a chunk of a body.
    pub async fn send_chunk(&mut self, data: &[u8]) {
        let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
        bytes.extend_from_slice(data);
        bytes.extend_from_slice(b"\r\n");
        self.send(&bytes).await;
    }

    /// Reads the head of an answer.
    pub async fn answer_head(&mut self) -> Answer {
        let head = self.until(b"\r\n\r\n").await;
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in lines.map(|line| line.split_once(':').unwrap()) {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value.trim()).unwrap(),
            );
        }
        Answer { status, headers, body: Vec::new() }
    }

    /// Reads an answer: one with a length, in chunks, or without a body.
    pub async fn answer(&mut self) -> Answer {
        let mut answer = self.answer_head().await;
        if let Some(length) = answer.headers.get("content-length") {
            answer.body = self.bytes(length.to_str().unwrap().parse().unwrap()).await;
        } else if answer.headers.contains_key("transfer-encoding") {
            while let Some(chunk) = self.chunk().await {
                answer.body.extend(chunk);
            }
            assert_eq!(self.until(b"\r\n").await, b"\r\n", "no trailers");
        }
        answer
    }

    /// Reads a chunk; the last one is `None`, and then come the trailers.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = String::from_utf8(self.until(b"\r\n").await).unwrap();
        let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
        if size == 0 {
            return None;
        }
        let mut chunk = self.bytes(size + 2).await;
        chunk.truncate(size);
        Some(chunk)
    }

    /// Reads `count` bytes.
    pub async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            self.more("bytes come").await;
        }
        let rest = self.read.split_off(count);
        std::mem::replace(&mut self.read, rest)
    }

    /// Reads up to and with `end`.
    pub async fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                return self.bytes(at + end.len()).await;
            }
            self.more("the answer comes").await;
        }
    }

    /// Reads until the proxy closes the connection, cleanly or not.
    pub async fn until_closed(mut self) -> Vec<u8> {
        let reading = self.stream.read_to_end(&mut self.read);
        match within_limit("the proxy closes the connection", reading).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{error}"),
        }
        self.read
    }

    /// What was read and not asked for yet, and the connection itself.
    pub fn into_parts(self) -> (Vec<u8>, TcpStream) {
        (self.read, self.stream)
    }

    async fn more(&mut self, what: &str) {
        let read = within_limit(what, self.stream.read_buf(&mut self.read)).await.unwrap();
        assert!(
            read > 0,
            "the proxy closed the connection; so far: {:?}",
            String::from_utf8_lossy(&self.read)
        );
    }
}

impl Answer {
    /// Takes over an answer that a library has read.
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    /// All values of a header, in order.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

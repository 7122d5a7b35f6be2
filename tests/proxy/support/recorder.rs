//! An API that writes down what it is sent, as the strictest of servers reads it, and answers each request
//! with the target that it saw. It keeps its connections: bytes too many would be the next request's.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::issued::{TOKEN, authentication};
use super::strict::{self, Read, Request};

/// An API that is a socket and a list.
pub struct Recorder {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

/// What came, byte by byte and as it was read.
#[derive(Debug, Clone)]
pub struct Seen {
    pub bytes: Vec<u8>,
    pub outcome: Outcome,
}

#[derive(Debug, Clone)]
pub enum Outcome {
    /// A request, answered.
    Request(Request),
    /// One that did not come to its end before its connection did.
    BrokenOff,
    /// What no server should get.
    Fault(String),
}

impl Recorder {
    /// Starts it.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let list = seen.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(record(stream, list.clone()));
            }
        });
        Self { address, seen, task }
    }

    /// `127.0.0.1:port`
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:port`
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that came since this was last asked, but for what asked for a token.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn record(mut stream: TcpStream, list: Arc<Mutex<Vec<Seen>>>) {
    let mut bytes = Vec::new();
    loop {
        let outcome = match strict::read(&bytes) {
            Ok(Read::Part) => {
                // An error is an end as well.
                if stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
                    continue;
                }
                if bytes.is_empty() {
                    return;
                }
                Outcome::BrokenOff
            }
            Ok(Read::Whole(request, length)) => {
                let rest = bytes.split_off(length);
                if request.target == b"/api/authentication" && request.values("x-liquid-api-key").count() == 1
                {
                    let answer = authentication(TOKEN, Duration::from_secs(3600));
                    let _ = stream.write_all(answer.as_bytes()).await;
                    return;
                }
                let answer = echo(&request);
                let bytes = std::mem::replace(&mut bytes, rest);
                list.lock().unwrap().push(Seen { bytes, outcome: Outcome::Request(request) });
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
                continue;
            }
            Err(fault) => Outcome::Fault(fault),
        };
        list.lock().unwrap().push(Seen { bytes, outcome });
        return;
    }
}

fn echo(request: &Request) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", request.target.len());
    [head.as_bytes(), &request.target].concat()
}

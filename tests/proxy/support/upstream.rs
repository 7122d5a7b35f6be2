//! An API that a test scripts byte by byte. It hands out tokens itself; everything else is the test's.
//!
//! The sandbox is the faithful API; this one is for what no faithful API does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

pub use super::issued::{TOKEN, authentication};
use super::within_limit;

/// An API that is a socket.
pub struct Upstream {
    address: SocketAddr,
    authentications: Arc<AtomicUsize>,
    calls: mpsc::UnboundedReceiver<Call>,
    held: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

/// A request as its bytes came, up to the empty line, and the connection that it came on.
pub struct Call {
    head: String,
    rest: Vec<u8>,
    stream: TcpStream,
}

impl Upstream {
    /// Starts it.
    pub async fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts it; its tokens live so long.
    pub async fn with_tokens_of(lifetime: Duration) -> Self {
        Self::listening(SocketAddr::from(([127, 0, 0, 1], 0)), lifetime).await
    }

    /// Starts it at an address.
    pub async fn start_at(address: SocketAddr) -> Self {
        Self::listening(address, Duration::from_secs(3600)).await
    }

    /// Starts it; no token is given twice: [`TOKEN`] first, then [`Upstream::token`] of 2, 3 and so on.
    pub async fn with_new_tokens() -> Self {
        Self::handing_out(SocketAddr::from(([127, 0, 0, 1], 0)), Duration::from_secs(3600), Self::token).await
    }

    /// The token that the authentication with this number gives, if no token is given twice.
    pub fn token(number: usize) -> String {
        if number == 1 { TOKEN.to_owned() } else { format!("{TOKEN}-{number}") }
    }

    async fn listening(address: SocketAddr, lifetime: Duration) -> Self {
        Self::handing_out(address, lifetime, |_| TOKEN.to_owned()).await
    }

    async fn handing_out(address: SocketAddr, lifetime: Duration, token: fn(usize) -> String) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let authentications = Arc::new(AtomicUsize::new(0));
        let counter = authentications.clone();
        let (held, holds) = watch::channel(false);
        #[expect(clippy::disallowed_methods, reason = "as bounded as the test that makes the calls")]
        let (sender, calls) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, counter, mut holds) = (sender.clone(), counter.clone(), holds.clone());
                tokio::spawn(async move {
                    let Some(mut call) = Call::read(stream, Vec::new()).await else { return };
                    if call.head.starts_with("GET /api/authentication ") {
                        let token = token(1 + counter.fetch_add(1, Ordering::SeqCst));
                        // An error means that the test is over.
                        let _ = holds.wait_for(|held| !held).await;
                        call.send(authentication(&token, lifetime).as_bytes()).await;
                    } else {
                        let _ = sender.send(call);
                    }
                });
            }
        });
        Self { address, authentications, calls, held, task }
    }

    /// `http://127.0.0.1:port`
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops listening; calls that were taken go on.
    pub async fn stop(mut self) {
        self.task.abort();
        // An error is what the end by abort looks like. The listener is closed when the task is gone.
        let _ = (&mut self.task).await;
    }

    /// Lets whoever asks for a token wait, or no longer.
    pub fn hold_tokens(&self, hold: bool) {
        self.held.send_replace(hold);
    }

    /// How often a token was asked for.
    pub fn authentications(&self) -> usize {
        self.authentications.load(Ordering::SeqCst)
    }

    /// The next request that is not for a token.
    pub async fn call(&mut self) -> Call {
        within_limit("a call comes", self.calls.recv()).await.unwrap()
    }

    /// Whether a request has come that nobody has taken.
    pub fn has_calls(&mut self) -> bool {
        !self.calls.is_empty()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Call {
    async fn read(mut stream: TcpStream, mut bytes: Vec<u8>) -> Option<Self> {
        loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = bytes.split_off(end + 4);
                return Some(Self { head: String::from_utf8_lossy(&bytes).into_owned(), rest, stream });
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// The head as it came, with the empty line.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// The request line.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    /// All values of a header, in order.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// Reads on until the body has `length` bytes; gives and keeps all that came so far.
    pub async fn body(&mut self, length: usize) -> &[u8] {
        let reading = async {
            while self.rest.len() < length {
                assert!(self.stream.read_buf(&mut self.rest).await.unwrap() > 0, "the body broke off");
            }
        };
        within_limit("the body comes", reading).await;
        &self.rest
    }

    /// Reads on until the body ends with `end`; gives and keeps all that came so far.
    pub async fn body_until(&mut self, end: &[u8]) -> &[u8] {
        let reading = async {
            while !self.rest.ends_with(end) {
                assert!(self.stream.read_buf(&mut self.rest).await.unwrap() > 0, "the body broke off");
            }
        };
        within_limit("the body ends", reading).await;
        &self.rest
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Sends an answer with a length, and waits for the next request on the same connection.
    pub async fn answer(mut self, status: &str, headers: &str, body: &str) -> Self {
        let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
        self.send(head.as_bytes()).await;
        self
    }

    /// Waits until the other side has closed the connection, whatever it still sends.
    pub async fn closed(mut self) {
        within_limit("the connection closes", async {
            let mut sink = [0; 4096];
            while self.stream.read(&mut sink).await.is_ok_and(|read| read > 0) {}
        })
        .await;
    }

    /// Sends the last answer of this connection.
    pub async fn last_answer(self, status: &str, headers: &str, body: &str) {
        self.answer(status, &format!("{headers}connection: close\r\n"), body).await;
    }

    /// Reads until the other side closes the connection; gives all that came of the body.
    pub async fn until_closed(mut self) -> Vec<u8> {
        within_limit("the connection closes", async {
            while self.stream.read_buf(&mut self.rest).await.is_ok_and(|read| read > 0) {}
        })
        .await;
        self.rest
    }

    /// The next request on the same connection.
    pub async fn next(self) -> Option<Self> {
        within_limit("the next request comes", Self::read(self.stream, self.rest)).await
    }

    /// The connection itself.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// What has come of the body, and the connection itself.
    pub fn into_parts(self) -> (Vec<u8>, TcpStream) {
        (self.rest, self.stream)
    }
}

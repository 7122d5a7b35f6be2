//! An HTTP proxy that a test scripts: it opens tunnels, or says what no good proxy says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::within_limit;

/// What it does with a `CONNECT`.
#[derive(Debug, Clone, Copy)]
pub enum Conduct {
    /// Opens a tunnel to this address, whatever was asked for: it is the one who knows names.
    Tunnel(SocketAddr),
    /// Says this, and closes the connection.
    Answer(&'static [u8]),
    /// Says this and then nothing any more.
    Hang(&'static [u8]),
}

/// A running one.
pub struct HttpProxy {
    address: SocketAddr,
    conduct: Arc<Mutex<Conduct>>,
    heads: mpsc::UnboundedReceiver<String>,
    task: tokio::task::JoinHandle<()>,
}

impl HttpProxy {
    /// Starts it.
    pub async fn start(conduct: Conduct) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), conduct).await
    }

    /// Starts it at an address.
    pub async fn start_at(address: SocketAddr, conduct: Conduct) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let conduct = Arc::new(Mutex::new(conduct));
        #[expect(clippy::disallowed_methods, reason = "as bounded as the test that makes the calls")]
        let (sender, heads) = mpsc::unbounded_channel();
        let now = conduct.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, now.clone(), sender.clone()));
            }
        });
        Self { address, conduct, heads, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening; tunnels go on.
    pub async fn stop(mut self) {
        self.task.abort();
        // An error is what the end by abort looks like. The listener is closed when the task is gone.
        let _ = (&mut self.task).await;
    }

    /// From the next connection on, it does this.
    pub fn set(&self, conduct: Conduct) {
        *self.conduct.lock().unwrap() = conduct;
    }

    /// The head of the next request, as it came.
    pub async fn head(&mut self) -> String {
        within_limit("the proxy is asked", self.heads.recv()).await.unwrap()
    }

    /// The heads of all requests that nobody has taken.
    pub fn heads(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.heads.try_recv().ok()).collect()
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut client: TcpStream,
    conduct: Arc<Mutex<Conduct>>,
    heads: mpsc::UnboundedSender<String>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // Byte by byte: what comes behind the head is the tunnel's.
        head.push(client.read_u8().await.ok()?);
    }
    heads.send(String::from_utf8(head).ok()?).ok()?;
    let conduct = *conduct.lock().unwrap();
    match conduct {
        Conduct::Tunnel(to) => {
            let mut server = TcpStream::connect(to).await.ok()?;
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
            copy_bidirectional(&mut client, &mut server).await.ok()?;
        }
        Conduct::Answer(bytes) => {
            client.write_all(bytes).await.ok()?;
            client.shutdown().await.ok()?;
            // Read to its end, so that the answer is not lost to a reset.
            while client.read_u8().await.is_ok() {}
        }
        Conduct::Hang(bytes) => {
            client.write_all(bytes).await.ok()?;
            while client.read_u8().await.is_ok() {}
        }
    }
    Some(())
}

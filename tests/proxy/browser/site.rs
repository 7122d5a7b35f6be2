//! A web server with a few pages, that may lead everything else to another server: what a name does that
//! is rebound once its page is loaded.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A running one.
pub(super) struct Site {
    address: SocketAddr,
    content: Arc<Mutex<Content>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Content {
    pages: HashMap<String, String>,
    elsewhere: Option<SocketAddr>,
}

impl Site {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let content = Arc::new(Mutex::new(Content::default()));
        let now = content.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, now.clone()));
            }
        });
        Self { address, content, task }
    }

    /// Serves a page at `path`.
    pub(super) fn serve(&mut self, path: &str, html: &str) {
        self.content.lock().unwrap().pages.insert(path.to_owned(), html.to_owned());
    }

    /// What asks for no page of this site is led to `address`, byte by byte.
    pub(super) fn lead_elsewhere_to(&mut self, address: SocketAddr) {
        self.content.lock().unwrap().elsewhere = Some(address);
    }

    /// The origin of its pages under this name.
    pub(super) fn origin(&self, name: &str) -> String {
        format!("http://{name}:{}", self.address.port())
    }

    /// The URL of a page under this name.
    pub(super) fn url(&self, name: &str, path: &str) -> String {
        format!("{}{path}", self.origin(name))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, content: Arc<Mutex<Content>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let line = String::from_utf8_lossy(&head);
    let path = line.split(' ').nth(1)?;
    let (page, elsewhere) = {
        let content = content.lock().unwrap();
        (content.pages.get(path).cloned(), content.elsewhere)
    };
    match (page, elsewhere) {
        (None, Some(address)) => {
            let mut other = TcpStream::connect(address).await.ok()?;
            other.write_all(&head).await.ok()?;
            copy_bidirectional(&mut stream, &mut other).await.ok()?;
        }
        (page, _) => {
            let (status, body) = page.map_or(("404 Not Found", String::new()), |page| ("200 OK", page));
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }
    Some(())
}

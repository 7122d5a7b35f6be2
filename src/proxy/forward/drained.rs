//! Spares TLS the question whether there is anything to read, where the socket alone can tell that there is not.
//!
//! hyper asks several times a request, mostly in vain: to notice a connection that closes, and because something
//! was written. Each time the way through TLS costs as much as ten looks at the socket.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::read_ahead::ReadAhead;

/// TLS on a socket, asked only when there may be something.
#[derive(Debug)]
pub(super) struct Drained {
    tls: Box<TlsStream<ReadAhead<TcpStream>>>,
    /// Whether it said that it has nothing, and not even an error: from then on only the socket can bring some.
    is_empty: bool,
}

impl Drained {
    pub(super) fn new(tls: Box<TlsStream<ReadAhead<TcpStream>>>) -> Self {
        Self { tls, is_empty: false }
    }
}

impl AsyncRead for Drained {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_empty && this.tls.get_ref().0.get_ref().poll_read_ready(cx).is_pending() {
            return Poll::Pending;
        }
        let read = Pin::new(&mut *this.tls).poll_read(cx, buffer);
        this.is_empty = read.is_pending();
        read
    }
}

impl AsyncWrite for Drained {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.tls).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.tls).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.tls).poll_shutdown(cx)
    }
}

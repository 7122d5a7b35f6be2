//! Spares TLS the question whether there is anything to read, where the socket alone can tell that there is not.
//!
//! hyper asks several times a request, mostly in vain: to notice a connection that closes, and because something
//! was written. Each time the way through TLS costs as much as ten looks at the socket.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::read_ahead::ReadAhead;

/// TLS on a socket, asked only when there may be something.
#[derive(Debug)]
pub(super) struct Drained {
    tls: Box<TlsStream<ReadAhead<TcpStream>>>,
    /// Whether all that came was taken: from then on only the socket can bring anything.
    is_empty: bool,
    /// What went wrong behind bytes that were good.
    failed: Option<io::Error>,
}

impl Drained {
    pub(super) fn new(tls: Box<TlsStream<ReadAhead<TcpStream>>>) -> Self {
        Self { tls, is_empty: false, failed: None }
    }

    /// Takes what there is; pending where there is nothing more.
    fn take(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while buffer.remaining() > 0 {
            if self.is_empty {
                ready!(self.tls.get_ref().0.get_ref().poll_read_ready(cx))?;
                self.is_empty = false;
            }
            let Poll::Ready(bytes) = Pin::new(&mut *self.tls).poll_fill_buf(cx) else {
                self.is_empty = true;
                return Poll::Pending;
            };
            let bytes = bytes?;
            if bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let count = bytes.len().min(buffer.remaining());
            buffer.put_slice(&bytes[..count]);
            Pin::new(&mut *self.tls).consume(count);
            let (ahead, session) = self.tls.get_ref();
            // The session wants bytes of the socket's only when it has none for us.
            self.is_empty = ahead.is_empty() && session.wants_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Drained {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Err(error));
        }
        let before = buffer.filled().len();
        let taken = this.take(cx, buffer);
        if buffer.filled().len() == before {
            return taken;
        }
        if let Poll::Ready(Err(error)) = taken {
            this.failed = Some(error);
        }
        Poll::Ready(Ok(()))
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

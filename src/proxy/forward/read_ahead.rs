//! Reads from the system in large pieces, whatever size whoever reads asks for: TLS asks for little at a time.
//!
//! All connections of a thread read into one buffer. Only what was not asked for yet is kept with its
//! connection, so that an idle one holds no memory for it.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read at once: four full records (RFC 8446, section 5.1).
const PIECE: usize = 64 * 1024;

thread_local! {
    static PIECES: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into_boxed_slice());
}

/// A stream, and what was read of it ahead of time.
#[derive(Debug)]
pub(super) struct ReadAhead<T> {
    io: T,
    ahead: Vec<u8>,
    taken: usize,
}

impl<T> ReadAhead<T> {
    pub(super) fn new(io: T) -> Self {
        Self { io, ahead: Vec::new(), taken: 0 }
    }

    /// Whether all that was read was given.
    pub(super) fn is_empty(&self) -> bool {
        self.ahead.is_empty()
    }

    /// The stream itself.
    pub(super) fn get_ref(&self) -> &T {
        &self.io
    }

    /// Gives what is at hand already.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let rest = &self.ahead[self.taken..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        self.taken += count;
        if self.taken == self.ahead.len() {
            (self.ahead, self.taken) = (Vec::new(), 0);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ReadAhead<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            this.give(buffer);
            return Poll::Ready(Ok(()));
        }
        if buffer.remaining() >= PIECE {
            return Pin::new(&mut this.io).poll_read(cx, buffer);
        }
        PIECES.with_borrow_mut(|piece| {
            let mut read = ReadBuf::new(piece);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut read))?;
            let (now, later) = read.filled().split_at(read.filled().len().min(buffer.remaining()));
            buffer.put_slice(now);
            this.ahead.extend_from_slice(later);
            Poll::Ready(Ok(()))
        })
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ReadAhead<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let io = Pin::new(&mut self.io);
        match slices {
            // A request, most often: the system takes one piece in less time than a list of one.
            [only] => io.poll_write(cx, only),
            _ => io.poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn every_byte_comes_once_and_in_order_whatever_is_asked_for() {
        let sent: Vec<u8> = (0..3 * PIECE + 17).map(|at| (at % 251) as u8).collect();
        for asked in [1, 7, 4096, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE] {
            let (mut far, near) = tokio::io::duplex(PIECE + 100);
            let mut near = ReadAhead::new(near);
            let bytes = sent.clone();
            let sending = tokio::spawn(async move { far.write_all(&bytes).await });
            let (mut came, mut buffer) = (Vec::new(), vec![0; asked]);
            loop {
                match near.read(&mut buffer).await.unwrap() {
                    0 => break,
                    count => came.extend_from_slice(&buffer[..count]),
                }
            }
            sending.await.unwrap().unwrap();
            assert!(came == sent, "asked for {asked} at a time");
            assert_eq!(near.ahead.capacity(), 0);
        }
    }
}

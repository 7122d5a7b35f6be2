//! A connection's bytes on their way to and from hyper. Marks how it gets on, and has the last word where
//! hyper has none, or none of the proxy's: what is no HTTP, and heads that take too long.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::life::Life;
use super::limits::Ticks;
use super::voice::Voice;
use crate::listener::Connection;

/// What is read at once of what nobody wants any more.
const SCRAP: usize = 4096;

/// What is read at once while nobody serves the connection: most heads are smaller.
const AHEAD: usize = 1024;

/// A head and a body of this many bytes together are copied: the system takes one piece in less time than two.
const FEW: usize = 1024;

/// A connection whose writes are marked.
#[derive(Debug)]
pub(super) struct Socket {
    connection: Connection,
    life: Rc<Life>,
}

/// What hyper reads from and writes to: a [`Socket`], or TLS on top of one.
#[derive(Debug)]
pub(super) struct Stream<I> {
    io: I,
    life: Rc<Life>,
    ticks: Ticks,
    voice: Rc<Voice>,
    /// What was read before there was anyone to take it: it comes first.
    ahead: Bytes,
    /// The answer that takes the place of hyper's, or of none: nothing comes after it.
    last_words: Option<Bytes>,
}

impl Socket {
    pub(super) fn new(connection: Connection, life: Rc<Life>) -> Self {
        Self { connection, life }
    }

    /// Looks at the first byte that comes, and leaves it there; `None` where none does.
    pub(super) async fn first_byte(&self) -> io::Result<Option<u8>> {
        self.connection.first_byte().await
    }

    fn mark(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(count)) if *count > 0 => self.life.wrote(true),
            Poll::Ready(_) => {}
            Poll::Pending => self.life.wrote(false),
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Stream<I> {
    pub(super) fn new(io: I, life: Rc<Life>, ticks: Ticks, voice: Rc<Voice>) -> Self {
        Self { io, life, ticks, voice, ahead: Bytes::new(), last_words: None }
    }

    /// Whether something is there already for whoever reads next.
    pub(super) fn has_more(&self) -> bool {
        self.ahead.has_remaining()
    }

    /// Drops the empty lines that may stand before a request.
    pub(super) fn skip_empty_lines(&mut self) {
        self.ahead.advance(empty_lines(&self.ahead));
    }

    /// Takes back what was read and not used: it is read again.
    pub(super) fn give_back(&mut self, bytes: &[u8]) {
        self.ahead = [bytes, &self.ahead].concat().into();
    }

    /// Reads what comes, for whoever reads next; how many bytes, and none at the end.
    pub(super) fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = [MaybeUninit::uninit(); AHEAD];
        let mut bytes = ReadBuf::uninit(&mut bytes);
        ready!(self.poll_io(cx, &mut bytes))?;
        let read = bytes.filled();
        self.ahead = [&self.ahead, read].concat().into();
        Poll::Ready(Ok(read.len()))
    }

    /// Reads what comes, and marks it.
    fn poll_io(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.life.head_is_late() {
            self.say_it_is_late(cx);
            // As if the client had closed: hyper gives the connection up.
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        self.life.read(&buffer.filled()[before..], &self.ticks);
        Poll::Ready(Ok(()))
    }

    /// Says `words` and nothing else, and closes.
    pub(super) async fn close_with(&mut self, words: Bytes) -> io::Result<()> {
        self.last_words = Some(words);
        self.shutdown().await
    }

    /// Says that the head took too long, as far as the socket takes it without waiting: behind all of the
    /// answers before, or not at all.
    fn say_it_is_late(&mut self, cx: &mut Context<'_>) {
        if self.last_words.is_none() && self.life.owes_nothing() {
            self.last_words = Some(self.voice.head_is_late());
        }
        if self.say(cx).is_ready() {
            let _ = Pin::new(&mut self.io).poll_flush(cx);
        }
    }

    /// Writes on the last words.
    fn say(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(words) = self.last_words.as_mut().filter(Buf::has_remaining) {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, words))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            words.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the last words' place in what hyper writes: they go out instead of `first` and what follows.
    fn speaks_instead(&mut self, first: &[u8]) -> bool {
        if self.last_words.is_none()
            && self.life.owes_nothing()
            && let Some((words, reason)) = self.voice.instead_of(first)
        {
            self.life.end_for(reason);
            self.last_words = Some(words);
        }
        self.last_words.is_some()
    }
}

/// The bytes of the empty lines at the beginning (RFC 9112, section 2.2). A CR alone is none: whoever reads the
/// request refuses it.
fn empty_lines(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let [b'\r', b'\n', after @ ..] | [b'\n', after @ ..] = rest {
        rest = after;
    }
    bytes.len() - rest.len()
}

/// All of the pieces in one, where they are few bytes.
fn in_one<'a>(slices: &'a [IoSlice<'_>], few: &'a mut [u8; FEW]) -> Option<&'a [u8]> {
    if let [only] = slices {
        return Some(only);
    }
    let mut length = 0;
    for slice in slices {
        let end = length + slice.len();
        few.get_mut(length..end)?.copy_from_slice(slice);
        length = end;
    }
    Some(&few[..length])
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.connection).poll_write(cx, bytes);
        self.mark(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let connection = Pin::new(&mut self.connection);
        let mut few = [0; FEW];
        let written = match in_one(slices, &mut few) {
            Some(bytes) => connection.poll_write(cx, bytes),
            None => connection.poll_write_vectored(cx, slices),
        };
        self.mark(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}

impl Drop for Socket {
    /// Who takes nothing keeps what is in the system's buffers, and for minutes: it goes with the connection.
    fn drop(&mut self) {
        if self.life.has_stalled() {
            self.connection.discard_unsent();
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.has_more() {
            let count = this.ahead.len().min(buffer.remaining());
            buffer.put_slice(&this.ahead.split_to(count));
            return Poll::Ready(Ok(()));
        }
        this.poll_io(cx, buffer)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.speaks_instead(bytes) {
            ready!(this.say(cx))?;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let first = slices.first().map_or(&[][..], |slice| slice);
        if this.speaks_instead(first) {
            ready!(this.say(cx))?;
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        Pin::new(&mut this.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.io).poll_flush(cx))?;
        this.life.flushed();
        Poll::Ready(Ok(()))
    }

    /// After last words it reads on, for as long as the sweep lets it: a client that is still sending when its
    /// connection closes does not read them.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.life.shuts_down();
        ready!(this.say(cx))?;
        ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
        if this.last_words.is_none() {
            return Poll::Ready(Ok(()));
        }
        this.life.closing();
        loop {
            let mut scrap = [0; SCRAP];
            let mut scrap = ReadBuf::new(&mut scrap);
            let read = ready!(Pin::new(&mut this.io).poll_read(cx, &mut scrap));
            if read.is_err() || scrap.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_are_those_that_end() {
        for (bytes, empty) in [
            (&b""[..], 0),
            (b"GET", 0),
            (b"\r\n", 2),
            (b"\n\r\n\nGET\r\n", 4),
            (b"\r", 0),
            (b"\rGET", 0),
            (b"\r\r\n", 0),
            (b"\r\n\r", 2),
        ] {
            assert_eq!(empty_lines(bytes), empty, "{bytes:?}");
        }
    }

    #[test]
    fn few_bytes_go_out_in_one_piece_and_many_do_not() {
        let one = |pieces: &[&[u8]]| {
            let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            in_one(&slices, &mut [0; FEW]).map(<[u8]>::to_vec)
        };
        assert_eq!(one(&[b"head", b"", b"body"]), Some(b"headbody".to_vec()));
        assert_eq!(one(&[]), Some(Vec::new()));
        let (most, many) = (vec![7; FEW - 4], vec![7; FEW - 3]);
        assert_eq!(one(&[b"head", &most]), Some([&b"head"[..], &most].concat()));
        assert_eq!(one(&[b"head", &many]), None);
        assert_eq!(one(&[&vec![1; 3 * FEW]]), Some(vec![1; 3 * FEW]));
    }
}

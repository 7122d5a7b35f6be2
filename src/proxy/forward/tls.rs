//! TLS on a connection to the API, with fewer copies and calls than a stream around another would make.
//!
//! Records are read in large pieces into one buffer of the thread, opened there, and go from there to whoever reads.
//! Only what could not be used yet stays with its connection, so that an idle one holds no memory for it. The socket
//! alone tells that there is nothing to read: hyper asks several times a request, mostly in vain.
//!
//! The session leaves to us what belongs to input and output: an end without `close_notify` is an error, as what came
//! may have been cut off (RFC 8446, section 6.1); ours is sent before a good connection closes; what a session has to
//! say by itself goes out before what is said after it: an alert at once, new keys with the next write. And it cannot
//! say anything without opening what is there: a write may find the end or the mistake that whoever reads is to hear of.

mod connector;
mod kept;
mod session;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::EncryptError;
use rustls::{ClientConfig, CommonState};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

pub(super) use self::connector::Connector;
use self::kept::Kept;
use self::session::{Room, Session, Traffic, Waits, close_notify, seal};

/// The most bytes that are read or said at once: four full records (RFC 8446, section 5.1).
const PIECE: usize = 64 * 1024;

/// The most bytes that a record says, and that the whole of it is in TLS 1.3 (RFC 8446, section 5.2).
const SAYING: usize = 16 * 1024;
const RECORD: usize = 5 + SAYING + 256;

/// Bytes of records that may wait for the rest of a message before more is read. Those of a handshake are no longer.
const UNFINISHED: usize = 64 * 1024;

thread_local! {
    /// Records as they come.
    static COME: RefCell<Box<[u8]>> = RefCell::new(vec![0; UNFINISHED + PIECE].into_boxed_slice());
    /// Pieces that go into one record.
    static SAID: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// Records as they go.
    static SEALED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A connection that is encrypted, to a server that has proven who it is.
pub(super) struct TlsStream {
    io: TcpStream,
    session: Session,
    health: Health,
    /// Records that came and are not opened yet.
    records: Kept,
    /// Whether there may be a whole one among them.
    has_more: bool,
    /// Whether the socket had less than it was asked for.
    is_drained: bool,
    /// What was opened and nobody has asked for yet.
    opened: Kept,
    /// What is to be sent, and was not taken by the system yet.
    sealed: Kept,
    is_shut: bool,
}

/// What reading comes to.
enum Health {
    Good,
    /// Nothing more comes.
    Closed,
    /// This is for whoever reads next.
    Failed(io::Error),
    /// He was told this.
    Broken(io::ErrorKind),
}

impl TlsStream {
    /// Shakes hands with the server on the other side, which has to prove that it is `name`.
    ///
    /// # Errors
    /// `InvalidData` with what rustls says of the handshake, or what became of the socket.
    async fn connect(
        io: TcpStream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let mut stream = Self {
            io,
            session: Session::new(UnbufferedClientConnection::new(config, name).map_err(invalid)?),
            health: Health::Good,
            records: Kept::default(),
            // None, but the session has something to say before one comes.
            has_more: true,
            is_drained: false,
            opened: Kept::default(),
            sealed: Kept::default(),
            is_shut: false,
        };
        let mut waits = Waits::Records;
        while waits != Waits::Nothing {
            let opened = poll_fn(|cx| stream.poll_open(cx, None)).await;
            // If only the reason why there is nothing more to say.
            let sent = poll_fn(|cx| stream.poll_send(cx)).await;
            waits = opened?;
            sent?;
        }
        Ok(stream)
    }

    /// The protocol that was agreed on (ALPN, RFC 7301).
    pub(super) fn alpn_protocol(&self) -> Option<&[u8]> {
        self.session.common().alpn_protocol()
    }

    /// Opens records that are there, or else those that the socket has, as long as there is room in `buffer`. Without
    /// one, what they hold is kept.
    fn poll_open(
        &mut self,
        cx: &mut Context<'_>,
        buffer: Option<&mut ReadBuf<'_>>,
    ) -> Poll<io::Result<Waits>> {
        let most = buffer.as_ref().map_or(PIECE, |buffer| (buffer.remaining() + RECORD).min(PIECE));
        let mut room = Room { buffer, rest: &mut self.opened };
        let unfinished = self.records.len();
        let waits = if self.has_more {
            let done = self.session.open(&mut self.records, &mut room, &mut self.sealed);
            self.records.take(done.used);
            done.waits
        } else if unfinished > UNFINISHED {
            Err(rustls::InvalidMessage::MessageTooLarge.into())
        } else {
            ready!(COME.with_borrow_mut(|come| {
                let (before, piece) = come.split_at_mut(unfinished);
                let mut piece = ReadBuf::new(&mut piece[..most]);
                ready!(Pin::new(&mut self.io).poll_read(cx, &mut piece))?;
                let count = piece.filled().len();
                if count == 0 {
                    return Poll::Ready(Err(cut_off(self.session.common())));
                }
                self.is_drained = count < most;
                // What is less is copied.
                let done = if count < unfinished {
                    self.records.add(piece.filled());
                    let done = self.session.open(&mut self.records, &mut room, &mut self.sealed);
                    self.records.take(done.used);
                    done
                } else {
                    before.copy_from_slice(&self.records);
                    let records = &mut come[..unfinished + count];
                    let done = self.session.open(records, &mut room, &mut self.sealed);
                    self.records = Kept::from(&records[done.used..]);
                    done
                };
                Poll::Ready(Ok(done.waits))
            }))?
        };
        Poll::Ready(self.settle(waits))
    }

    /// What follows from what became of records.
    fn settle(&mut self, waits: Result<Waits, rustls::Error>) -> io::Result<Waits> {
        self.has_more = matches!(waits, Ok(Waits::Room));
        if self.session.is_closed() {
            self.health = Health::Closed;
        }
        if waits.is_err() || self.session.is_closed() {
            // Nobody looks at them any more, the session neither.
            self.records = Kept::default();
        }
        waits.map_err(invalid)
    }

    /// Sends what is to be sent.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sealed.is_empty() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.sealed))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sealed.take(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Seals what `say` says, about so many bytes, and sends of it what the system takes at once. Opens all that is
    /// there before. Nothing else is to be sent.
    fn say(
        &mut self,
        cx: &mut Context<'_>,
        size: usize,
        say: impl FnMut(&mut Traffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> io::Result<()> {
        match &self.health {
            Health::Good | Health::Closed => {}
            Health::Failed(error) => return Err(error.kind().into()),
            Health::Broken(kind) => return Err((*kind).into()),
        }
        SEALED.with_borrow_mut(|out| {
            let mut room = Room { buffer: None, rest: &mut self.opened };
            let (done, said) = self
                .session
                .say(&mut self.records, &mut room, &mut self.sealed, |traffic| seal(traffic, out, size, say));
            self.records.take(done.used);
            if let Err(error) = self.settle(done.waits) {
                // Whoever reads hears of it, after what was good. What is said now nobody wants to hear.
                self.health = Health::Failed(error);
                let _ = self.poll_send(cx);
                return Ok(());
            }
            let said = said.ok_or(io::ErrorKind::BrokenPipe)?.map_err(io::Error::other)?;
            let said = &out[..said];
            let sent = if self.sealed.is_empty() {
                match Pin::new(&mut self.io).poll_write(cx, said) {
                    Poll::Ready(sent) => sent?,
                    // Whoever flushes waits for it.
                    Poll::Pending => 0,
                }
            } else {
                0
            };
            self.sealed.add(&said[sent..]);
            Ok(())
        })
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if !this.opened.is_empty() {
            let count = this.opened.len().min(buffer.remaining());
            buffer.put_slice(&this.opened[..count]);
            this.opened.take(count);
        }
        while buffer.remaining() > 0 && matches!(this.health, Health::Good) {
            let has_some = buffer.filled().len() > before;
            if !this.has_more && has_some && this.is_drained {
                break;
            }
            if !this.has_more && !has_some {
                // The quickest way to find out that there is nothing.
                ready!(this.io.poll_read_ready(cx))?;
            }
            match this.poll_open(cx, Some(buffer)) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => this.health = Health::Failed(error),
                Poll::Pending if has_some => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        if buffer.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        let kind = match &this.health {
            Health::Good | Health::Closed => return Poll::Ready(Ok(())),
            Health::Failed(error) => error.kind(),
            Health::Broken(kind) => *kind,
        };
        // The server is told why, if it still takes that.
        let _ = this.poll_send(cx);
        match std::mem::replace(&mut this.health, Health::Broken(kind)) {
            Health::Failed(error) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Err(kind.into())),
        }
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        let bytes = &bytes[..bytes.len().min(PIECE)];
        if !bytes.is_empty() {
            this.say(cx, bytes.len(), |traffic, out| traffic.encrypt(bytes, out))?;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        let mut slices = slices.iter().filter(|slice| !slice.is_empty());
        let Some(first) = slices.next() else { return Poll::Ready(Ok(0)) };
        let Some(second) = slices.next().filter(|_| first.len() < SAYING) else {
            return self.poll_write(cx, first);
        };
        SAID.with_borrow_mut(|said| {
            said.clear();
            for slice in [first, second].into_iter().chain(slices) {
                let room = SAYING - said.len();
                said.extend_from_slice(&slice[..slice.len().min(room)]);
            }
            self.poll_write(cx, said)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        if !self.is_shut {
            self.is_shut = true;
            // Of a session that failed there is nothing more to say.
            let _ = self.say(cx, 0, close_notify);
            ready!(self.poll_send(cx))?;
        }
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream").field("io", &self.io).finish_non_exhaustive()
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn cut_off(session: &CommonState) -> io::Error {
    let reason = match session.is_handshaking() {
        true => "the connection ended in the handshake of TLS",
        false => "the connection ended without a close_notify of TLS",
    };
    io::Error::new(io::ErrorKind::UnexpectedEof, reason)
}

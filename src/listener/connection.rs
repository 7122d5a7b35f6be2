//! A connection, whatever kind of socket it came in by.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::config::Address;

/// A stream in both directions.
#[derive(Debug)]
pub enum Connection {
    /// From a port.
    Tcp(TcpStream),
    /// From a Unix socket.
    Unix(UnixStream),
}

/// A connection that no runtime looks after: on its way from one to another.
#[derive(Debug)]
pub enum Detached {
    /// From a port.
    Tcp(std::net::TcpStream),
    /// From a Unix socket.
    Unix(std::os::unix::net::UnixStream),
}

impl Connection {
    /// Connects to a listener.
    pub async fn to(address: &Address) -> io::Result<Self> {
        Ok(match address {
            Address::Tcp(address) => Self::Tcp(TcpStream::connect(address).await?),
            Address::Unix(path) => Self::Unix(UnixStream::connect(path).await?),
        })
    }

    /// Looks at the first byte that comes, and leaves it there; `None` where none does, or none can be looked at.
    pub async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        Ok(match self {
            Self::Tcp(stream) => (stream.peek(&mut byte).await? > 0).then_some(byte[0]),
            Self::Unix(_) => None,
        })
    }

    /// Writes as much as the system takes without waiting.
    pub fn try_write(&self, bytes: &[u8]) {
        // Not the runtime's way, which has to hear first that there is room. An error means that there is none, or
        // nobody at the other end.
        let _ = match self {
            Self::Tcp(stream) => SockRef::from(stream).send(bytes),
            Self::Unix(stream) => SockRef::from(stream).send(bytes),
        };
    }

    /// Lets what the other side has not taken yet, and the memory that it takes, go with the connection.
    pub fn discard_unsent(&self) {
        match self {
            // An error means that the connection is gone already.
            Self::Tcp(stream) => drop(SockRef::from(stream).set_linger(Some(Duration::ZERO))),
            // There it lies in the other side's queue already.
            Self::Unix(_) => {}
        }
    }

    /// Takes it from the runtime.
    pub fn detach(self) -> io::Result<Detached> {
        Ok(match self {
            Self::Tcp(stream) => Detached::Tcp(stream.into_std()?),
            Self::Unix(stream) => Detached::Unix(stream.into_std()?),
        })
    }
}

impl Detached {
    /// Gives it to the runtime that this is called in.
    pub fn attach(self) -> io::Result<Connection> {
        Ok(match self {
            Self::Tcp(stream) => Connection::Tcp(TcpStream::from_std(stream)?),
            Self::Unix(stream) => Connection::Unix(UnixStream::from_std(stream)?),
        })
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

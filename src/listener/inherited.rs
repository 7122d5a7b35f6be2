//! Sockets that a service manager has opened and hands over (sd_listen_fds(3)).
//!
//! They are its own: it bound them, it unlinks their paths, and their modes are those that it gave them.

use std::io;
use std::sync::Arc;

use listenfd::ListenFd;
use socket2::SockRef;
use tracing::info;

use super::{Bound, Door, Listener};
use crate::config::{self, Address, UnixAccess};

/// The first descriptor that is handed over; the three before it are the standard streams.
const FIRST: usize = 3;

/// The sockets that were handed over, each with whose it is.
#[derive(Debug, Default)]
pub struct Inherited {
    /// The apps' listener.
    pub app: Option<InheritedSocket>,
    /// The admin listener.
    pub admin: Option<InheritedSocket>,
}

/// One socket that was handed over: it listens.
#[derive(Debug)]
pub struct InheritedSocket(Bound);

/// A socket was handed over that cannot be used. The configuration of the service manager is wrong, or it
/// does not go with ours.
#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    /// It is no socket, or not one that accepts streams.
    #[error("descriptor {0}, which was handed over, is no listening socket for streams, by TCP or at a path")]
    Unfit(usize),
    /// It listens where other machines reach it.
    #[error(
        "the socket that was handed over for the {name} listener is at {address}, which could be reached from \
         other machines: that needs listen.allow_remote = true, and for the apps listen.client_token_file, \
         listen.tls.client_ca_file or listen.insecure_remote = true"
    )]
    Remote {
        /// `app` or `admin`.
        name: &'static str,
        /// Where it is.
        address: Address,
    },
    /// Users are named, and it does not know any.
    #[error(
        "the socket that was handed over for the {name} listener is at {address}, where nobody knows the users \
         who connect: unix_allowed_uids needs a Unix socket"
    )]
    Users {
        /// `app` or `admin`.
        name: &'static str,
        /// Where it is.
        address: Address,
    },
    /// TLS is for ports.
    #[error(
        "the socket that was handed over for the app listener is at {address}, where nobody speaks TLS: \
         listen.tls needs a port"
    )]
    Tls {
        /// Where it is.
        address: Address,
    },
    /// The system does not tell about it.
    #[error("a socket that was handed over cannot be used: {0}")]
    System(#[from] io::Error),
}

impl Inherited {
    /// Takes what was handed over. To be called once and before the first thread: it changes the environment,
    /// and the descriptors must not be anybody else's by then.
    ///
    /// # Errors
    /// What was handed over is no listening socket.
    pub fn take(which: config::Inherited) -> Result<Self, InheritError> {
        if which == config::Inherited::default() {
            return Ok(Self::default());
        }
        let mut handed = ListenFd::from_env();
        let mut socket = |index| InheritedSocket::take(&mut handed, index);
        Ok(Self {
            app: which.app.map(&mut socket).transpose()?,
            admin: which.admin.map(&mut socket).transpose()?,
        })
    }
}

impl InheritedSocket {
    fn take(handed: &mut ListenFd, index: usize) -> Result<Self, InheritError> {
        let unfit = || InheritError::Unfit(FIRST + index);
        // The library looks at the kind first; what is of another one stays where it is.
        let socket = match handed.take_tcp_listener(index) {
            Ok(socket) => socket.map(Bound::Tcp),
            Err(_) => handed.take_unix_listener(index).map_err(|_| unfit())?.map(Bound::Unix),
        };
        let socket = socket.ok_or_else(unfit)?;
        let (listens, blocks) = match &socket {
            Bound::Tcp(socket) => (listens(&SockRef::from(socket)), socket.set_nonblocking(true)),
            Bound::Unix(socket) => (listens(&SockRef::from(socket)), socket.set_nonblocking(true)),
        };
        blocks?;
        if listens? { Ok(Self(socket)) } else { Err(unfit()) }
    }

    fn address(&self) -> io::Result<Option<Address>> {
        Ok(match &self.0 {
            Bound::Tcp(socket) => Some(socket.local_addr()?.into()),
            Bound::Unix(socket) => socket.local_addr()?.as_pathname().map(|path| Address::Unix(path.into())),
        })
    }
}

#[cfg(target_os = "linux")]
fn listens(socket: &SockRef<'_>) -> io::Result<bool> {
    socket.is_listener()
}

/// Not every system tells; then the first accept(2) does.
#[cfg(not(target_os = "linux"))]
fn listens(_socket: &SockRef<'_>) -> io::Result<bool> {
    Ok(true)
}

impl Listener {
    /// Takes a socket that was handed over, for the listener `name`. `may_be_at` tells whether it may be where it
    /// is; `unix.mode` is not asked for.
    ///
    /// # Errors
    /// More could reach it than the configuration allows.
    pub fn inherited(
        name: &'static str,
        socket: InheritedSocket,
        may_be_at: impl Fn(&Address) -> bool,
        unix: &UnixAccess,
    ) -> Result<Self, InheritError> {
        let address = socket.address()?.ok_or_else(|| io::Error::other("a Unix socket without a path"))?;
        if !may_be_at(&address) {
            return Err(InheritError::Remote { name, address });
        }
        if matches!(address, Address::Tcp(_)) && !unix.allowed_uids.is_empty() {
            return Err(InheritError::Users { name, address });
        }
        info!(listener = name, %address, "a socket was handed over");
        let door: Arc<Door> = Door::new(address, None, &unix.allowed_uids);
        Ok(Self { door, socket: socket.0 })
    }
}

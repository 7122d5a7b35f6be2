//! Sockets that others connect to, on a port or at a path of the file system, and who is at the other
//! end. Bound early, served later: a taken address is known before anything runs.

mod accepting;
mod connection;
mod inherited;
mod place;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use self::accepting::Untold;
use self::place::Place;
use crate::config::{Address, UnixAccess};

pub use self::accepting::Accepting;
pub use self::connection::{Connection, Detached};
pub use self::inherited::{InheritError, Inherited, InheritedSocket};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A bound socket. Connections queue from now on.
#[derive(Debug)]
pub struct Listener {
    // Goes before the socket does: see `Place`.
    door: Arc<Door>,
    socket: Bound,
}

#[derive(Debug)]
enum Bound {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// What all handles on one socket share.
#[derive(Debug)]
struct Door {
    address: Address,
    /// Where it stands in the file system, if it does, and if we put it there.
    place: Option<Place>,
    /// Whose connections are served; empty for everyone's.
    allowed_uids: Vec<u32>,
    turned_away: Untold,
    /// Connections that could not be accepted.
    failed: Untold,
}

/// Takes the socket's path away when it is dropped, if it has one, whoever still accepts.
#[derive(Debug)]
pub struct Leaving(Arc<Door>);

/// The address could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({key}): {}", reason(.error, .address))]
pub struct BindError {
    /// The key of the configuration that names the address.
    pub key: &'static str,
    /// The address.
    pub address: Address,
    /// What the system said.
    #[source]
    pub error: io::Error,
}

impl Listener {
    /// Binds `address`, which stands under `key` in the configuration. `unix` says who may connect to
    /// a Unix socket.
    ///
    /// # Errors
    /// The address is not to be had: a port or a socket of another process, a file that is no socket.
    pub fn bind(key: &'static str, address: &Address, unix: &UnixAccess) -> Result<Self, BindError> {
        let bound = match address {
            Address::Tcp(address) => tcp(*address),
            Address::Unix(path) => place::bind(path, unix.mode).map(|(socket, place)| Self {
                door: Door::new(address.clone(), Some(place), &unix.allowed_uids),
                socket: Bound::Unix(socket),
            }),
        };
        bound.map_err(|error| BindError { key, address: address.clone(), error })
    }

    /// The address in use: with port 0 in the configuration, the port that was found.
    pub fn address(&self) -> &Address {
        &self.door.address
    }

    /// A handle on the same socket for the runtime that this is called in. Several may accept from it.
    pub fn accepting(&self) -> io::Result<Accepting> {
        Accepting::new(&self.socket, self.door.clone())
    }

    /// What takes the socket's path away at the latest.
    pub fn leaving(&self) -> Leaving {
        Leaving(self.door.clone())
    }
}

/// `SO_REUSEPORT` stays off: a second proxy on the same port must fail, not share it in silence.
fn tcp(address: SocketAddr) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket = std::net::TcpListener::from(socket);
    let address = socket.local_addr()?.into();
    Ok(Listener { door: Door::new(address, None, &[]), socket: Bound::Tcp(socket) })
}

impl Door {
    fn new(address: Address, place: Option<Place>, allowed_uids: &[u32]) -> Arc<Self> {
        let allowed_uids = allowed_uids.to_vec();
        let (turned_away, failed) = (Untold::default(), Untold::default());
        Arc::new(Self { address, place, allowed_uids, turned_away, failed })
    }

    /// From now on nobody finds the way in; who is in the queue stays there.
    fn leave(&self) {
        if let Some(place) = &self.place {
            place.leave();
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave();
    }
}

fn reason(error: &io::Error, address: &Address) -> String {
    match address {
        // What this module says itself says all.
        _ if error.get_ref().is_some() => error.to_string(),
        Address::Tcp(address) => match error.kind() {
            io::ErrorKind::AddrInUse => format!("port {} is taken by another process", address.port()),
            io::ErrorKind::PermissionDenied => {
                format!("port {} needs a privilege that this process does not have", address.port())
            }
            io::ErrorKind::AddrNotAvailable => format!("{} is not an address of this machine", address.ip()),
            _ => error.to_string(),
        },
        Address::Unix(path) => {
            let directory = path.parent().unwrap_or(Path::new("/")).display();
            match error.kind() {
                io::ErrorKind::NotFound => format!("the directory {directory} does not exist"),
                io::ErrorKind::PermissionDenied => {
                    format!("this process may not create files in {directory}")
                }
                _ => error.to_string(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(key: &'static str, address: &Address) -> Result<Listener, BindError> {
        Listener::bind(key, address, &UnixAccess { mode: 0o600, allowed_uids: Vec::new() })
    }

    fn tcp(address: &str) -> Address {
        Address::Tcp(address.parse().unwrap())
    }

    #[test]
    fn a_taken_port_is_named() {
        let first = bind("listen.address", &tcp("127.0.0.1:0")).unwrap();
        let error = bind("listen.address", first.address()).unwrap_err();
        let Address::Tcp(address) = first.address() else { panic!("{first:?}") };
        let port = address.port();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on 127.0.0.1:{port} (listen.address): port {port} is taken by another process"
            )
        );
    }

    #[test]
    fn a_foreign_address_is_named() {
        let error = bind("admin.address", &tcp("192.0.2.1:0")).unwrap_err();
        assert!(error.to_string().contains("192.0.2.1 is not an address of this machine"), "{error}");
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let directory = tempfile::tempdir().unwrap().path().join("gone");
        let error = bind("admin.address", &Address::Unix(directory.join("socket"))).unwrap_err();
        let expected = format!("(admin.address): the directory {} does not exist", directory.display());
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
}

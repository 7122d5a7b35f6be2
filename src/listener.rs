//! Sockets that others connect to. Bound early, served later: a taken port is known before anything runs.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A bound socket. Connections queue from now on.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
}

/// The address could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({key}): {}", reason(.error, *.address))]
pub struct BindError {
    /// The key of the configuration that names the address.
    pub key: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub error: io::Error,
}

impl Listener {
    /// Binds `address`, which stands under `key` in the configuration; port 0 takes any free port.
    ///
    /// `SO_REUSEPORT` stays off: a second proxy on the same port must fail, not share it in silence.
    pub fn bind(key: &'static str, address: SocketAddr) -> Result<Self, BindError> {
        let bind = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            let socket = std::net::TcpListener::from(socket);
            let address = socket.local_addr()?;
            Ok(Self { socket, address })
        };
        bind().map_err(|error| BindError { key, address, error })
    }

    /// The address in use: with port 0 in the configuration, the port that was found.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A handle on the same socket for the runtime that this is called in. Several may accept from it.
    pub fn accepting(&self) -> io::Result<tokio::net::TcpListener> {
        tokio::net::TcpListener::from_std(self.socket.try_clone()?)
    }
}

fn reason(error: &io::Error, address: SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("port {} is taken by another process", address.port()),
        io::ErrorKind::PermissionDenied => {
            format!("port {} needs a privilege that this process does not have", address.port())
        }
        io::ErrorKind::AddrNotAvailable => format!("{} is not an address of this machine", address.ip()),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let first = Listener::bind("listen.address", "127.0.0.1:0".parse().unwrap()).unwrap();
        let error = Listener::bind("listen.address", first.address()).unwrap_err();
        let port = first.address().port();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on 127.0.0.1:{port} (listen.address): port {port} is taken by another process"
            )
        );
    }

    #[test]
    fn a_foreign_address_is_named() {
        let error = Listener::bind("admin.address", "192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("192.0.2.1 is not an address of this machine"), "{error}");
    }
}

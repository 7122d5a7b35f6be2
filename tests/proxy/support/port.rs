//! A port that stays one test's own while nobody, or one after the other, listens on it.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// A port that no other socket is given.
pub struct Port {
    address: SocketAddr,
    _reserved: Socket,
}

impl Port {
    /// Takes a free one. A socket that is bound and does not listen lets another listen in its place
    /// when both have `SO_REUSEADDR`, and keeps the system from giving the port to anyone else.
    pub fn reserve() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        Self { address: socket.local_addr().unwrap().as_socket().unwrap(), _reserved: socket }
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

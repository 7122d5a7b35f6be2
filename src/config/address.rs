//! Where a listener is.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `host:port`; port 0 takes any free port.
    Tcp(SocketAddr),
    /// `unix:/path`: a socket in the file system.
    Unix(PathBuf),
}

/// Who may use a listener on a Unix socket: its file's mode, and the users that are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixAccess {
    /// `unix_mode`: the permission bits of the socket's file.
    pub mode: u32,
    /// `unix_allowed_uids`: the users whose connections are served. Empty: the mode alone decides.
    pub allowed_uids: Vec<u32>,
}

impl Address {
    /// The IP address, where there is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip()),
            Self::Unix(_) => None,
        }
    }

    /// Whether other machines may reach it.
    pub fn is_remote(&self) -> bool {
        self.ip().is_some_and(|ip| !ip.to_canonical().is_loopback())
    }

    /// Whether two listeners cannot have these addresses at once. A wildcard address takes the port on
    /// every address.
    pub(super) fn collides_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(a), Self::Tcp(b)) => {
                let overlap = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
                overlap && a.port() == b.port() && a.port() != 0
            }
            (Self::Unix(a), Self::Unix(b)) => a == b,
            (Self::Tcp(_), Self::Unix(_)) | (Self::Unix(_), Self::Tcp(_)) => false,
        }
    }
}

/// As the configuration has it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        match text.strip_prefix("unix:") {
            Some(path) => Address::Unix(path.into()),
            None => Address::Tcp(text.parse().unwrap()),
        }
    }

    #[test]
    fn a_wildcard_takes_the_port_everywhere_and_a_path_is_one_sockets() {
        for (a, b, taken) in [
            ("127.0.0.1:8000", "127.0.0.1:8000", true),
            ("0.0.0.0:8000", "127.0.0.1:8000", true),
            ("127.0.0.1:8000", "[::]:8000", true),
            ("127.0.0.1:8000", "127.0.0.1:8001", false),
            ("127.0.0.1:8000", "127.0.0.2:8000", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("unix:/run/a", "unix:/run/a", true),
            ("unix:/run/a", "unix:/run//./a", true),
            ("unix:/run/a", "unix:/run/b", false),
            ("unix:/run/a", "127.0.0.1:8000", false),
        ] {
            assert_eq!(address(a).collides_with(&address(b)), taken, "{a} {b}");
            assert_eq!(address(b).collides_with(&address(a)), taken, "{b} {a}");
        }
    }

    #[test]
    fn loopback_is_loopback_in_every_notation() {
        for (text, remote) in [
            ("127.9.9.9:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("10.0.0.1:1", true),
            ("unix:/run/a", false),
        ] {
            assert_eq!(address(text).is_remote(), remote, "{text}");
            assert_eq!(address(text).to_string(), text);
        }
    }
}

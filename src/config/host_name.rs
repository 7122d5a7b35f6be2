//! A name under which the proxy is reached.

use std::net::{IpAddr, Ipv6Addr};

/// A host, as `Host` has it (RFC 9110, section 7.2), in one form whatever its notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostName {
    /// A name, in lower case.
    Name(String),
    /// An address; one of IPv4 that is written as IPv6 is the one of IPv4.
    Ip(IpAddr),
}

impl HostName {
    /// Reads `host` or `host:port`; gives the host and the port, which may be empty.
    /// `None` for what is neither: a user, a path, a zone, white space.
    pub fn parse(text: &str) -> Option<(Self, Option<&str>)> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            return Some((Self::Ip(IpAddr::V6(address).to_canonical()), port(rest)?));
        }
        let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        let host = match name.parse::<IpAddr>() {
            Ok(address) => Self::Ip(address),
            Err(_) if is_name => Self::Name(name.to_ascii_lowercase()),
            Err(_) => return None,
        };
        Some((host, port(rest)?))
    }
}

/// What follows a host: nothing, or a colon and a port.
fn port(rest: &str) -> Option<Option<&str>> {
    if rest.is_empty() {
        return Some(None);
    }
    let port = rest.strip_prefix(':')?;
    let fits = port.is_empty() || port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    fits.then_some(Some(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses_with_any_port() {
        let ip = |text: &str| HostName::Ip(text.parse().unwrap());
        for (text, host, port) in [
            ("localhost", HostName::Name("localhost".into()), None),
            ("LocalHost:8000", HostName::Name("localhost".into()), Some("8000")),
            ("my_host.internal:", HostName::Name("my_host.internal".into()), Some("")),
            ("127.0.0.1:1", ip("127.0.0.1"), Some("1")),
            ("[::1]", ip("::1"), None),
            ("[0:0:0:0:0:0:0:1]:65535", ip("::1"), Some("65535")),
            ("[::ffff:127.0.0.1]:80", ip("127.0.0.1"), Some("80")),
        ] {
            assert_eq!(HostName::parse(text), Some((host, port)), "{text}");
        }
        for text in [
            "",
            ":80",
            "user@localhost",
            "localhost:80:80",
            "localhost:x",
            "localhost:65536",
            "localhost:+80",
            "localhost/",
            "local host",
            "localhost ",
            "[::1",
            "[::1]x",
            "[::1%25lo]",
            "::1",
            "[127.0.0.1]",
            "löcalhost",
            "localhost,evil.example",
            "localhost#",
            "localhost\\",
        ] {
            assert_eq!(HostName::parse(text), None, "{text}");
        }
    }
}

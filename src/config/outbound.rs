//! The HTTP proxy that the API is reached through, where the network has no other way out.

use std::fmt;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};

use crate::secret::Secret;

/// A proxy that opens tunnels (`CONNECT`, RFC 9110, section 9.3.6).
///
/// Its `Display` is host and port.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Host and port, without a user.
    pub(super) authority: Authority,
    /// User and password as `Basic` has them: joined by a colon, in base64 (RFC 7617, section 2).
    pub(super) credentials: Option<Secret>,
    /// What set it: for example `HTTPS_PROXY`.
    pub(super) from: String,
}

impl Proxy {
    /// `http://host:port/`, without the credentials.
    pub fn uri(&self) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
        // With a scheme, an authority and a path it is always one.
        Uri::from_parts(parts).unwrap_or_default()
    }

    /// The value of `Proxy-Authorization`, marked sensitive, where there are credentials. For the proxy only.
    pub fn authorization(&self) -> Option<HeaderValue> {
        let mut value =
            HeaderValue::try_from(["Basic ", self.credentials.as_ref()?.expose()].concat()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// What set it: a variable, or a line of a file.
    pub fn source(&self) -> &str {
        &self.from
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.authority.fmt(f)
    }
}

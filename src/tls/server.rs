//! The TLS that apps speak to the proxy, where they do. What it is made from may change while it is in use:
//! connections that are open stay as they are.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;

use crate::config::ServerIdentity;

/// What clients may choose to speak on top of it.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// How connections are accepted. All clones change together.
#[derive(Clone)]
pub struct Server(Arc<RwLock<Arc<ServerConfig>>>);

/// Why certificates cannot be used, although each of them could be read.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The authorities of the clients' certificates.
    #[error("listen.tls.client_ca_file cannot be used: {0}")]
    Clients(#[from] rustls::server::VerifierBuilderError),
    /// Anything else.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

impl Server {
    /// Accepts as `identity`.
    pub fn new(identity: &ServerIdentity) -> Result<Self, ServerError> {
        Ok(Self(Arc::new(RwLock::new(config(identity)?))))
    }

    /// Accepts as `identity` from the next connection on.
    ///
    /// # Errors
    /// It cannot be used: what was in use before stays.
    pub fn replace(&self, identity: &ServerIdentity) -> Result<(), ServerError> {
        let config = config(identity)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// What holds for the next connection.
    pub fn current(&self) -> Arc<ServerConfig> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// TLS 1.2 and 1.3.
fn config(identity: &ServerIdentity) -> Result<Arc<ServerConfig>, ServerError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = match &identity.client_roots {
        Some(roots) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(roots.clone(), provider).build()?,
        ),
        None => builder.with_no_client_auth(),
    };
    let resolver = SingleCertAndKey::from(identity.certified.clone());
    let mut config = builder.with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    if identity.client_roots.is_some() {
        // A session that goes on is one whose client's certificate is not looked at again.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server(TLS)")
    }
}

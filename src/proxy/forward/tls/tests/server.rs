//! The other side: rustls' own server, as tokio-rustls drives it.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream as ServerStream;

use super::super::{Connector, TlsStream};

/// A server's configuration, and one of a client that trusts it.
pub(super) struct Sides {
    pub server: ServerConfig,
    pub client: ClientConfig,
}

impl Sides {
    /// For a version of TLS.
    pub(super) fn of(version: &'static SupportedProtocolVersion) -> Self {
        Self::with(version, aws_lc_rs::default_provider(), 0)
    }

    /// With what the client encrypts by, and so many certificates more than are needed.
    pub(super) fn with(
        version: &'static SupportedProtocolVersion,
        client: CryptoProvider,
        more: usize,
    ) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let chain: Vec<CertificateDer<'static>> = vec![made.cert.der().clone(); 1 + more];
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(client))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { server, client }
    }

    /// A connection between both.
    pub(super) async fn connect(self) -> (TlsStream, ServerStream<TcpStream>) {
        let (near, far) = sockets().await;
        let acceptor = TlsAcceptor::from(Arc::new(self.server));
        let connector = Connector::new(self.client);
        let (near, far) = tokio::join!(connector.connect(near, name()), acceptor.accept(far));
        (near.unwrap(), far.unwrap())
    }
}

/// Both ends of a TCP connection.
pub(super) async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

pub(super) fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

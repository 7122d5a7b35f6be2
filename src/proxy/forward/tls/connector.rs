//! Connections with TLS, which resume the sessions of those before them.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Resumption};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use super::TlsStream;

/// Sessions that are kept: what rustls keeps for one name.
const SESSIONS: usize = 8;

/// Opens connections with TLS.
#[derive(Debug)]
pub(in crate::proxy::forward) struct Connector {
    config: Arc<ClientConfig>,
    sessions: Arc<ClientSessionMemoryCache>,
}

impl Connector {
    /// By `config`, but for the sessions that it keeps.
    pub(in crate::proxy::forward) fn new(mut config: ClientConfig) -> Self {
        let sessions = Arc::new(ClientSessionMemoryCache::new(SESSIONS));
        config.resumption = Resumption::store(sessions.clone());
        Self { config: Arc::new(config), sessions }
    }

    /// Shakes hands with the server on the other side of `io`, which has to prove that it is `name`.
    ///
    /// # Errors
    /// `InvalidData` with what rustls says of the handshake, or what became of the socket.
    pub(in crate::proxy::forward) async fn connect(
        &self,
        io: TcpStream,
        name: ServerName<'static>,
    ) -> io::Result<TlsStream> {
        let connected = TlsStream::connect(io, self.config.clone(), name.clone()).await;
        if connected.is_err() {
            // A server may spoil a session of TLS 1.2 that it takes up again. rustls forgets such a one only where it
            // does the reading, too.
            self.sessions.remove_tls12_session(&name);
        }
        connected
    }
}

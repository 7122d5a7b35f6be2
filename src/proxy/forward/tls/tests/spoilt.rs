//! Sessions of TLS 1.2 that a server takes up again, and spoils.

use std::sync::Arc;

use rustls::HandshakeKind;
use rustls::version::TLS12;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::super::{Connector, TlsStream};
use super::server::{Sides, name, sockets};
use super::*;

const CHANGE_CIPHER_SPEC: u8 = 20;

/// Passes on what a server sends, with one bit of its `Finished` changed.
async fn spoil(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = from.split();
    let (mut back, mut forth) = to.split();
    let there = tokio::io::copy(&mut back, &mut writer);
    let here = async {
        let mut is_finished = false;
        loop {
            let mut header = [0; 5];
            reader.read_exact(&mut header).await?;
            let mut record = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
            reader.read_exact(&mut record).await?;
            if std::mem::replace(&mut is_finished, header[0] == CHANGE_CIPHER_SPEC) {
                *record.last_mut().unwrap() ^= 1;
            }
            forth.write_all(&[&header[..], &record].concat()).await?;
        }
    };
    tokio::select! { there = there => there.map(drop), here = here => here }
}

async fn connect(
    connector: &Connector,
    acceptor: &TlsAcceptor,
    is_spoilt: bool,
) -> io::Result<HandshakeKind> {
    let ((near, here), (there, far)) = (sockets().await, sockets().await);
    let serving = async {
        // The client says goodbye, or hears of nothing.
        if let Ok(mut far) = acceptor.accept(far).await {
            let _ = far.read_u8().await;
        }
    };
    let relay = async {
        if is_spoilt {
            // It ends with the connection.
            let _ = spoil(there, here).await;
        } else {
            relay(there, here, 7, usize::MAX).await;
        }
    };
    let connecting = async {
        let mut near: TlsStream = connector.connect(near, name()).await?;
        let kind = near.session.common().handshake_kind();
        near.shutdown().await?;
        Ok(kind.unwrap())
    };
    let (kind, ..) = tokio::join!(connecting, relay, serving);
    kind
}

#[tokio::test]
async fn a_session_that_a_server_spoils_is_forgotten() {
    in_time(async {
        let Sides { server, client } = Sides::of(&TLS12);
        let (acceptor, connector) = (TlsAcceptor::from(Arc::new(server)), Connector::new(client));
        let full = connect(&connector, &acceptor, false).await.unwrap();
        let resumed = connect(&connector, &acceptor, false).await.unwrap();
        assert_eq!((full, resumed), (HandshakeKind::Full, HandshakeKind::Resumed));
        let spoilt = connect(&connector, &acceptor, true).await.unwrap_err();
        assert_eq!(cause(&spoilt), Some(&Error::DecryptError));
        assert_eq!(connect(&connector, &acceptor, false).await.unwrap(), HandshakeKind::Full);
    })
    .await;
}

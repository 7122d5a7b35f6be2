//! A server with the right keys that sends what it likes.

use rustls::crypto::aws_lc_rs;
use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ConnectionTrafficSecrets, ContentType, InvalidMessage, ProtocolVersion, SupportedProtocolVersion,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::yield_now;

use super::server::Sides;
use super::*;

const CLOSE_NOTIFY: [u8; 2] = [1, 0];

/// A new ticket (RFC 8446, section 4.6.1) of 200 bytes.
fn ticket() -> Vec<u8> {
    let mut ticket = vec![4, 0, 0, 0, 0, 0, 0, 60, 1, 2, 3, 4, 1, 9, 0, 200];
    ticket.extend([7; 200]);
    ticket.extend([0, 0]);
    ticket[3] = (ticket.len() - 4) as u8;
    ticket
}

/// Seals records as the server would.
struct Sealer {
    keys: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl Sealer {
    fn record(&mut self, typ: ContentType, bytes: &[u8]) -> Vec<u8> {
        let payload = OutboundChunks::Single(bytes);
        let message = OutboundPlainMessage { typ, version: ProtocolVersion::TLSv1_2, payload };
        let sealed = self.keys.encrypt(message, self.sequence).unwrap().encode();
        self.sequence += 1;
        sealed
    }

    fn data(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.record(ContentType::ApplicationData, bytes)
    }
}

/// A connection, the server's socket, and what seals for it.
async fn connect(version: &'static SupportedProtocolVersion) -> (TlsStream, TcpStream, Sealer) {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| format!("{suite:?}").contains("CHACHA20"));
    let mut sides = Sides::with(version, provider, 0);
    sides.server.enable_secret_extraction = true;
    sides.server.send_tls13_tickets = 0;
    let (near, mut far) = sides.connect().await;
    far.flush().await.unwrap();
    let (socket, session) = far.into_inner();
    let suite = session.negotiated_cipher_suite().unwrap();
    let (sequence, secrets) = session.dangerous_extract_secrets().unwrap().tx;
    let ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } = secrets else { unreachable!("{suite:?}") };
    let keys = match suite {
        SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
        SupportedCipherSuite::Tls12(suite) => suite.aead_alg.encrypter(key, iv.as_ref(), &[]),
    };
    (near, socket, Sealer { keys, sequence })
}

/// Waits until so many bytes are there to be read.
async fn until_there(near: &TlsStream, count: usize) {
    while near.io.peek(&mut vec![0; count]).await.unwrap() < count {
        yield_now().await;
    }
}

#[tokio::test]
async fn an_end_that_a_write_finds_is_an_end() {
    in_time(async {
        for version in [&TLS12, &TLS13] {
            for leaves in [true, false] {
                let (mut near, mut socket, mut sealer) = connect(version).await;
                let mut sent = sealer.data(&bytes(100));
                sent.extend(sealer.record(ContentType::Alert, &CLOSE_NOTIFY));
                socket.write_all(&sent).await.unwrap();
                until_there(&near, sent.len()).await;
                if leaves {
                    socket.shutdown().await.unwrap();
                }
                let mut came = vec![near.read_u8().await.unwrap()];
                near.write_all(b"in between").await.unwrap();
                came.extend(read_by(&mut near, 33).await.unwrap());
                assert!(came == bytes(100));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_mistake_that_a_write_finds_is_told_to_whoever_reads() {
    in_time(async {
        for version in [&TLS12, &TLS13] {
            let (mut near, mut socket, mut sealer) = connect(version).await;
            let mut sent = sealer.data(&bytes(100));
            sent.extend([0x17, 3, 3, 0, 40]);
            sent.extend([7; 40]);
            socket.write_all(&sent).await.unwrap();
            until_there(&near, sent.len()).await;
            let mut came = vec![near.read_u8().await.unwrap()];
            near.write_all(b"in between").await.unwrap();
            let mut rest = [0; 200];
            let count = near.read(&mut rest).await.unwrap();
            came.extend_from_slice(&rest[..count]);
            assert!(came == bytes(100));
            socket.write_all(b"and so on").await.unwrap();
            let mistake = near.read(&mut rest).await.unwrap_err();
            assert_eq!(cause(&mistake), Some(&Error::DecryptError));
            assert_eq!(near.write(b"more").await.unwrap_err().kind(), io::ErrorKind::InvalidData);
            near.shutdown().await.unwrap();
            let mut told = Vec::new();
            socket.read_to_end(&mut told).await.unwrap();
            // An alert (of TLS 1.3 in disguise), and nothing else.
            assert_eq!(told[0], if version == &TLS12 { 0x15 } else { 0x17 });
            assert_eq!(told.len(), 5 + usize::from(told[4]));
        }
    })
    .await;
}

#[tokio::test]
async fn a_record_that_comes_slowly_takes_no_more_memory_than_it_has() {
    in_time(async {
        let (mut near, mut socket, mut sealer) = connect(&TLS13).await;
        let mut sent = Vec::new();
        for _ in 0..8 {
            sent.extend(sealer.data(&bytes(SAYING)));
        }
        let (start, end) = sent.split_at(sent.len() - 100);
        socket.write_all(start).await.unwrap();
        let mut came = vec![0; 7 * SAYING];
        near.read_exact(&mut came).await.unwrap();
        let reading = async {
            let mut rest = vec![0; SAYING];
            near.read_exact(&mut rest).await.unwrap();
            rest
        };
        let sending = async {
            for byte in end.chunks(1) {
                socket.write_all(byte).await.unwrap();
                yield_now().await;
            }
        };
        let (rest, ()) = tokio::join!(reading, sending);
        assert!([came, rest].concat() == bytes(SAYING).repeat(8));
        assert_eq!(near.records.capacity(), 0);
    })
    .await;
}

/// rustls takes messages of a handshake that are as long as can be; their records may add as much again.
#[tokio::test]
async fn a_message_that_does_not_end_has_a_bound() {
    in_time(async {
        let (mut near, mut socket, mut sealer) = connect(&TLS13).await;
        let mut message = vec![4, 0, 0xff, 0xf0];
        message.resize(4 + 0xfff0, 7);
        let sent: Vec<u8> =
            message.chunks(20).flat_map(|piece| sealer.record(ContentType::Handshake, piece)).collect();
        let sending = async {
            let _ = socket.write_all(&sent).await;
        };
        let (end, ()) = tokio::join!(near.read_u8(), sending);
        assert_eq!(cause(&end.unwrap_err()), Some(&Error::from(InvalidMessage::MessageTooLarge)));
        assert_eq!(near.records.capacity(), 0);
    })
    .await;
}

/// What a server may send, and what of it whoever reads is to see if nothing is wrong with the rest.
fn anything(rng: &mut fastrand::Rng, sealer: &mut Sealer, version: ProtocolVersion) -> (Vec<u8>, Vec<u8>) {
    let (mut sent, mut data) = (Vec::new(), Vec::new());
    for _ in 0..rng.usize(1..60) {
        match rng.u8(0..40) {
            0..=25 => {
                let piece = bytes(rng.choice([0, 1, 50, 700, 16_000, SAYING]).unwrap());
                sent.extend(sealer.data(&piece));
                data.extend(piece);
            }
            26..=28 => sent.extend(sealer.record(ContentType::Handshake, &[])),
            29..=32 => {
                // Whole or not, and split; in TLS 1.2, the wish to shake hands again.
                let message = if version == ProtocolVersion::TLSv1_3 { ticket() } else { vec![0; 4] };
                for piece in message.chunks(rng.usize(1..120)) {
                    if rng.u8(0..60) > 0 {
                        sent.extend(sealer.record(ContentType::Handshake, piece));
                    }
                }
            }
            33 => sent.extend(sealer.record(ContentType::Alert, &[1, rng.u8(1..)])),
            34 => {
                let piece = bytes(rng.usize(0..40));
                let typ = ContentType::from(rng.u8(19..27));
                sent.extend(sealer.record(typ, &piece));
                if typ == ContentType::ApplicationData {
                    data.extend(piece);
                }
            }
            35 => sent.extend(bytes(rng.usize(0..60))),
            _ => {}
        }
    }
    (sent, data)
}

/// Reads to the end, and writes in between.
async fn read_and_write(near: &mut TlsStream, rng: &mut fastrand::Rng, came: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = vec![0; rng.choice([100, 8192, 40_000]).unwrap()];
    loop {
        if rng.u8(0..4) == 0 {
            // Reading tells the reason.
            let _ = near.write_all(b"in between").await;
        }
        let count = near.read(&mut buffer).await?;
        came.extend_from_slice(&buffer[..count]);
        for kept in [&near.records, &near.opened] {
            assert!(kept.capacity() <= 2 * (UNFINISHED + PIECE));
        }
        if count == 0 {
            return Ok(());
        }
    }
}

#[tokio::test]
async fn whatever_a_server_sends_ends_well_or_with_an_error() {
    let (mut well, mut badly) = (0, 0);
    for seed in 0..600 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let version = if seed % 2 == 0 { &TLS13 } else { &TLS12 };
        let (mut near, socket, mut sealer) = connect(version).await;
        let (mut sent, data) = anything(&mut rng, &mut sealer, version.version);
        sent.extend(sealer.record(ContentType::Alert, &CLOSE_NOTIFY));
        let step = rng.choice([60, 900, 5000, 70_000]).unwrap();
        let sending = tokio::spawn(async move {
            let (mut reader, mut writer) = socket.into_split();
            let hearing = tokio::spawn(async move { reader.read_to_end(&mut Vec::new()).await });
            for piece in sent.chunks(step) {
                if writer.write_all(piece).await.is_err() {
                    break;
                }
                yield_now().await;
            }
            drop(writer);
            let _ = hearing.await;
        });
        let mut came = Vec::new();
        let end = in_time(read_and_write(&mut near, &mut rng, &mut came)).await;
        assert!(data.starts_with(&came), "seed {seed}: other bytes than were sent");
        match end {
            Ok(()) => {
                assert!(came == data, "seed {seed}: {} bytes of {}", came.len(), data.len());
                well += 1;
            }
            Err(_) => badly += 1,
        }
        let _ = near.shutdown().await;
        drop(near);
        in_time(sending).await.unwrap();
    }
    assert!(well > 100 && badly > 100, "{well} well, {badly} badly");
}

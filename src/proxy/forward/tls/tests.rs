mod both_ways;
mod hostile;
mod server;
mod spoilt;

use std::time::Duration;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, CipherSuiteCommon, Error, SupportedCipherSuite, Tls13CipherSuite};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use self::server::{Sides, name, sockets};
use super::*;

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at % 251) as u8).collect()
}

/// What hangs fails.
async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), Box::pin(work)).await.expect("it hangs")
}

async fn connect(io: TcpStream, config: ClientConfig, name: ServerName<'static>) -> io::Result<TlsStream> {
    Connector::new(config).connect(io, name).await
}

/// What rustls says of an error.
fn cause(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// Reads to the end, by so many bytes at a time.
async fn read_by(near: &mut TlsStream, most: usize) -> io::Result<Vec<u8>> {
    let (mut came, mut buffer) = (Vec::new(), vec![0; most]);
    loop {
        match near.read(&mut buffer).await? {
            0 => return Ok(came),
            count => came.extend_from_slice(&buffer[..count]),
        }
    }
}

#[tokio::test]
async fn every_byte_comes_once_and_in_order_whatever_is_asked_for() {
    in_time(async {
        let sent = bytes(3 * PIECE + 17);
        for version in [&TLS12, &TLS13] {
            for record in [None, Some(600)] {
                for asked in [1, 7, 4096, SAYING, PIECE - 1, 2 * PIECE] {
                    let mut sides = Sides::of(version);
                    sides.server.max_fragment_size = record;
                    let (mut near, mut far) = sides.connect().await;
                    let sending = async {
                        far.write_all(&sent).await.unwrap();
                        far.shutdown().await.unwrap();
                    };
                    let (came, ()) = tokio::join!(read_by(&mut near, asked), sending);
                    assert!(came.unwrap() == sent, "{version:?}, records of {record:?}, {asked} at a time");
                    assert_eq!((near.opened.capacity(), near.records.capacity()), (0, 0));
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_byte_goes_once_and_in_order_in_whatever_pieces() {
    in_time(async {
        let text = bytes(3 * PIECE + 17);
        for version in [&TLS12, &TLS13] {
            for pieces in
                [&[1][..], &[SAYING], &[3, 0, 5000], &[9, PIECE], &[SAYING - 1, 2, 7], &[2 * PIECE, 1]]
            {
                let (mut near, mut far) = Sides::of(version).connect().await;
                let sending = async {
                    let (mut rest, mut turn) = (&text[..], 0);
                    // A byte a record takes long.
                    while !rest.is_empty() && turn < 3000 {
                        let mut ahead = rest;
                        let slices: Vec<_> = pieces
                            .iter()
                            .map(|size| {
                                let (piece, after) = ahead.split_at((*size).min(ahead.len()));
                                ahead = after;
                                IoSlice::new(piece)
                            })
                            .collect();
                        let count = near.write_vectored(&slices).await.unwrap();
                        rest = &rest[count..];
                        turn += 1;
                    }
                    near.shutdown().await.unwrap();
                    text.len() - rest.len()
                };
                let mut came = Vec::new();
                let (sent, read) = tokio::join!(sending, far.read_to_end(&mut came));
                assert_eq!(read.unwrap(), sent);
                assert!(came == text[..sent], "{version:?}, by {pieces:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_the_system_does_not_take_waits_and_is_not_lost() {
    in_time(async {
        let (mut near, mut far) = Sides::of(&TLS13).connect().await;
        let text = bytes(16 * 1024 * 1024);
        let mut sent = 0;
        // Until nothing more goes in.
        while let Poll::Ready(count) =
            poll_fn(|cx| Poll::Ready(Pin::new(&mut near).poll_write(cx, &text[sent..]))).await
        {
            sent += count.unwrap();
            assert!(sent < text.len(), "the system takes everything");
        }
        assert!(!near.sealed.is_empty() && sent > 0);
        let rest = async {
            near.write_all(&text[sent..]).await.unwrap();
            near.shutdown().await.unwrap();
            assert_eq!(near.sealed.capacity(), 0);
        };
        let mut came = Vec::new();
        let ((), read) = tokio::join!(rest, far.read_to_end(&mut came));
        read.unwrap();
        assert!(came == text);
    })
    .await;
}

#[tokio::test]
async fn an_end_that_tls_does_not_know_of_is_an_error() {
    in_time(async {
        for version in [&TLS12, &TLS13] {
            let (mut near, mut far) = Sides::of(version).connect().await;
            far.write_all(b"half of it").await.unwrap();
            far.flush().await.unwrap();
            far.get_mut().0.shutdown().await.unwrap();
            let mut came = Vec::new();
            let cut_off = near.read_to_end(&mut came).await.unwrap_err();
            assert_eq!((&came[..], cut_off.kind()), (&b"half of it"[..], io::ErrorKind::UnexpectedEof));
            // It does not pass for an end afterwards.
            assert_eq!(near.read(&mut [0; 9]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            assert_eq!(near.write(b"more").await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            near.shutdown().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn each_side_ends_by_itself() {
    in_time(async {
        let (mut near, mut far) = Sides::of(&TLS13).connect().await;
        far.shutdown().await.unwrap();
        assert_eq!(read_by(&mut near, 100).await.unwrap(), b"");
        assert_eq!(near.read(&mut [0; 9]).await.unwrap(), 0);
        near.write_all(b"I go on").await.unwrap();
        near.shutdown().await.unwrap();
        let mut came = Vec::new();
        // The server's library takes an end without `close_notify` for an error.
        far.read_to_end(&mut came).await.unwrap();
        assert_eq!(came, b"I go on");
    })
    .await;
}

#[tokio::test]
async fn keys_change_when_the_server_wants_it() {
    in_time(async {
        let (mut near, mut far) = Sides::of(&TLS13).connect().await;
        for round in 0..3 {
            let sent = vec![round; 40_000];
            // This asks for new keys of the other side, too (RFC 8446, section 4.6.3).
            far.get_mut().1.refresh_traffic_keys().unwrap();
            far.write_all(&sent).await.unwrap();
            far.flush().await.unwrap();
            let mut came = vec![9; sent.len()];
            near.read_exact(&mut came).await.unwrap();
            assert!(came == sent);
            near.write_all(&sent).await.unwrap();
            near.flush().await.unwrap();
            far.read_exact(&mut came).await.unwrap();
            assert!(came == sent);
        }
    })
    .await;
}

/// AES-GCM as if its keys were worn out after a few records.
fn short_lived_keys() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![match aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256 {
        SupportedCipherSuite::Tls13(suite) => {
            let common = CipherSuiteCommon { confidentiality_limit: 6, ..suite.common };
            SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite { common, ..*suite })))
        }
        SupportedCipherSuite::Tls12(_) => unreachable!("a suite of TLS 1.3"),
    }];
    provider
}

#[tokio::test]
async fn keys_change_before_they_are_worn_out() {
    in_time(async {
        let (mut near, mut far) = Sides::with(&TLS13, short_lived_keys(), 0).connect().await;
        let sent = bytes(40 * SAYING);
        let sending = async {
            for piece in sent.chunks(3 * SAYING - 1) {
                near.write_all(piece).await.unwrap();
            }
            near.shutdown().await.unwrap();
        };
        let mut came = Vec::new();
        let ((), read) = tokio::join!(sending, far.read_to_end(&mut came));
        read.unwrap();
        assert!(came == sent);
        // The server answers with new keys of its own.
        far.write_all(b"and back").await.unwrap();
        far.shutdown().await.unwrap();
        assert_eq!(read_by(&mut near, 100).await.unwrap(), b"and back");
    })
    .await;
}

#[tokio::test]
async fn what_comes_before_a_write_is_not_lost() {
    in_time(async {
        let (mut near, mut far) = Sides::of(&TLS13).connect().await;
        let sent = bytes(40_000);
        far.write_all(&sent).await.unwrap();
        far.flush().await.unwrap();
        // One byte is asked for, records are there.
        let mut came = vec![near.read_u8().await.unwrap()];
        near.write_all(b"in between").await.unwrap();
        near.flush().await.unwrap();
        far.read_exact(&mut [0; 10]).await.unwrap();
        far.shutdown().await.unwrap();
        came.extend(read_by(&mut near, 333).await.unwrap());
        assert!(came == sent);
    })
    .await;
}

#[tokio::test]
async fn who_sends_rubbish_is_told() {
    in_time(async {
        let (mut near, far) = Sides::of(&TLS13).connect().await;
        let (mut raw, _) = far.into_inner();
        let mut rubbish = vec![0x17, 3, 3, 0, 40];
        rubbish.extend([7; 40]);
        raw.write_all(&rubbish).await.unwrap();
        let error = near.read(&mut [0; 100]).await.unwrap_err();
        assert_eq!((error.kind(), cause(&error)), (io::ErrorKind::InvalidData, Some(&Error::DecryptError)));
        // One encrypted record, of two bytes and what encryption adds.
        let mut alert = [0; 24];
        raw.read_exact(&mut alert).await.unwrap();
        assert_eq!(alert[..5], [0x17, 3, 3, 0, 19]);
        near.shutdown().await.unwrap();
        assert_eq!(raw.read(&mut [0; 9]).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_and_the_server_told() {
    in_time(async {
        let Sides { server, client } = Sides::of(&TLS13);
        let (near, far) = sockets().await;
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let other = ServerName::try_from("example.org").unwrap();
        let (near, far) = tokio::join!(connect(near, client, other), acceptor.accept(far));
        let refused = near.unwrap_err();
        assert!(matches!(cause(&refused), Some(Error::InvalidCertificate(_))), "{refused:?}");
        let told = far.unwrap_err();
        assert_eq!(cause(&told), Some(&Error::AlertReceived(AlertDescription::BadCertificate)));
    })
    .await;
}

#[tokio::test]
async fn a_server_that_leaves_in_the_handshake_is_an_error() {
    in_time(async {
        let (near, mut far) = sockets().await;
        let client = Sides::of(&TLS13).client;
        let leaving = async {
            far.read_u8().await.unwrap();
            far.shutdown().await.unwrap();
        };
        let (near, ()) = tokio::join!(connect(near, client, name()), leaving);
        assert_eq!(near.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    })
    .await;
}

#[tokio::test]
async fn a_handshake_may_be_of_many_records_and_not_of_any_number() {
    in_time(async {
        for (more, is_good) in [(60, true), (400, false)] {
            let mut sides = Sides::with(&TLS13, aws_lc_rs::default_provider(), more);
            sides.server.max_fragment_size = Some(600);
            let (near, far) = sockets().await;
            let acceptor = TlsAcceptor::from(Arc::new(sides.server));
            let (near, _) = tokio::join!(connect(near, sides.client, name()), acceptor.accept(far));
            assert_eq!(near.is_ok(), is_good, "{more} certificates: {near:?}");
        }
    })
    .await;
}

/// Passes on what `from` sends, in pieces of some sizes, and with one bit changed at `at`.
async fn relay(mut from: TcpStream, mut to: TcpStream, seed: u64, at: usize) {
    let (mut reader, mut writer) = from.split();
    let (mut back, mut forth) = to.split();
    let there = tokio::io::copy(&mut back, &mut writer);
    let here = async {
        let (mut sizes, mut passed, mut piece) = (fastrand::Rng::with_seed(seed), 0, vec![0; 20_000]);
        loop {
            let size = sizes.choice([1, 5, 300, 20_000]).unwrap();
            match reader.read(&mut piece[..size]).await {
                Ok(count @ 1..) => {
                    if (passed..passed + count).contains(&at) {
                        piece[at - passed] ^= 1;
                    }
                    passed += count;
                    if forth.write_all(&piece[..count]).await.is_err() {
                        break;
                    }
                }
                _ => break,
            }
        }
        let _ = forth.shutdown().await;
    };
    tokio::select! { _ = there => {}, () = here => {} }
}

#[tokio::test]
async fn what_was_changed_on_the_way_is_never_passed_on() {
    in_time(async {
        let sent = bytes(50_000);
        let (mut whole, mut broken) = (0, 0);
        for round in 0..200_u16 {
            let Sides { server, client } = Sides::of(if round % 2 == 0 { &TLS12 } else { &TLS13 });
            let ((near, here), (there, far)) = (sockets().await, sockets().await);
            let relay = relay(there, here, round.into(), usize::from(round) * 307);
            let answering = async {
                let Ok(mut far) = TlsAcceptor::from(Arc::new(server)).accept(far).await else { return };
                let _ = far.write_all(&sent).await;
                let _ = far.shutdown().await;
            };
            let reading = async {
                let mut near = connect(near, client, name()).await?;
                let mut came = Vec::new();
                let end = near.read_to_end(&mut came).await;
                assert!(sent.starts_with(&came), "round {round}: other bytes than were sent");
                end.map(|_| assert!(came == sent, "round {round}: an end before the end"))
            };
            let (end, (), ()) = tokio::join!(reading, relay, answering);
            match end {
                Ok(()) => whole += 1,
                Err(_) => broken += 1,
            }
        }
        // The last rounds change nothing: there are no bytes so far behind.
        assert!(whole >= 20 && broken >= 100, "{whole} whole, {broken} broken");
    })
    .await;
}

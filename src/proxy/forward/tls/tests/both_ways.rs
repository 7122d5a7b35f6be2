//! Both directions at once, in tasks that only their own events wake.

use std::io::IoSlice;

use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::task::{JoinHandle, yield_now};

use super::server::Sides;
use super::{bytes, in_time};

const LENGTH: usize = 1_500_000;
const SIZES: [usize; 6] = [1, 300, 8192, 16_385, 65_536, 100_000];

/// Reads and writes in pieces of all sizes, with pauses; gives what came, and when all went.
fn converse<S>(stream: S, seed: u64) -> (JoinHandle<Vec<u8>>, JoinHandle<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut reader, mut writer) = split(stream);
    let reading = tokio::spawn(async move {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut came, mut buffer) = (Vec::new(), vec![0; 100_000]);
        loop {
            let size = rng.choice(SIZES).unwrap();
            match reader.read(&mut buffer[..size]).await.unwrap() {
                0 => return came,
                count => came.extend_from_slice(&buffer[..count]),
            }
            if rng.bool() {
                yield_now().await;
            }
        }
    });
    let writing = tokio::spawn(async move {
        let mut rng = fastrand::Rng::with_seed(seed + 1);
        let text = bytes(LENGTH);
        let mut rest = &text[..];
        while !rest.is_empty() {
            let size = rng.choice(SIZES).unwrap().min(rest.len());
            let (one, two) = rest[..size].split_at(rng.usize(0..=size));
            let count = writer.write_vectored(&[IoSlice::new(one), IoSlice::new(two)]).await.unwrap();
            rest = &rest[count..];
            if rng.bool() {
                writer.flush().await.unwrap();
                yield_now().await;
            }
        }
        writer.shutdown().await.unwrap();
    });
    (reading, writing)
}

#[tokio::test]
async fn nobody_waits_for_what_is_there() {
    in_time(async {
        for seed in 0..12 {
            let (near, far) = Sides::of(if seed % 2 == 0 { &TLS12 } else { &TLS13 }).connect().await;
            let (near, far) = (converse(near, seed * 10), converse(far, seed * 10 + 5));
            for (came, went) in [near, far] {
                assert!(came.await.unwrap() == bytes(LENGTH), "{seed}");
                went.await.unwrap();
            }
        }
    })
    .await;
}

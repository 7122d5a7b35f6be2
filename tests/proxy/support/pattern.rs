//! A body of any length that is made and checked piece by piece, so that no test holds it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No power of two, so that a piece that is lost or doubled cannot go unnoticed.
const PERIOD: usize = 251 * 1021;

/// The most bytes that are read or written at once.
const PIECE: usize = 128 * 1024;

/// Bytes that repeat after [`PERIOD`].
pub struct Pattern(Vec<u8>);

impl Default for Pattern {
    fn default() -> Self {
        let mut random = fastrand::Rng::with_seed(7);
        let mut bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(PERIOD).collect();
        // Twice, so that a piece is in one slice wherever it begins.
        bytes.extend_from_within(..);
        Self(bytes)
    }
}

impl Pattern {
    /// The bytes from `offset`: as many as make a piece, and no more than are left up to `total`.
    pub fn piece(&self, offset: u64, total: u64) -> &[u8] {
        let begin = (offset % PERIOD as u64) as usize;
        let length = (total - offset).min(PIECE as u64) as usize;
        &self.0[begin..begin + length]
    }

    /// Sends the first `total` bytes of it; `sent` hears how many are out.
    pub async fn send(&self, stream: &mut TcpStream, total: u64, mut sent: impl FnMut(u64)) {
        let mut offset = 0;
        while offset < total {
            offset += stream.write(self.piece(offset, total)).await.unwrap() as u64;
            sent(offset);
        }
    }

    /// Reads `total` bytes, those in `begin` included, and checks each.
    pub async fn receive(&self, begin: &[u8], stream: &mut TcpStream, total: u64) {
        assert_eq!(begin, &self.piece(0, total)[..begin.len()]);
        let (mut offset, mut buffer) = (begin.len() as u64, vec![0; PIECE]);
        while offset < total {
            let expected = self.piece(offset, total);
            let read = stream.read(&mut buffer[..expected.len()]).await.unwrap();
            assert!(read > 0, "it ended after {offset} of {total} bytes");
            assert!(buffer[..read] == expected[..read], "other bytes than were sent, from {offset} on");
            offset += read as u64;
        }
    }
}

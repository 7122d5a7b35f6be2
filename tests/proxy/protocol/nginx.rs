//! A real server behind the proxy: nginx, over TLS, in HTTP/1.1 and HTTP/2. Bodies of all sizes, both ways, byte
//! by byte.

mod server;

use std::fs::File;
use std::io::{Read, Write};

use self::server::Nginx;
use super::caller::Caller;
use super::{CROSSINGS, Crossing, Piece, Version};
use crate::support::came_to_its_end;
use crate::support::daemon::{Builder, Daemon};
use crate::support::memory::peak_memory;
use crate::support::pattern::Pattern;

/// Up to a little more than what TLS, HTTP/2 and all buffers take at once.
const LARGEST: u64 = 70 * 1024;

/// No divisor of any buffer's size.
const STEP: usize = 61;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What a body may cost the proxy, whatever its size, bytes. Windows and buffers in both directions are 1 to
/// 2 MiB.
const MOST_GROWTH: u64 = 16 * MIB;

fn sizes() -> impl Iterator<Item = u64> {
    (0..=LARGEST).step_by(STEP)
}

async fn world((input, output): Crossing, directives: &str) -> (Nginx, Daemon, Caller) {
    eprintln!("{input:?} {output:?}");
    let nginx = Nginx::start(output, directives).await;
    let builder = Builder::new(&nginx.base_url()).trust(nginx.ca_pem()).set("requests.max_body", "2GiB");
    let daemon = builder.ready().await;
    let caller = Caller::connect(input, &daemon).await;
    (nginx, daemon, caller)
}

/// The first bytes of the pattern.
fn body(pattern: &Pattern, length: u64) -> &[u8] {
    pattern.piece(0, length)
}

/// The next piece, which is to be `expected` from its beginning on; how long it is.
fn check(piece: Piece, pattern: &Pattern, offset: u64, total: u64) -> u64 {
    let Piece::Data(data) = piece else { panic!("it ends after {offset} of {total} bytes: {piece:?}") };
    let mut at = 0;
    while at < data.len() {
        let expected = pattern.piece(offset + at as u64, total);
        let length = expected.len().min(data.len() - at);
        assert!(length > 0, "more than {total} bytes");
        assert!(data[at..at + length] == expected[..length], "other bytes, from {offset} on");
        at += length;
    }
    at as u64
}

#[tokio::test]
async fn bodies_of_all_sizes_come_down() {
    let pattern = Pattern::default();
    for crossing in CROSSINGS {
        let (nginx, daemon, mut caller) = world(crossing, "").await;
        for size in sizes() {
            std::fs::write(nginx.file(&size.to_string()), body(&pattern, size)).unwrap();
            let mut asked = caller.ask("GET", &format!("/{size}"), &[]).await;
            let (_, head) = asked.last_head().await;
            assert_eq!(head.status, 200, "{size}");
            assert_eq!(head.headers["content-length"], size.to_string());
            assert!(asked.rest().await.0 == body(&pattern, size), "other bytes than were sent, of {size}");
            caller.again(asked);
        }
        came_to_its_end(&daemon).await;
    }
}

#[tokio::test]
async fn bodies_of_all_sizes_go_up() {
    let pattern = Pattern::default();
    for crossing in CROSSINGS {
        let (nginx, daemon, mut caller) = world(crossing, "").await;
        for (number, size) in sizes().enumerate() {
            let (path, length) = (format!("/{size}"), size.to_string());
            // With a length, and in chunks, by turns.
            let fields = [("content-length", length.as_str())];
            let fields = if number % 2 == 0 { &fields[..] } else { &[] };
            let mut asked = caller.begin("PUT", &path, fields).await;
            asked.send(body(&pattern, size)).await;
            asked.end(&[]).await;
            let (status, text) = asked.answer().await;
            assert_eq!(status, 201, "{size}: {text}");
            let file = nginx.file(&length);
            assert!(
                std::fs::read(&file).unwrap() == body(&pattern, size),
                "other bytes than were sent, of {size}"
            );
            std::fs::remove_file(file).unwrap();
            caller.again(asked);
        }
        came_to_its_end(&daemon).await;
    }
}

/// Warms up, then does it once more with a GiB and sees what it cost.
async fn costs_little(daemon: &Daemon, mut transfer: impl AsyncFnMut(u64)) {
    transfer(MIB).await;
    transfer(32 * MIB).await;
    let before = peak_memory(daemon.pid());
    transfer(GIB).await;
    let growth = peak_memory(daemon.pid()).saturating_sub(before);
    assert!(growth <= MOST_GROWTH, "the proxy grew by {growth} bytes");
}

#[tokio::test]
async fn a_gibibyte_comes_down_at_the_cost_of_a_few_pieces() {
    let pattern = Pattern::default();
    for crossing in [(Version::One, Version::One), (Version::Two, Version::Two)] {
        let (nginx, daemon, mut caller) = world(crossing, "").await;
        costs_little(&daemon, async |total| {
            let mut file = File::create(nginx.file("file")).unwrap();
            let mut offset = 0;
            while offset < total {
                let piece = pattern.piece(offset, total);
                file.write_all(piece).unwrap();
                offset += piece.len() as u64;
            }
            let mut asked = caller.ask("GET", "/file", &[]).await;
            let (_, head) = asked.last_head().await;
            assert_eq!((head.status, &head.headers["content-length"]), (200, &total.into()));
            let mut offset = 0;
            while offset < total {
                offset += check(asked.piece().await, &pattern, offset, total);
            }
            assert!(asked.rest().await.0.is_empty());
            caller.again(asked);
        })
        .await;
        came_to_its_end(&daemon).await;
    }
}

#[tokio::test]
async fn a_gibibyte_goes_up_at_the_cost_of_a_few_pieces() {
    let pattern = Pattern::default();
    for crossing in [(Version::One, Version::One), (Version::Two, Version::Two)] {
        let (nginx, daemon, mut caller) = world(crossing, "").await;
        costs_little(&daemon, async |total| {
            let mut asked = caller.begin("PUT", "/file", &[("content-length", &total.to_string())]).await;
            let mut offset = 0;
            while offset < total {
                let piece = pattern.piece(offset, total);
                asked.send(piece).await;
                offset += piece.len() as u64;
            }
            asked.end(&[]).await;
            assert!(matches!(asked.answer().await.0, 201 | 204));
            caller.again(asked);
            let mut file = File::open(nginx.file("file")).unwrap();
            let (mut offset, mut piece) = (0, vec![0; 64 << 10]);
            loop {
                let read = file.read(&mut piece).unwrap();
                if read == 0 {
                    break;
                }
                let data = Piece::Data(bytes::Bytes::copy_from_slice(&piece[..read]));
                offset += check(data, &pattern, offset, total);
            }
            assert_eq!(offset, total);
        })
        .await;
        came_to_its_end(&daemon).await;
    }
}

/// It says so in its last answer, or by GOAWAY.
#[tokio::test]
async fn a_server_that_ends_its_connections_often_costs_no_request() {
    for crossing in CROSSINGS {
        let (nginx, daemon, mut caller) = world(crossing, "keepalive_requests 3;").await;
        std::fs::write(nginx.file("file"), "small").unwrap();
        for number in 0..100 {
            let mut asked = caller.ask("GET", "/file", &[]).await;
            assert_eq!(asked.answer().await, (200, "small".to_owned()), "request {number}");
            caller.again(asked);
            let path = format!("/put-{number}");
            let mut asked = caller.begin("PUT", &path, &[("content-length", "4")]).await;
            asked.send(b"body").await;
            asked.end(&[]).await;
            assert_eq!(asked.answer().await.0, 201, "request {number}");
            caller.again(asked);
        }
        came_to_its_end(&daemon).await;
    }
}

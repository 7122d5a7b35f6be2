//! Everything at once that a client can hold on to: the memory that it costs has a bound, and comes to an end.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::readers::{http2, without_end};
use super::{closed, get, open};
use crate::support::client::Client;
use crate::support::daemon::{Builder, Daemon};
use crate::support::eventually;
use crate::support::memory::{memory, peak_memory};
use crate::support::upstream::Upstream;

const CONNECTIONS: u32 = 400;
const IN_FLIGHT: u32 = 60;
const KIB: u64 = 1024;

/// What hyper's parser keeps of a head: `requests.max_head` and a quarter, and 8 KiB; its buffer doubles, so
/// it may hold twice as much.
const HEAD: u64 = 2 * (64 + 16 + 8) * KIB;

/// What an answer keeps: what is about to be written, as much as of a head, and 64 KiB that are read of the
/// API's answer at once, twice while they move on; and the connection that it comes by.
const ANSWER: u64 = (64 + 16 + 8) * KIB + 2 * 64 * KIB + CONNECTION;

/// The rest of a connection: its task, and of HTTP/2 the tables and the windows.
const CONNECTION: u64 = 64 * KIB;

/// What does not grow with connections, and what the allocator keeps for itself.
const FIXED: u64 = 16 * 1024 * KIB;

#[tokio::test]
async fn memory_has_a_bound_under_all_of_them_at_once() {
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url())
        .set("listen.max_connections", &CONNECTIONS.to_string())
        .set("listen.head_timeout", "20s")
        .set("listen.idle_timeout", "20s")
        .set("listen.send_timeout", "20s")
        .set("requests.max_in_flight", &IN_FLIGHT.to_string())
        .set("log.access", "off")
        .ready()
        .await;
    let before = memory(daemon.pid());
    let mut held: Vec<Box<dyn std::any::Any>> = Vec::new();

    for number in 0..IN_FLIGHT / 2 {
        let client = get(&daemon).await;
        held.push(Box::new((client, without_end(upstream.call().await))));
        let (mut sender, request) = http2(&daemon, 1_000 + number).await;
        let asking = tokio::spawn(async move { (sender.send_request(request).await, sender) });
        held.push(Box::new((asking, without_end(upstream.call().await))));
    }
    for _ in 0..100 {
        held.push(Box::new(slow_head(&daemon).await));
        held.push(Box::new(Client::connect(&daemon).await));
    }
    // Half a header list in HTTP/2, of frames that go on.
    for _ in 0..50 {
        held.push(Box::new(half_a_list(&daemon).await));
    }
    for _ in 0..100 {
        refused_head(&daemon).await;
    }
    for _ in 0..CONNECTIONS {
        held.push(Box::new(Client::connect(&daemon).await));
    }
    open(&daemon, CONNECTIONS).await;

    let connections = u64::from(CONNECTIONS) * (CONNECTION + HEAD);
    let bound = FIXED + connections + u64::from(IN_FLIGHT) * ANSWER;
    let most = peak_memory(daemon.pid()) - before;
    eprintln!("before {} KiB, at most {} KiB more, bound {} KiB", before / KIB, most / KIB, bound / KIB);
    assert!(most < bound);

    // And all of it ends, although no client lets go.
    let none = async || (daemon.metric("liquid_proxy_connections_open").await == 0.0).then_some(());
    tokio::time::timeout(Duration::from_secs(60), eventually("all are closed", none)).await.unwrap();
    closed(&daemon, "send_timeout", IN_FLIGHT).await;
    let after = memory(daemon.pid()).saturating_sub(before);
    eprintln!("after {} KiB more", after / KIB);
}

/// As much of a head as is kept.
async fn slow_head(daemon: &Daemon) -> Client {
    let mut client = Client::connect(daemon).await;
    client.send(b"GET /x HTTP/1.1\r\nHost: localhost\r\nX: ").await;
    client.send(&vec![b'v'; 80 << 10]).await;
    client
}

/// A head with as many headers as there may be, and one more.
async fn refused_head(daemon: &Daemon) {
    let lines: Vec<_> = (0..101).map(|number| format!("X-{number}: {}", "v".repeat(600))).collect();
    let head = format!("GET /x HTTP/1.1\n{}", lines.join("\n"));
    assert_eq!(Client::request(daemon, &head).await.answer().await.status, 431);
}

async fn half_a_list(daemon: &Daemon) -> Client {
    let mut client = Client::connect(daemon).await;
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    client.until(b"\0\0\0\x04\x01\0\0\0\0").await;
    // HEADERS, then CONTINUATION, none the last (RFC 9113, sections 6.2 and 6.10).
    let (read, mut stream) = client.into_parts();
    drop(read);
    for kind in [1_u8, 9, 9, 9, 9] {
        let size = 16_000_u32;
        let mut frame = size.to_be_bytes()[1..].to_vec();
        frame.extend([kind, 0, 0, 0, 0, 1]);
        // Literals without indexing: a new name and a value.
        let field = [&[0, 1, b'x', 126][..], &[b'v'; 126]].concat();
        let mut fields = field.repeat(size as usize / field.len());
        fields.extend([0, 1, b'x', 6]);
        fields.resize(size as usize, b'v');
        frame.extend(fields);
        stream.write_all(&frame).await.unwrap();
    }
    Client::of(stream)
}

//! Bodies stream: whatever their size, the proxy holds a few pieces of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::client::Client;
use crate::support::daemon::{Builder, Daemon};
use crate::support::memory::peak_memory;
use crate::support::pattern::Pattern;
use crate::support::upstream::Upstream;
use crate::support::{eventually, within_limit};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// What a body may cost, whatever its size.
const MOST_GROWTH: u64 = 8 * MIB;

/// What may be out while nobody reads it: the buffers of four sockets, and the proxy's own.
const MOST_ON_THE_WAY: u64 = 64 * MIB;

/// Much more than that.
const TOO_MUCH: u64 = 256 * MIB;

async fn proxy() -> (Upstream, Daemon) {
    let upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).set("requests.max_body", "2GiB").ready().await;
    (upstream, daemon)
}

async fn upload(upstream: &mut Upstream, daemon: &Daemon, total: u64) {
    let head = format!("POST /x HTTP/1.1\nHost: localhost\nContent-Length: {total}\nConnection: close");
    let (begin, mut client) = Client::request(daemon, &head).await.into_parts();
    assert!(begin.is_empty());
    let pattern = Pattern::default();
    let (begin, mut api) = upstream.call().await.into_parts();
    tokio::join!(pattern.send(&mut client, total, |_| ()), pattern.receive(&begin, &mut api, total));
}

async fn download(upstream: &mut Upstream, daemon: &Daemon, total: u64) {
    let mut client = Client::request(daemon, "GET /x HTTP/1.1\nHost: localhost\nConnection: close").await;
    let mut call = upstream.call().await;
    call.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {total}\r\n\r\n").as_bytes()).await;
    assert_eq!(client.answer_head().await.header("content-length"), [total.to_string()]);
    let (begin, mut client) = client.into_parts();
    let pattern = Pattern::default();
    let mut api = call.into_stream();
    tokio::join!(pattern.send(&mut api, total, |_| ()), pattern.receive(&begin, &mut client, total));
}

#[tokio::test]
async fn an_upload_of_a_gibibyte_costs_a_few_pieces() {
    let (mut upstream, daemon) = proxy().await;
    warm_up(&mut upstream, &daemon).await;
    let before = peak_memory(daemon.pid());
    upload(&mut upstream, &daemon, GIB).await;
    assert_growth(&daemon, before);
}

#[tokio::test]
async fn a_download_of_a_gibibyte_costs_a_few_pieces() {
    let (mut upstream, daemon) = proxy().await;
    warm_up(&mut upstream, &daemon).await;
    let before = peak_memory(daemon.pid());
    download(&mut upstream, &daemon, GIB).await;
    assert_growth(&daemon, before);
}

/// The first transfers bring the program's own pages into memory.
async fn warm_up(upstream: &mut Upstream, daemon: &Daemon) {
    for _ in 0..2 {
        upload(upstream, daemon, MIB).await;
        download(upstream, daemon, MIB).await;
    }
}

fn assert_growth(daemon: &Daemon, before: u64) {
    // The kernel counts with a few pages of slack, so that a peak may even seem to sink.
    let growth = peak_memory(daemon.pid()).saturating_sub(before);
    assert!(growth <= MOST_GROWTH, "the proxy grew by {growth} bytes");
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_api_back() {
    let (mut upstream, daemon) = proxy().await;
    warm_up(&mut upstream, &daemon).await;
    let before = peak_memory(daemon.pid());
    let mut client = Client::request(&daemon, "GET /x HTTP/1.1\nHost: localhost\nConnection: close").await;
    let mut call = upstream.call().await;
    call.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {TOO_MUCH}\r\n\r\n").as_bytes()).await;
    client.answer_head().await;

    let sent = Arc::new(AtomicU64::new(0));
    let count = sent.clone();
    let sending = tokio::spawn(async move {
        let mut api = call.into_stream();
        Pattern::default().send(&mut api, TOO_MUCH, |sent| count.store(sent, Ordering::Relaxed)).await;
    });
    stands_still(&sent).await;
    let on_the_way = sent.load(Ordering::Relaxed);
    assert!((1..MOST_ON_THE_WAY).contains(&on_the_way), "{on_the_way} bytes are out and nobody reads them");
    assert_growth(&daemon, before);

    // Held back, not lost: all of it comes once it is read.
    let (begin, mut client) = client.into_parts();
    Pattern::default().receive(&begin, &mut client, TOO_MUCH).await;
    within_limit("the API has sent all", sending).await.unwrap();
}

/// Waits until `count` has not changed for many looks in a row. On a machine that is slow it may be
/// taken to stand still while it is about to go on: what it must not exceed it then has not yet reached.
async fn stands_still(count: &AtomicU64) {
    const LOOKS: u32 = 50;
    let (mut last, mut looks) = (0, 0);
    eventually("the API is held back", async || {
        let now = count.load(Ordering::Relaxed);
        looks = if now == last { looks + u32::from(now > 0) } else { 0 };
        last = now;
        (looks == LOOKS).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_api_that_does_not_read_holds_the_client_back() {
    let (mut upstream, daemon) = proxy().await;
    warm_up(&mut upstream, &daemon).await;
    let before = peak_memory(daemon.pid());
    let head = format!("POST /x HTTP/1.1\nHost: localhost\nContent-Length: {TOO_MUCH}\nConnection: close");
    let (_, mut client) = Client::request(&daemon, &head).await.into_parts();
    let (begin, mut api) = upstream.call().await.into_parts();

    let sent = Arc::new(AtomicU64::new(0));
    let count = sent.clone();
    let sending = tokio::spawn(async move {
        Pattern::default().send(&mut client, TOO_MUCH, |sent| count.store(sent, Ordering::Relaxed)).await;
        client
    });
    stands_still(&sent).await;
    let on_the_way = sent.load(Ordering::Relaxed);
    assert!((1..MOST_ON_THE_WAY).contains(&on_the_way), "{on_the_way} bytes are out and nobody reads them");
    assert_growth(&daemon, before);

    Pattern::default().receive(&begin, &mut api, TOO_MUCH).await;
    within_limit("the client has sent all", sending).await.unwrap();
}

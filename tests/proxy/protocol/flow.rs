//! Who is slow holds back who is quick, and nobody else; in between little is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::api::Call;
use super::caller::{Asked, Caller};
use super::{CROSSINGS, Piece, Version, world};
use crate::support::daemon::Daemon;
use crate::support::memory::peak_memory;
use crate::support::pattern::Pattern;
use crate::support::{eventually, within_limit};

const MIB: u64 = 1 << 20;

/// What may be out while nobody reads it: the buffers of four sockets, and the proxy's own.
const MOST_ON_THE_WAY: u64 = 64 * MIB;

/// Much more than that.
const TOO_MUCH: u64 = 160 * MIB;

/// What a body that stands still may cost the proxy, with all that its windows and buffers hold.
const MOST_GROWTH: u64 = 12 * MIB;

/// Of any other body the answer is searched for a token if it may have asked for one, and comes in one piece.
const BYTES: (&str, &str) = ("content-type", "application/octet-stream");

/// Anyone who sends a body.
trait Sender {
    async fn try_send(&mut self, data: &[u8]) -> Option<usize>;
}

impl Sender for Call {
    async fn try_send(&mut self, data: &[u8]) -> Option<usize> {
        Self::try_send(self, data).await
    }
}

impl Sender for Asked {
    async fn try_send(&mut self, data: &[u8]) -> Option<usize> {
        Self::try_send(self, data).await
    }
}

/// Sends `total` bytes of the pattern; `sent` tells how many are out.
async fn send(sender: &mut impl Sender, total: u64, sent: &AtomicU64) {
    let pattern = Pattern::default();
    let mut offset = 0;
    while offset < total {
        let piece = pattern.piece(offset, total);
        let taken = sender.try_send(&piece[..piece.len().min(16 << 10)]).await;
        offset += taken.expect("it is given up") as u64;
        sent.store(offset, Ordering::Relaxed);
    }
}

/// Reads up to `total` bytes, and checks each.
async fn receive(total: u64, mut next: impl AsyncFnMut() -> Piece) {
    let pattern = Pattern::default();
    let mut offset = 0;
    while offset < total {
        let Piece::Data(mut data) = next().await else { panic!("it ends after {offset} of {total} bytes") };
        while !data.is_empty() {
            let expected = pattern.piece(offset, total);
            let length = data.len().min(expected.len());
            assert!(data.split_to(length) == expected[..length], "other bytes, from {offset} on");
            offset += length as u64;
        }
    }
}

/// Waits until `count` has not changed for many looks in a row.
async fn stands_still(count: &AtomicU64) -> u64 {
    const LOOKS: u32 = 50;
    let (mut last, mut looks) = (0, 0);
    eventually("the sender is held back", async || {
        let now = count.load(Ordering::Relaxed);
        looks = if now == last { looks + u32::from(now > 0) } else { 0 };
        last = now;
        (looks == LOOKS).then_some(now)
    })
    .await
}

fn assert_held_back(on_the_way: u64, daemon: &Daemon, before: u64) {
    assert!((1..MOST_ON_THE_WAY).contains(&on_the_way), "{on_the_way} bytes are out and nobody reads them");
    let growth = peak_memory(daemon.pid()).saturating_sub(before);
    assert!(growth <= MOST_GROWTH, "the proxy grew by {growth} bytes");
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_api_back() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        for total in [MIB, TOO_MUCH] {
            let before = peak_memory(world.daemon.pid());
            let mut asked = world.caller.ask("GET", "/x", &[]).await;
            let mut call = world.api.call().await;
            call.head(200, &[("content-length", &total.to_string())]).await;
            assert_eq!(asked.last_head().await.1.status, 200);
            let sent = Arc::new(AtomicU64::new(0));
            let count = sent.clone();
            let sending = tokio::spawn(async move {
                send(&mut call, total, &count).await;
                call.end(&[]).await;
            });
            // The first time brings the program's own pages into memory.
            if total == TOO_MUCH {
                assert_held_back(stands_still(&sent).await, &world.daemon, before);
            }
            // Held back, not lost.
            receive(total, async || asked.piece().await).await;
            within_limit("all is sent", sending).await.unwrap();
            assert!(asked.rest().await.0.is_empty());
            world.caller.again(asked);
        }
    }
}

#[tokio::test]
async fn an_api_that_does_not_read_holds_the_client_back() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[("requests.max_body", "1GiB")]).await;
        for total in [MIB, TOO_MUCH] {
            let before = peak_memory(world.daemon.pid());
            let fields = [("content-length", &*total.to_string())];
            let mut asked = world.caller.begin("POST", "/x", &fields).await;
            let mut call = world.api.call().await;
            let sent = Arc::new(AtomicU64::new(0));
            let count = sent.clone();
            let sending = tokio::spawn(async move {
                send(&mut asked, total, &count).await;
                asked.end(&[]).await;
                asked
            });
            if total == TOO_MUCH {
                assert_held_back(stands_still(&sent).await, &world.daemon, before);
            }
            receive(total, async || call.piece().await).await;
            let mut asked = within_limit("all is sent", sending).await.unwrap();
            assert!(call.rest().await.0.is_empty());
            call.answer(200, "{}").await;
            assert_eq!(asked.answer().await.0, 200);
            world.caller.again(asked);
        }
    }
}

/// On the same connections of HTTP/2, on both sides.
#[tokio::test]
async fn whoever_stands_still_holds_nobody_else() {
    let mut world = world((Version::Two, Version::Two), &[]).await;
    // One answer that nobody reads, and one upload that the API does not.
    let mut unread = world.caller.ask("GET", "/unread", &[]).await;
    let mut call = world.api.call().await;
    call.head(200, &[]).await;
    let sent = Arc::new(AtomicU64::new(0));
    let count = sent.clone();
    let answering = tokio::spawn(async move { send(&mut call, TOO_MUCH, &count).await });
    unread.last_head().await;
    stands_still(&sent).await;

    let mut unheard = world.caller.begin("POST", "/unheard", &[]).await;
    let call = world.api.call().await;
    let heard = Arc::new(AtomicU64::new(0));
    let count = heard.clone();
    let asking = tokio::spawn(async move { send(&mut unheard, TOO_MUCH, &count).await });
    stands_still(&heard).await;

    for round in 0..5 {
        let mut asked = world.caller.begin("POST", &format!("/{round}"), &[BYTES]).await;
        let mut call = world.api.call().await;
        assert_eq!(call.path, format!("/{round}"));
        let none = AtomicU64::new(0);
        tokio::join!(send(&mut asked, MIB, &none), receive(MIB, async || call.piece().await));
        asked.end(&[]).await;
        call.rest().await;
        call.head(200, &[]).await;
        asked.last_head().await;
        tokio::join!(send(&mut call, MIB, &none), receive(MIB, async || asked.piece().await));
        call.end(&[]).await;
        assert!(asked.rest().await.0.is_empty());
    }
    // And both still wait.
    assert!(!answering.is_finished() && !asking.is_finished());
    answering.abort();
    asking.abort();
    drop(call);
}

/// Many that read nothing, one connection each: what is kept for each is little.
#[tokio::test]
async fn clients_that_do_not_read_cost_little_each() {
    const CLIENTS: u64 = 32;
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        let before = peak_memory(world.daemon.pid());
        let (mut clients, mut answering) = (Vec::new(), tokio::task::JoinSet::new());
        let sent = Arc::new(AtomicU64::new(0));
        for number in 0..CLIENTS {
            let mut caller = Caller::connect(crossing.0, &world.daemon).await;
            let mut asked = caller.ask("GET", &format!("/{number}"), &[]).await;
            let mut call = world.api.call().await;
            call.head(200, &[]).await;
            asked.last_head().await;
            let total = sent.clone();
            answering.spawn(async move {
                let piece = [b'a'; 16 << 10];
                while let Some(taken) = call.try_send(&piece).await {
                    total.fetch_add(taken as u64, Ordering::Relaxed);
                }
            });
            clients.push((caller, asked));
        }
        stands_still(&sent).await;
        let growth = peak_memory(world.daemon.pid()).saturating_sub(before);
        assert!(growth <= CLIENTS * MIB, "{crossing:?}: {growth} bytes for {CLIENTS} clients");
        drop(clients);
        // Whoever leaves frees what was kept, and the API hears it.
        while let Some(done) = answering.join_next().await {
            done.unwrap();
        }
    }
}

//! The end of connections that rest, and of those that never began.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use socket2::SockRef;

use super::{RESTS, ask, proxy, said};
use crate::support::client::Client;
use crate::support::daemon::Daemon;
use crate::support::eventually;

/// Waits until so many connections were closed for this reason.
async fn closed(daemon: &Daemon, reason: &str, count: u32) {
    let name = format!(r#"liquid_proxy_connections_closed_total{{reason="{reason}"}}"#);
    let counted = async || (daemon.metric(&name).await == f64::from(count)).then_some(());
    eventually(&format!("{count} closed for {reason}"), counted).await;
}

#[tokio::test]
async fn a_client_may_close_or_reset_while_it_rests() {
    let (mut upstream, daemon) = proxy(&[]).await;
    for (time, resets) in [(1, false), (2, true)] {
        let mut client = Client::connect(&daemon).await;
        ask(&mut client, &mut upstream, "answer").await;
        said(&daemon, RESTS, time).await;
        let (_, stream) = client.into_parts();
        if resets {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(stream);
        closed(&daemon, "done", u32::try_from(time).unwrap()).await;
    }
    drop(Client::connect(&daemon).await);
    closed(&daemon, "done", 3).await;
    assert_eq!(daemon.metric("liquid_proxy_connections_open").await, 0.0);
}

#[tokio::test]
async fn the_idle_timeout_counts_from_the_last_answer() {
    let (mut upstream, daemon) = proxy(&[("listen.idle_timeout", "2s")]).await;
    let mut client = Client::connect(&daemon).await;
    ask(&mut client, &mut upstream, "answer").await;
    let answered = Instant::now();
    said(&daemon, RESTS, 1).await;
    assert!(client.until_closed().await.is_empty());
    assert!(answered.elapsed() >= Duration::from_secs(2), "{:?}", answered.elapsed());
    closed(&daemon, "idle_timeout", 1).await;
}

#[tokio::test]
async fn the_drain_closes_who_rests() {
    let drain = [("shutdown.drain_timeout", "5m")];
    let (mut upstream, mut daemon) = proxy(&drain).await;
    let mut client = Client::connect(&daemon).await;
    ask(&mut client, &mut upstream, "answer").await;
    said(&daemon, RESTS, 1).await;
    let unheard = Client::connect(&daemon).await;
    let open = async || (daemon.metric("liquid_proxy_connections_open").await == 2.0).then_some(());
    eventually("both are open", open).await;
    daemon.signal(Signal::TERM);
    assert!(client.until_closed().await.is_empty());
    assert!(unheard.until_closed().await.is_empty());
    assert_eq!(daemon.ends().await.code(), Some(0));
    assert_eq!(daemon.log().matches(r#""reason":"drain""#).count(), 2, "{}", daemon.log());
}

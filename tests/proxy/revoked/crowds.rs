//! Many at once: a revocation costs one authentication, however many notice it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::*;

const REQUESTS: usize = 1000;

#[tokio::test]
async fn a_thousand_requests_after_a_revocation_cost_one_authentication() {
    let (sandbox, daemon) = start().await;
    sandbox.handle().revoke_all();
    all_are_answered(&sandbox, &daemon, async || {}).await;
}

#[tokio::test]
async fn a_thousand_requests_under_way_at_a_revocation_cost_one_authentication() {
    let (sandbox, daemon) = start().await;
    let held = FaultKind::Delay(Duration::from_secs(8));
    let held = Fault { kind: held, times: Some(REQUESTS as u32) };
    sandbox.handle().set_fault(Scope::Path(FETCH.into()), Some(held));
    let handle = sandbox.handle();
    let rejected = all_are_answered(&sandbox, &daemon, async || {
        let all = async || (handle.calls_to(FETCH) == REQUESTS).then_some(());
        eventually("all are under way", all).await;
        handle.revoke_all();
    })
    .await;
    assert!(rejected > REQUESTS / 2, "{rejected} of {REQUESTS} were under way");
}

/// Sends the requests, does something `meanwhile`, and checks what came of it. Returns how many of them got a 401.
async fn all_are_answered(sandbox: &Sandbox, daemon: &Daemon, meanwhile: impl AsyncFnOnce()) -> usize {
    let (client, url) = (client(), daemon.url(FETCH));
    let mut requests = JoinSet::new();
    for _ in 0..REQUESTS {
        let asked = client.get(&url).send();
        requests.spawn(async move { asked.await.unwrap().status().as_u16() });
    }
    meanwhile().await;
    let statuses = within_limit("all are answered", requests.join_all()).await;
    assert!(statuses.iter().all(|status| *status == 404), "a request failed: {statuses:?}");
    assert_eq!(sandbox.handle().authentications(), 2);
    let calls = calls(&sandbox.handle());
    let rejected = calls.iter().filter(|call| call.status == 401).count();
    assert!(rejected > 0 && calls.len() == REQUESTS + rejected);
    assert_eq!(sent_again(daemon, "accepted").await, rejected as f64);
    assert_eq!(sent_again(daemon, "rejected").await, 0.0);
    rejected
}

/// Ten renewals a minute are all that 401s can force, so twenty take more than one: it takes as long as
/// it says.
#[tokio::test]
async fn two_hundred_clients_and_twenty_revocations() {
    const CLIENTS: usize = 200;
    const REVOCATIONS: u64 = 20;
    /// Two minutes of floors at most, and as much again for a slow machine.
    const IN_ALL: Duration = Duration::from_secs(240);
    const PACE: Duration = Duration::from_millis(200);
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).set("token.wait_timeout", "4m").ready().await;
    let (client, url, started) = (client(), daemon.url(FETCH), Instant::now());
    let over = Arc::new(AtomicBool::new(false));
    let rounds: Arc<[AtomicUsize]> = (0..CLIENTS).map(|_| AtomicUsize::new(0)).collect();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (client, url, over, rounds) = (client.clone(), url.clone(), over.clone(), rounds.clone());
        clients.spawn(async move {
            let mut pace = tokio::time::interval(PACE);
            while !over.load(Ordering::Relaxed) {
                pace.tick().await;
                let status = client.get(&url).send().await.unwrap().status();
                assert_eq!(status, 404, "client {number} failed after {:?}", started.elapsed());
                rounds[number].fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let counts = || rounds.iter().map(|count| count.load(Ordering::Relaxed)).collect::<Vec<_>>();
    for revocation in 0..=REVOCATIONS {
        // The first of two rounds may have begun before; with the second, the token is everyone's.
        let before = counts();
        while counts().iter().zip(&before).any(|(now, before)| *now < before + 2) {
            assert!(started.elapsed() < IN_ALL, "{revocation} revocations took {:?}", started.elapsed());
            if let Some(ended) = clients.try_join_next() {
                ended.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(sandbox.handle().authentications(), 1 + revocation);
        if revocation < REVOCATIONS {
            sandbox.handle().revoke_all();
        }
    }
    over.store(true, Ordering::Relaxed);
    within_limit("the clients end", clients.join_all()).await;
    assert_eq!(sandbox.handle().authentications(), 1 + REVOCATIONS);
    assert_eq!(sent_again(&daemon, "rejected").await, 0.0);
    assert!(sent_again(&daemon, "accepted").await >= REVOCATIONS as f64);
    let metric = daemon.metric(r#"liquid_proxy_requests_total{method="GET",status="401"}"#).await;
    assert_eq!(metric, 0.0);
}

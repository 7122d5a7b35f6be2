//! What the tests share: the proxy as a process, an API that a test can script, waiting with a limit.

pub mod client;
pub mod daemon;
pub mod http_proxy;
pub mod issued;
pub mod memory;
pub mod open_metrics;
pub mod own_answer;
pub mod pattern;
pub mod port;
pub mod recorder;
pub mod secrets;
pub mod seen;
pub mod strict;
pub mod tls;
pub mod upstream;

use std::time::{Duration, Instant};

/// No wait on a condition takes longer. A machine under load may be slow; it is never this slow.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until `look` finds something; panics with `what` when the limit is over.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until no request is under way.
pub async fn no_request_is_under_way(daemon: &daemon::Daemon) {
    eventually("no request is under way", async || {
        (daemon.metric("liquid_proxy_requests_in_flight").await == 0.0).then_some(())
    })
    .await;
}

/// Waits until no request is under way, and checks that none was counted as broken off.
pub async fn came_to_its_end(daemon: &daemon::Daemon) {
    no_request_is_under_way(daemon).await;
    let (_, metrics) = daemon.admin("/metrics").await;
    assert!(!metrics.contains("broken_off_total{"), "{metrics}");
}

/// Runs `future` to its end; panics with `what` when the limit is over.
pub async fn within_limit<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("not within {LIMIT:?}: {what}"))
}

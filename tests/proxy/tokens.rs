//! A token's life as apps see it: not at all.

use std::time::{Duration, Instant};

use liquid_auth_proxy::sandbox::{Fault, FaultKind, Handle, Sandbox, Scope, Settings};
use tokio::task::JoinSet;

use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::{eventually, within_limit};

async fn sandbox(lifetime: Duration) -> Sandbox {
    let settings = Settings { api_key: KEY.into(), token_lifetime: lifetime, ..Settings::default() };
    Sandbox::start(settings).await.unwrap()
}

async fn search(client: &reqwest::Client, daemon: &Daemon) -> u16 {
    let sent = client.post(daemon.url("/catalog/search")).body(r#"{"search":"gin"}"#).send().await.unwrap();
    let status = sent.status().as_u16();
    sent.bytes().await.unwrap();
    status
}

async fn many_authentications(handle: &Handle, wanted: u64) {
    eventually("the token is renewed", async || (handle.authentications() >= wanted).then_some(())).await;
}

/// Time is what this is about: it takes as long as it says.
#[tokio::test]
async fn a_client_in_a_loop_never_notices_a_token_of_two_seconds() {
    let sandbox = sandbox(Duration::from_secs(2)).await;
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    let client = client();
    let (started, mut statuses) = (Instant::now(), Vec::new());
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    while started.elapsed() < Duration::from_secs(20) {
        pace.tick().await;
        statuses.push(search(&client, &daemon).await);
    }
    let failed = statuses.iter().filter(|status| **status != 200).count();
    assert_eq!(failed, 0, "of {} requests", statuses.len());
    let calls = sandbox.handle().calls();
    assert!(calls.iter().all(|call| call.status == 200), "the API refused a call");
    assert!(statuses.len() > 100, "{} requests are no loop", statuses.len());
    let authentications = sandbox.handle().authentications();
    assert!((15..=30).contains(&authentications), "{authentications} authentications in 20 s");
}

#[tokio::test]
async fn a_thousand_requests_at_a_cold_start_cost_one_authentication() {
    let sandbox = sandbox(Duration::from_secs(3600)).await;
    let slow = Fault { kind: FaultKind::Delay(Duration::from_secs(3)), times: None };
    sandbox.handle().set_fault(Scope::Authentication, Some(slow));
    let daemon = Builder::new(&sandbox.base_url()).set("token.wait_timeout", "30s").start().await;
    let client = client();
    let mut requests = JoinSet::new();
    for _ in 0..1000 {
        let asked = client.get(daemon.url("/users/fetch/nobody")).send();
        requests.spawn(async move { asked.await.unwrap().status().as_u16() });
    }
    let statuses = within_limit("all are answered", requests.join_all()).await;
    assert!(statuses.iter().all(|status| *status == 404), "each got to the API, which knows no such user");
    assert_eq!(sandbox.handle().calls_to("/users/fetch/nobody"), 1000);
    assert_eq!(sandbox.handle().authentications(), 1);
}

async fn works_with_a_clock_that_is_off_by(offset: Duration, ahead: bool) {
    let sandbox = sandbox(Duration::from_secs(2)).await;
    let offset_ms = offset.as_millis() as i64 * if ahead { 1 } else { -1 };
    sandbox.handle().set_clock_offset_ms(offset_ms);
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    assert_eq!(search(&client(), &daemon).await, 200);

    let skew = daemon.metric(r#"liquid_proxy_clock_skew_seconds{credential="api"}"#).await;
    assert!((skew - offset_ms as f64 / 1000.0).abs() < 60.0, "measured {skew} s, offset {offset_ms} ms");

    // Tokens are renewed at the pace of their life, and what was told once is not told again.
    let before = daemon.status().await["credentials"][0]["generation"].as_u64().unwrap();
    many_authentications(&sandbox.handle(), before + 3).await;
    assert_eq!(search(&client(), &daemon).await, 200);
    let log = daemon.log();
    let warnings = log.lines().filter(|line| line.contains("the server's clock differs"));
    assert_eq!(warnings.count(), 1, "{log}");
}

#[tokio::test]
async fn a_server_whose_clock_is_a_day_ahead_does_no_harm() {
    works_with_a_clock_that_is_off_by(Duration::from_secs(86_400), true).await;
}

#[tokio::test]
async fn a_server_whose_clock_is_a_day_behind_does_no_harm() {
    works_with_a_clock_that_is_off_by(Duration::from_secs(86_400), false).await;
}

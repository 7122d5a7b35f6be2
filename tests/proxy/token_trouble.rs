//! No token to be had: what apps are told, for how long, and how it ends.

use std::time::{Duration, Instant};

use liquid_auth_proxy::sandbox::{Fault, FaultKind, LimitHeaders, Sandbox, Scope, Settings};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::own_answer::assert_own_answer;
use crate::support::{eventually, within_limit};

fn settings() -> Settings {
    Settings { api_key: KEY.into(), ..Settings::default() }
}

fn fault(kind: FaultKind) -> Option<Fault> {
    Some(Fault { kind, times: None })
}

async fn ask(daemon: &Daemon) -> reqwest::Response {
    within_limit("an answer comes", client().get(daemon.url("/users/fetch/nobody")).send()).await.unwrap()
}

/// The API knows nobody of this name: its 404 shows that the request got there.
async fn works(daemon: &Daemon) -> Option<()> {
    (ask(daemon).await.status() == 404).then_some(())
}

#[tokio::test]
async fn an_endpoint_that_answers_503_at_the_start_and_works_later() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    sandbox.handle().set_fault(Scope::Authentication, fault(FaultKind::Status(503)));
    let daemon = Builder::new(&sandbox.base_url()).set("token.wait_timeout", "400ms").start().await;

    let asked = Instant::now();
    let envelope = assert_own_answer(ask(&daemon).await, 503, "token_unavailable").await;
    assert!(asked.elapsed() >= Duration::from_millis(400), "it waited only {:?}", asked.elapsed());
    assert!(envelope["message"].as_str().unwrap().contains("answered 503"), "{envelope}");
    let (status, pending) = daemon.admin("/readyz").await;
    assert_eq!(status, 503);
    assert!(pending.starts_with("credential api: the authentication endpoint answered 503"), "{pending}");
    assert_eq!(sandbox.handle().calls_to("/users/fetch/nobody"), 0);

    sandbox.handle().set_fault(Scope::Authentication, None);
    eventually("requests work", async || works(&daemon).await).await;
    assert_eq!(daemon.admin("/readyz").await, (200, "ok\n".to_owned()));
}

#[tokio::test]
async fn nobody_there_at_the_start_and_an_api_later() {
    // Bound but not listening: refused, and nobody else's meanwhile.
    let reserved = TcpSocket::new_v4().unwrap();
    reserved.set_reuseaddr(true).unwrap();
    reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = reserved.local_addr().unwrap();
    let base_url = format!("http://{address}");
    let daemon = Builder::new(&base_url).set("token.wait_timeout", "200ms").start().await;

    let envelope = assert_own_answer(ask(&daemon).await, 503, "token_unavailable").await;
    assert!(envelope["message"].as_str().unwrap().contains("Connection refused"), "{envelope}");
    assert_eq!(daemon.admin("/readyz").await.0, 503);
    assert_eq!(daemon.admin("/livez").await, (200, "ok\n".to_owned()));

    let _sandbox = Sandbox::start(Settings { listen: address, ..settings() }).await.unwrap();
    eventually("requests work", async || works(&daemon).await).await;
    assert_eq!(daemon.admin("/readyz").await.0, 200);
}

#[tokio::test]
async fn requests_that_wait_go_on_when_the_token_comes() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    sandbox.handle().set_fault(Scope::Authentication, fault(FaultKind::Status(500)));
    let daemon = Builder::new(&sandbox.base_url()).set("token.wait_timeout", "1m").start().await;
    let waiting = tokio::spawn(client().get(daemon.url("/users/fetch/nobody")).send());
    let in_flight = async || (daemon.status().await["requests_in_flight"] == 1).then_some(());
    eventually("the request waits", in_flight).await;
    sandbox.handle().set_fault(Scope::Authentication, None);
    let answer = within_limit("the request is answered", waiting).await.unwrap().unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn an_endpoint_that_fails_later_is_not_noticed_before_the_tokens_end() {
    const LIFE: Duration = Duration::from_secs(4);
    let sandbox = Sandbox::start(Settings { token_lifetime: LIFE, ..settings() }).await.unwrap();
    let begun = Instant::now();
    let daemon = Builder::new(&sandbox.base_url()).set("token.wait_timeout", "100ms").ready().await;
    sandbox.handle().set_fault(Scope::Authentication, fault(FaultKind::Disconnect));

    // The renewal fails and the token stays in use all the same.
    let failing = async || {
        let status = daemon.status().await;
        let credential = &status["credentials"][0];
        (credential["trouble"]["kind"] == "failing" && credential["state"] == "available").then_some(())
    };
    eventually("the renewal fails", failing).await;
    assert!(works(&daemon).await.is_some());
    assert_eq!(daemon.admin("/readyz").await.0, 200);

    let refused = eventually("the token ends", async || {
        let answer = ask(&daemon).await;
        (answer.status() != 404).then_some(answer)
    })
    .await;
    assert!(begun.elapsed() >= LIFE, "its end came after {:?}", begun.elapsed());
    assert_own_answer(refused, 503, "token_unavailable").await;
    assert_eq!(daemon.admin("/readyz").await.0, 503);
    assert!(sandbox.handle().calls().iter().all(|call| call.status != 401), "a token was used too long");

    sandbox.handle().set_fault(Scope::Authentication, None);
    eventually("requests work again", async || works(&daemon).await).await;
}

#[tokio::test]
async fn a_wrong_key_is_told_at_once_and_tried_once() {
    let sandbox = Sandbox::start(Settings { api_key: "another-key".into(), ..settings() }).await.unwrap();
    // Who waited for a token would wait beyond the test's limit.
    let builder = Builder::new(&sandbox.base_url()).set("token.wait_timeout", "5m");
    let source = builder.key_file().to_str().unwrap().to_owned();
    let daemon = builder.start().await;

    let mut requests = JoinSet::new();
    let client = client();
    for _ in 0..200 {
        requests.spawn(client.get(daemon.url("/users/fetch/nobody")).send());
    }
    for answer in within_limit("all are answered", requests.join_all()).await {
        let envelope = assert_own_answer(answer.unwrap(), 502, "credential_rejected").await;
        let message = envelope["message"].as_str().unwrap();
        assert_eq!(message, format!("the API refused the API key from {source} (401)"));
    }
    let (status, pending) = daemon.admin("/readyz").await;
    assert_eq!(status, 503);
    assert_eq!(pending, format!("credential api: the API refused the API key from {source} (401)\n"));
    let trouble = daemon.status().await["credentials"][0]["trouble"].clone();
    assert_eq!((&trouble["kind"], &trouble["attempts"]), (&"refused".into(), &1.into()));
    assert!((50..=60).contains(&trouble["retry_in_seconds"].as_u64().unwrap()), "{trouble}");
    assert_eq!(sandbox.handle().authentications(), 1);
    assert_eq!(sandbox.handle().calls().len(), 1);
}

#[tokio::test]
async fn a_rate_limited_endpoint_is_left_alone_and_apps_are_told_how_long() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let limited = FaultKind::RateLimited(LimitHeaders::RetryAfterSeconds, Duration::from_secs(120));
    sandbox.handle().set_fault(Scope::Authentication, fault(limited));
    let daemon = Builder::new(&sandbox.base_url()).start().await;
    for _ in 0..20 {
        let answer = ask(&daemon).await;
        let retry_after: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((80..=122).contains(&retry_after), "{retry_after} s of 120");
        assert_own_answer(answer, 429, "authentication_rate_limited").await;
    }
    assert_eq!(daemon.status().await["credentials"][0]["trouble"]["kind"], "rate_limited");
    assert_eq!(sandbox.handle().authentications(), 1);
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_and_no_longer_than_a_little() {
    const WAIT: Duration = Duration::from_secs(2);
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let kind = FaultKind::RateLimited(LimitHeaders::RateLimitReset, WAIT);
    sandbox.handle().set_fault(Scope::Authentication, Some(Fault { kind, times: Some(1) }));
    let daemon = Builder::new(&sandbox.base_url()).set("token.wait_timeout", "1m").start().await;
    assert!(works(&daemon).await.is_some(), "a request that may wait so long does");
    let calls = sandbox.handle().calls();
    let [first, second, ..] = &calls[..] else { panic!("{calls:?}") };
    let apart = second.at - first.at;
    assert!(apart >= WAIT, "asked again after {apart:?}");
    assert_eq!(sandbox.handle().authentications(), 2);
}

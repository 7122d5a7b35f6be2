//! The authentication endpoint is asked no more than it bears, whoever wants a token and however much.

use std::time::Duration;

use liquid_auth_proxy::sandbox::{FaultKind, LimitHeaders, Sandbox, Scope, Settings};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::client::Answer;
use crate::support::daemon::{Builder, Daemon, client};
use crate::support::own_answer::assert_own_answer;
use crate::support::seen::{attempts, credential, fault, settings};
use crate::support::{eventually, within_limit};

/// In seconds; nearly all of it is left when a test ends.
const RATE_LIMITED: u64 = 600;

async fn start() -> (Sandbox, Daemon) {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).orders().ready().await;
    (sandbox, daemon)
}

fn rate_limit(sandbox: &Sandbox) {
    let limited = FaultKind::RateLimited(LimitHeaders::RetryAfterSeconds, Duration::from_secs(RATE_LIMITED));
    sandbox.handle().set_fault(Scope::Authentication, fault(limited));
}

async fn fetch(daemon: &Daemon) -> reqwest::Response {
    let asked = client().get(daemon.url("/users/fetch/nobody")).send();
    within_limit("an answer comes", asked).await.unwrap()
}

/// `POST /refresh`: status, `Retry-After` in seconds, body.
async fn refresh(daemon: &Daemon, query: &str) -> (u16, Option<u64>, Value) {
    let asked = client().post(format!("http://{}/refresh{query}", daemon.admin_address())).send();
    let answer = Answer::of(within_limit("an answer comes", asked).await.unwrap()).await;
    let retry_after = answer.headers.get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    (answer.status.as_u16(), retry_after, serde_json::from_slice(&answer.body).unwrap())
}

/// `POST /refresh` when the floor allows it.
async fn refresh_in_time(daemon: &Daemon, query: &str) -> (u16, Value) {
    eventually("the floor allows it", async || {
        let (status, _, body) = refresh(daemon, query).await;
        (status != 429).then_some((status, body))
    })
    .await
}

#[tokio::test]
async fn a_refresh_renews_now() {
    let (sandbox, daemon) = start().await;
    let renewed = refresh_in_time(&daemon, "?credential=api").await;
    let answer = json!([
        { "credential": "api", "outcome": "renewed", "generation": 2, "lifetime_seconds": 86_400 },
    ]);
    assert_eq!(renewed, (200, answer));
    assert_eq!((sandbox.handle().authentications(), sandbox.handle().order_authentications()), (2, 1));

    let renewed = refresh_in_time(&daemon, "?credential=orders").await;
    let answer = json!([
        { "credential": "orders", "outcome": "renewed", "generation": 2, "lifetime_seconds": 600 },
    ]);
    assert_eq!(renewed, (200, answer));
    assert_eq!((sandbox.handle().authentications(), sandbox.handle().order_authentications()), (2, 2));
    assert_eq!(credential(&daemon, "orders").await["generation"], 2);
}

#[tokio::test]
async fn a_refresh_of_nobody_and_of_everybody() {
    let (sandbox, daemon) = start().await;
    assert_eq!(refresh(&daemon, "?credential=none").await, (404, None, json!([])));
    let read = daemon.admin("/refresh").await;
    assert_eq!(read.0, 405, "nothing is renewed by looking");
    assert_eq!(sandbox.handle().authentications(), 1);

    let both = async || {
        let (_, _, body) = refresh(&daemon, "").await;
        let outcomes: Vec<_> = body.as_array().unwrap().iter().map(|one| one["credential"].clone()).collect();
        assert_eq!(outcomes, ["api", "orders"], "{body}");
        let (api, orders) = (credential(&daemon, "api").await, credential(&daemon, "orders").await);
        (api["generation"].as_u64() > Some(1) && orders["generation"].as_u64() > Some(1)).then_some(())
    };
    eventually("both are renewed", both).await;
}

#[tokio::test]
async fn a_refresh_too_soon_is_told_when_to_come_back() {
    let (sandbox, daemon) = start().await;
    // One a second, until ten are made within a minute: then it is more than a second.
    let (wait, body) = eventually("the floor of a minute is reached", async || {
        let (status, retry_after, body) = refresh(&daemon, "?credential=api").await;
        assert!(status == 200 || status == 429, "{status} {body}");
        retry_after.filter(|wait| *wait > 1).map(|wait| (wait, body))
    })
    .await;
    assert!((2..=60).contains(&wait), "{wait} s");
    assert_eq!(
        body,
        json!([
            { "credential": "api", "outcome": "not_yet", "retry_after_seconds": wait },
        ])
    );
    assert_eq!(sandbox.handle().authentications(), 11);
    assert_eq!(fetch(&daemon).await.status(), 404);
}

#[tokio::test]
async fn operators_at_once_share_one_exchange() {
    let (sandbox, daemon) = start().await;
    refresh_in_time(&daemon, "?credential=api").await;
    sandbox.handle().set_fault(Scope::Authentication, fault(FaultKind::Delay(Duration::from_millis(1500))));
    let mut operators = JoinSet::new();
    let url = format!("http://{}/refresh?credential=api", daemon.admin_address());
    for _ in 0..20 {
        let asked = client().post(&url).send();
        operators.spawn(async move { asked.await.unwrap().status().as_u16() });
    }
    let statuses = within_limit("all are answered", operators.join_all()).await;
    assert!(statuses.iter().all(|status| matches!(status, 200 | 429)), "{statuses:?}");
    let authentications = sandbox.handle().authentications();
    assert!(authentications <= 3, "{authentications} authentications");
}

#[tokio::test]
async fn a_refresh_that_fails_says_why() {
    let (sandbox, daemon) = start().await;
    sandbox.handle().set_fault(Scope::Authentication, fault(FaultKind::Status(500)));
    let failed = refresh_in_time(&daemon, "?credential=api").await;
    let message = "the authentication endpoint answered 500";
    assert_eq!(failed, (502, json!([{ "credential": "api", "outcome": "failed", "message": message }])));
    assert_eq!(fetch(&daemon).await.status(), 404, "the old token stays in use");
    assert_eq!(daemon.admin("/readyz").await.0, 200);
    assert_eq!(attempts(&daemon, "api", "failed").await, 1.0);

    // The next attempt has its time already, and an operator does not bring it forward.
    let (status, retry_after, body) = refresh(&daemon, "?credential=api").await;
    assert_eq!((status, &body[0]["outcome"]), (429, &"not_yet".into()), "{body}");
    assert!((1..=2).contains(&retry_after.unwrap()), "{retry_after:?}");
}

#[tokio::test]
async fn a_refresh_with_a_key_that_is_refused() {
    let (sandbox, daemon) = start().await;
    sandbox.handle().set_api_key("another-key");
    let (status, body) = refresh_in_time(&daemon, "?credential=api").await;
    assert_eq!((status, &body[0]["outcome"]), (502, &"failed".into()));
    assert!(body[0]["message"].as_str().unwrap().starts_with("the API refused the API key from "), "{body}");
    assert_eq!(fetch(&daemon).await.status(), 404);
}

/// Whatever wants a token: the API has said when it may be asked again.
#[tokio::test]
async fn a_rate_limited_endpoint_is_not_asked_before_its_time() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let builder = Builder::new(&sandbox.base_url());
    let file = builder.key_file();
    let daemon = builder.ready().await;
    rate_limit(&sandbox);
    let (status, body) = refresh_in_time(&daemon, "").await;
    let message = "the authentication endpoint answered 429";
    assert_eq!(
        (status, body),
        (502, json!([{ "credential": "api", "outcome": "failed", "message": message }]))
    );
    assert_eq!(fetch(&daemon).await.status(), 404, "the token is as good as before");
    assert_eq!(credential(&daemon, "api").await["trouble"]["kind"], "rate_limited");

    for _ in 0..5 {
        let (status, retry_after, _) = refresh(&daemon, "").await;
        assert_eq!(status, 429);
        let left = retry_after.unwrap();
        assert!((RATE_LIMITED - 60..=RATE_LIMITED + 60).contains(&left), "{left} s");
    }
    sandbox.handle().revoke_all();
    for _ in 0..20 {
        let answer = fetch(&daemon).await;
        assert!(answer.status() == 401 && !answer.headers().contains_key("x-liquid-proxy-error"));
    }
    std::fs::write(file, "the-next-key-4e19").unwrap();
    let noticed = async || daemon.log().contains("the secret has changed").then_some(());
    eventually("the new key is noticed", noticed).await;
    let (status, ..) = refresh(&daemon, "").await;
    assert_eq!(status, 429);
    assert_eq!(sandbox.handle().authentications(), 2);
    assert_eq!(attempts(&daemon, "api", "rate_limited").await, 1.0);
}

#[tokio::test]
async fn without_a_token_requests_are_told_how_long_the_rate_limit_lasts() {
    let life = Duration::from_secs(3);
    let sandbox = Sandbox::start(Settings { token_lifetime: life, ..settings() }).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    rate_limit(&sandbox);
    let refused = eventually("the token ends", async || {
        let answer = fetch(&daemon).await;
        (answer.status() != 404).then_some(answer)
    })
    .await;
    let told: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((RATE_LIMITED - 60..=RATE_LIMITED + 60).contains(&told), "{told} s");
    assert_own_answer(refused, 429, "authentication_rate_limited").await;
    assert_eq!(daemon.admin("/readyz").await.0, 503);
    for _ in 0..20 {
        assert_own_answer(fetch(&daemon).await, 429, "authentication_rate_limited").await;
    }
    assert_eq!(attempts(&daemon, "api", "rate_limited").await, 1.0);
    assert_eq!(
        sandbox.handle().tokens().len(),
        usize::try_from(sandbox.handle().authentications()).unwrap() - 1
    );
}

#[tokio::test]
async fn without_a_token_requests_are_told_when_the_next_attempt_is() {
    let life = Duration::from_secs(2);
    let sandbox = Sandbox::start(Settings { token_lifetime: life, ..settings() }).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).set("token.wait_timeout", "100ms").ready().await;
    sandbox.handle().set_fault(Scope::Authentication, fault(FaultKind::Status(503)));
    let refused = eventually("the token ends", async || {
        let answer = fetch(&daemon).await;
        (answer.status() != 404).then_some(answer)
    })
    .await;
    let envelope = assert_own_answer(refused, 503, "token_unavailable").await;
    assert!(envelope["message"].as_str().unwrap().contains("answered 503"), "{envelope}");
    assert!(sandbox.handle().calls().iter().all(|call| call.status != 401), "a token was used too long");
    sandbox.handle().set_fault(Scope::Authentication, None);
    let works = async || (fetch(&daemon).await.status() == 404).then_some(());
    eventually("requests work again", works).await;
}

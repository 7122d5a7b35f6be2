//! A 401 that no new token helps against, or for which there is none: it passes, and soon.

use std::time::Duration;

use liquid_auth_proxy::sandbox::LimitHeaders;

use super::*;

const REQUESTS: usize = 200;

async fn search(daemon: &Daemon) -> Answer {
    answer(client().post(daemon.url("/catalog/search")).body(r#"{"search":"gin"}"#)).await
}

/// Every request to the endpoint gets a 401, and all of them cost two renewals: one token may have been
/// revoked, two in a row were not. A request on another route is as good as ever.
async fn costs_two_renewals(endpoint: &str, path: impl Fn(usize) -> String) {
    let (sandbox, daemon) = start().await;
    sandbox.handle().set_fault(Scope::Path(endpoint.into()), fault(FaultKind::Status(401)));
    for number in 0..REQUESTS {
        let seen = answer(client().get(daemon.url(&path(number)))).await;
        assert_eq!(seen.status, 401);
    }
    assert_eq!(sandbox.handle().authentications(), 3);
    assert_eq!(calls(&sandbox.handle()).len(), REQUESTS + 2, "two of them were sent again");
    assert_eq!(sent_again(&daemon, "rejected").await, 2.0);

    sandbox.handle().revoke_all();
    let seen = search(&daemon).await;
    assert_eq!(seen.status, 200);
    assert_sent_again(&seen);
    assert_eq!(sandbox.handle().authentications(), 4);

    // Whoever gets the permission after all is not held to what was.
    sandbox.handle().set_fault(Scope::Path(endpoint.into()), None);
    assert_ne!(answer(client().get(daemon.url(&path(0)))).await.status, 401);
    sandbox.handle().revoke_all();
    let seen = answer(client().get(daemon.url(&path(0)))).await;
    assert_ne!(seen.status, 401);
    assert_sent_again(&seen);
    assert_eq!(sandbox.handle().authentications(), 5);
}

#[tokio::test]
async fn an_endpoint_that_always_answers_401_costs_two_renewals() {
    costs_two_renewals(FETCH, |_| FETCH.into()).await;
}

#[tokio::test]
async fn an_endpoint_below_api_whose_paths_end_in_ids() {
    costs_two_renewals("/users/fetch", |number| format!("/api/users/fetch/{number}?at={number}")).await;
}

#[tokio::test]
async fn an_endpoint_whose_paths_end_in_ids() {
    costs_two_renewals("/users/fetch", |number| format!("/users/fetch/66f0c2{number}")).await;
}

/// The 401 passes before the limit of the test, though requests may wait for a token for longer than that.
async fn passes_at_once(kind: FaultKind) {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).set("token.wait_timeout", "5m").ready().await;
    sandbox.handle().set_fault(Scope::Authentication, fault(kind));
    sandbox.handle().revoke_all();
    for _ in 0..20 {
        let seen = answer(client().get(daemon.url(FETCH))).await;
        assert!(seen.status == 401 && seen.header("proxy-status").is_empty(), "{seen:?}");
    }
    assert_eq!(sandbox.handle().authentications(), 2, "asked once, and then left alone");
    assert_eq!(calls(&sandbox.handle()).len(), 20, "none was sent again");
}

#[tokio::test]
async fn with_the_authentication_endpoint_rate_limited_it_passes_at_once() {
    passes_at_once(FaultKind::RateLimited(LimitHeaders::RetryAfterSeconds, Duration::from_secs(600))).await;
}

#[tokio::test]
async fn with_the_key_refused_it_passes_at_once() {
    passes_at_once(FaultKind::Status(403)).await;
}

#[tokio::test]
async fn with_the_authentication_endpoint_down_it_passes_when_the_wait_is_over() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).set("token.wait_timeout", "300ms").ready().await;
    sandbox.handle().set_fault(Scope::Authentication, fault(FaultKind::Disconnect));
    sandbox.handle().revoke_all();
    let asked = async || {
        assert_eq!(fetch(&daemon).await, 401);
        (sandbox.handle().authentications() >= 3).then_some(())
    };
    eventually("it is asked again", asked).await;
    assert_eq!(daemon.admin("/readyz").await.0, 200, "as far as the proxy knows, the token is good");

    sandbox.handle().set_fault(Scope::Authentication, None);
    let works = async || (fetch(&daemon).await == 404).then_some(());
    eventually("requests work", works).await;
}

/// An issuer that gives the rejected token again cannot help, however often it is asked.
#[tokio::test]
async fn the_same_token_again_is_no_new_one() {
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).set("token.wait_timeout", "5m").ready().await;
    let asking = tokio::spawn(client().get(daemon.url(FETCH)).send());
    upstream.call().await.last_answer("401 Unauthorized", "x-word: the-apis-own\r\n", "{}").await;
    let seen = Answer::of(within_limit("it is answered", asking).await.unwrap().unwrap()).await;
    assert_eq!((seen.status.as_u16(), seen.header("x-word")), (401, vec!["the-apis-own"]));
    assert_eq!(upstream.authentications(), 2);
    assert!(!upstream.has_calls());
}

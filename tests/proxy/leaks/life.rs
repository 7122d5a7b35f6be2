//! A proxy's whole life: it starts, serves, renews its tokens in every way that it has, is given other keys,
//! and ends.

use std::time::Duration;

use liquid_auth_proxy::proxy::PLACEHOLDER;
use liquid_auth_proxy::sandbox::{FaultKind, LimitHeaders, Scope, Settings};
use rustix::process::Signal;

use super::evidence::{Evidence, Scene};
use super::{KEY, NEXT_KEY, REFUSED_KEY, World};
use crate::support::daemon::{Daemon, client};
use crate::support::eventually;
use crate::support::seen::{attempts, fault};

const JSON: &str = "Content-Type: application/json";

/// Says that the key's file holds another key, and that the API will take `known`.
async fn rotate(world: &World, daemon: &Daemon, file: &std::path::Path, key: &str, known: &str) {
    world.api.handle().set_api_key(known);
    std::fs::write(file, key).unwrap();
    daemon.signal(Signal::HUP);
}

#[tokio::test]
async fn a_whole_life_shows_no_secret() {
    // Short enough that tokens are renewed while this runs, long enough to be used meanwhile.
    let settings = Settings { token_lifetime: Duration::from_secs(24), ..Settings::default() };
    let (mut evidence, scene, world) = (Evidence::default(), Scene::new(), World::new(settings).await);
    let api = world.api.handle();
    let builder = world.builder(&scene).set("token.in_band", "true").set("token.refresh_ratio", "0.05");
    let daemon = builder.ready().await;

    // The proxy's own wish for a token in an app's request, then the app's.
    eventually("a token comes in band", async || {
        evidence.ask(&daemon, "POST /catalog/search", JSON, r#"{"search":"gin"}"#).await;
        (attempts(&daemon, "api", "in_band").await >= 1.0).then_some(())
    })
    .await;
    assert_eq!(evidence.ask(&daemon, "POST /cart/update", JSON, r#"{"id":"","refresh":true}"#).await, 200);
    assert!(evidence.tells("the answer", PLACEHOLDER));

    for (request, status) in [
        ("GET /authentication", 200),
        ("GET /api/order-authentication", 200),
        ("GET /orders?startDate=2026-01-01", 200),
        ("GET /users/fetch/nobody", 404),
        ("OPTIONS *", 404),
    ] {
        assert_eq!(evidence.ask(&daemon, request, "", "").await, status, "{request}");
    }

    // A 401 that another token helps with, one that none does, and answers of every other kind.
    api.revoke_all();
    assert_eq!(evidence.ask(&daemon, "POST /catalog/search", JSON, "{}").await, 200);
    assert_eq!(evidence.ask(&daemon, "GET /orders?startDate=2026-01-01", "", "").await, 200);
    for (kind, status) in [
        (FaultKind::Status(401), 401),
        (FaultKind::Status(403), 403),
        (FaultKind::RateLimited(LimitHeaders::RateLimitReset, Duration::from_secs(5)), 429),
        (FaultKind::EmptyOk, 200),
        (FaultKind::NotJson, 200),
        (FaultKind::TruncatedJson, 200),
        (FaultKind::Redirect, 302),
    ] {
        api.set_fault(Scope::Path("/cart".into()), fault(kind.clone()));
        for body in ["{}", r#"{"id":"","refresh":true}"#] {
            let got = evidence.ask(&daemon, "POST /cart/update", JSON, body).await;
            assert!(got == status || got == 502, "{kind:?}: {got}");
        }
    }
    api.set_fault(Scope::Path("/cart".into()), None);
    evidence.look_at(&daemon).await;

    evidence.end(daemon, &scene).await;
    evidence.assert_none(&world.secrets());
    // The search was worth it: all of this was told of, and nothing was written to a file.
    for told in ["asking for a token", "token renewed", "\"forced\":true", "draining"] {
        assert!(evidence.tells("the log", told), "{told}");
    }
    assert!(evidence.tells("standard output", "liquid-auth-proxy"));
    assert!(!evidence.tells("the name of a file", ""), "it wrote a file");
    assert!(api.tokens().len() >= 5);
}

#[tokio::test]
async fn troubles_with_the_issuer_and_other_keys_show_none() {
    let (mut evidence, scene, world) =
        (Evidence::default(), Scene::new(), World::new(Settings::default()).await);
    let api = world.api.handle();
    let builder = world.builder(&scene);
    let key_file = builder.key_file();
    let daemon = builder.ready().await;

    // While the token is still good. How an answer may be wrong is in `echoes`.
    for kind in [
        FaultKind::TruncatedJson,
        FaultKind::EchoKey,
        FaultKind::RateLimited(LimitHeaders::RetryAfterSeconds, Duration::from_secs(1)),
    ] {
        api.set_fault(Scope::Authentication, fault(kind));
        eventually("the API is asked", async || {
            let refresh = format!("http://{}/refresh", daemon.admin_address());
            let answer = client().post(refresh).send().await.unwrap();
            let shown = format!("{:?} {}", answer.headers(), answer.status());
            let went = answer.status() != 429;
            evidence.add("/refresh", shown + &answer.text().await.unwrap());
            went.then_some(())
        })
        .await;
        evidence.look_at(&daemon).await;
    }
    api.set_fault(Scope::Authentication, None);

    // The key is rotated, and then to one that the API refuses and repeats.
    let knows = |key: &str| {
        let calls = api.calls();
        calls.iter().any(|call| call.headers.get("x-liquid-api-key").is_some_and(|sent| sent == key))
    };
    rotate(&world, &daemon, &key_file, NEXT_KEY, NEXT_KEY).await;
    eventually("the next key is used", async || knows(NEXT_KEY).then_some(())).await;
    evidence.ask(&daemon, "POST /catalog/search", JSON, "{}").await;
    api.set_fault(Scope::Authentication, fault(FaultKind::EchoKey));
    rotate(&world, &daemon, &key_file, REFUSED_KEY, KEY).await;
    eventually("the other key is tried", async || knows(REFUSED_KEY).then_some(())).await;
    api.revoke_all();
    assert_eq!(evidence.ask(&daemon, "POST /catalog/search", JSON, "{}").await, 401);

    evidence.end(daemon, &scene).await;
    evidence.assert_none(&world.secrets());
    for told in ["the secret has changed", "looking at the files", "the API refused the API key"] {
        assert!(evidence.tells("the log", told), "{told}");
    }
}

/// A variable is the worse place for a key. What the proxy shows of it is the same: nothing.
#[tokio::test]
async fn secrets_in_variables_are_not_shown_either() {
    let (mut evidence, scene, world) =
        (Evidence::default(), Scene::new(), World::new(Settings::default()).await);
    let daemon = world
        .builder(&scene)
        .unset("credentials.api.key_file")
        .unset("credentials.orders.password_file")
        .variable("LIQUID_API_KEY", KEY)
        .variable("LIQUID_ORDERS_PASSWORD", super::ORDERS_PASSWORD)
        .ready()
        .await;
    assert_eq!(evidence.ask(&daemon, "GET /orders?startDate=2026-01-01", "", "").await, 200);
    world.api.handle().set_fault(Scope::Everything, fault(FaultKind::EchoKey));
    let refresh = client().post(format!("http://{}/refresh", daemon.admin_address()));
    let answer = refresh.send().await.unwrap();
    evidence.add("/refresh", answer.text().await.unwrap());
    evidence.end(daemon, &scene).await;
    evidence.assert_none(&world.secrets());
    assert!(evidence.tells("/status", "LIQUID_API_KEY"));
}

//! Ends of tokens that no clock shows, and clocks that change while the proxy runs. What the API key's
//! exchange makes of them is in `token_faults`; here is the Orders credential's, and skew.

use liquid_auth_proxy::sandbox::{FaultKind, OrdersAnswer, Sandbox, Scope, Settings};

use crate::support::daemon::{Builder, Daemon, client};
use crate::support::eventually;
use crate::support::own_answer::assert_own_answer;
use crate::support::seen::{attempts, credential, fault, settings};

const DAY: u64 = 86_400;

const SHAPES: [OrdersAnswer; 3] = [OrdersAnswer::Envelope, OrdersAnswer::Token, OrdersAnswer::AccessToken];

async fn start(orders_answer: OrdersAnswer, kind: FaultKind) -> (Sandbox, Daemon) {
    let sandbox = Sandbox::start(Settings { orders_answer, ..settings() }).await.unwrap();
    sandbox.handle().set_fault(Scope::OrderAuthentication, fault(kind));
    let builder = Builder::new(&sandbox.base_url()).orders();
    (sandbox, builder.set("token.wait_timeout", "100ms").start().await)
}

async fn list(daemon: &Daemon) -> reqwest::Response {
    client().get(daemon.url("/orders?startDate=2026-01-01")).send().await.unwrap()
}

/// The token is used, and thought to have so many seconds.
async fn is_used_for(shape: OrdersAnswer, kind: FaultKind, seconds: std::ops::RangeInclusive<u64>) {
    let (sandbox, daemon) = start(shape, kind).await;
    daemon.becomes_ready().await;
    assert_eq!(list(&daemon).await.status(), 200);
    let left = credential(&daemon, "orders").await["remaining_seconds"].as_u64().unwrap();
    assert!(seconds.contains(&left), "{shape:?}: {left} s");
    assert_eq!(sandbox.handle().order_authentications(), 1, "{shape:?}");
}

#[tokio::test]
async fn an_end_that_is_missing() {
    for shape in SHAPES {
        is_used_for(shape, FaultKind::NoExp, 540..=600).await;
    }
}

#[tokio::test]
async fn an_end_that_is_absurd() {
    for shape in SHAPES {
        is_used_for(shape, FaultKind::ExpAbsurd, 30 * DAY..=31 * DAY).await;
    }
}

#[tokio::test]
async fn an_end_that_is_past() {
    for shape in SHAPES {
        let (sandbox, daemon) = start(shape, FaultKind::ExpInPast).await;
        let envelope = assert_own_answer(list(&daemon).await, 503, "token_unavailable").await;
        let told = async || {
            let trouble = credential(&daemon, "orders").await["trouble"].clone();
            trouble["message"].as_str().is_some_and(|text| text.contains("has ended already")).then_some(())
        };
        eventually("it is told", told).await;
        assert_eq!(envelope["statusCode"], 503);
        assert!(sandbox.handle().order_authentications() < 20, "{shape:?}");
        sandbox.handle().set_fault(Scope::OrderAuthentication, None);
        eventually("it recovers", async || (list(&daemon).await.status() == 200).then_some(())).await;
        assert_eq!(attempts(&daemon, "orders", "ok").await, 1.0, "{shape:?}");
    }
}

/// Told once each time that the clocks part, and not while they are close.
#[tokio::test]
async fn the_servers_clock_is_set_while_the_proxy_runs() {
    let life = std::time::Duration::from_secs(2);
    let sandbox = Sandbox::start(Settings { token_lifetime: life, ..settings() }).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    for (offset_seconds, warnings) in [(20, 0), (3600, 1), (-3600, 1), (-20, 1), (-86_400, 2), (0, 2)] {
        sandbox.handle().set_clock_offset_ms(offset_seconds * 1000);
        let measured = async || {
            let skew = daemon.metric(r#"liquid_proxy_clock_skew_seconds{credential="api"}"#).await;
            ((skew - offset_seconds as f64).abs() < 5.0).then_some(())
        };
        eventually("the skew is measured", measured).await;
        // One more life, so that there was time to say it twice.
        let before = credential(&daemon, "api").await["generation"].as_u64();
        let renewed = async || {
            let answer = client().get(daemon.url("/users/fetch/nobody")).send().await.unwrap();
            assert_eq!(answer.status(), 404, "a request failed at {offset_seconds} s");
            (credential(&daemon, "api").await["generation"].as_u64() > before).then_some(())
        };
        eventually("the token is renewed", renewed).await;
        let told = async || {
            let log = daemon.log();
            let count = log.lines().filter(|line| line.contains("the server's clock differs")).count();
            assert!(count <= warnings, "{log}");
            (count == warnings).then_some(())
        };
        eventually("it is told as often", told).await;
    }
    let calls = sandbox.handle().calls();
    assert!(calls.iter().all(|call| call.status != 401), "a token was used too long");
}

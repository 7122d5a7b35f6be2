//! The Orders API's own credential: its paths get its token, all others never do.

use std::time::{Duration, Instant};

use http::StatusCode;
use liquid_auth_proxy::sandbox::{
    DEFAULT_ORDERS_PASSWORD, DEFAULT_ORDERS_USER_ID, FaultKind, OrdersAnswer, Sandbox, Scope, Settings,
};
use serde_json::Value;

use crate::support::client::{Answer, Client};
use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::own_answer::{self, assert_own_answer};
use crate::support::secrets::Secrets;
use crate::support::seen::{attempts, bearer, calls, credential, fault, settings};
use crate::support::{eventually, within_limit};

/// Answered with 200 when the right token comes with it.
const LIST: &str = "/orders?startDate=2026-01-01";

/// How many seconds the sandbox's Orders tokens have left soon after the start.
const ORDERS_TOKENS_LIFE: std::ops::RangeInclusive<u64> = 540..=600;

async fn get(daemon: &Daemon, path: &str) -> u16 {
    within_limit("an answer comes", client().get(daemon.url(path)).send()).await.unwrap().status().as_u16()
}

/// `GET path`, which goes out as it stands here.
async fn raw(daemon: &Daemon, path: &str) -> Answer {
    let head = format!("GET {path} HTTP/1.1\nhost: localhost");
    Client::request(daemon, &head).await.answer().await
}

async fn search(daemon: &Daemon) -> u16 {
    let sent = client().post(daemon.url("/catalog/search")).body(r#"{"search":"gin"}"#).send();
    within_limit("an answer comes", sent).await.unwrap().status().as_u16()
}

/// The API takes a token for its own paths only, so one that goes astray shows as a 401.
async fn each_on_its_own_paths(settings: Settings, exp: Option<FaultKind>) {
    let sandbox = Sandbox::start(settings).await.unwrap();
    sandbox.handle().set_fault(Scope::OrderAuthentication, exp.and_then(fault));
    let daemon = Builder::new(&sandbox.base_url()).orders().ready().await;
    let remaining = credential(&daemon, "orders").await["remaining_seconds"].as_u64().unwrap();
    assert!(ORDERS_TOKENS_LIFE.contains(&remaining), "{remaining} s");

    assert_eq!(get(&daemon, LIST).await, 200);
    assert_eq!(get(&daemon, &format!("/api{LIST}")).await, 200);
    assert_eq!(get(&daemon, "/orders/1").await, 404, "no such order");
    assert_eq!(get(&daemon, "/api/orders/1").await, 404);
    assert_eq!(search(&daemon).await, 200);
    assert_eq!(get(&daemon, "/ordersx").await, 404, "no such route");
    assert_eq!(get(&daemon, "/users/fetch/orders").await, 404, "no such user");

    let calls = calls(&sandbox.handle());
    assert_eq!(calls.len(), 7);
    let (orders, api): (Vec<_>, Vec<_>) = calls.iter().enumerate().partition(|(place, _)| *place < 4);
    let orders_token = bearer(orders[0].1);
    let api_token = bearer(api[0].1);
    assert_ne!(orders_token, api_token);
    assert!(orders.iter().all(|(_, call)| bearer(call) == orders_token));
    assert!(api.iter().all(|(_, call)| bearer(call) == api_token));
    assert_eq!((sandbox.handle().authentications(), sandbox.handle().order_authentications()), (1, 1));
}

#[tokio::test]
async fn each_credential_on_its_own_paths() {
    each_on_its_own_paths(Settings { orders_answer: OrdersAnswer::Envelope, ..settings() }, None).await;
}

#[tokio::test]
async fn an_orders_token_with_its_end_in_unix_milliseconds() {
    each_on_its_own_paths(Settings { orders_answer: OrdersAnswer::Token, ..settings() }, None).await;
}

#[tokio::test]
async fn an_orders_token_with_its_end_in_unix_seconds() {
    let settings = Settings { orders_answer: OrdersAnswer::Token, ..settings() };
    each_on_its_own_paths(settings, Some(FaultKind::ExpInSeconds)).await;
}

#[tokio::test]
async fn an_orders_token_under_its_older_names() {
    each_on_its_own_paths(Settings { orders_answer: OrdersAnswer::AccessToken, ..settings() }, None).await;
}

#[tokio::test]
async fn a_path_of_doubtful_meaning_gets_no_credential() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).orders().ready().await;
    for path in [
        "/orders;x",
        "/orders;x/1",
        "/api//orders",
        "//orders",
        "/%6Frders",
        "/%256Frders",
        "/Orders",
        "/API/orders/1",
        "/orders/../cart/update",
        "/cart/%2e%2e/orders",
        "/cart/..%2Forders",
        "/orders\\1",
        "/./orders",
    ] {
        let answer = raw(&daemon, path).await;
        let message = own_answer::check(&answer, "request_not_allowed", "http_request_denied", path);
        assert!(message.contains("write it plainly"), "{message}");
    }
    // What stands behind a plain prefix is of no account: there is no way out of it.
    assert_eq!(raw(&daemon, "/orders/a%20b").await.status, StatusCode::NOT_FOUND);
    assert_eq!(calls(&sandbox.handle()).len(), 1, "nothing else reached the API");
}

#[tokio::test]
async fn without_an_orders_credential_its_paths_say_what_to_configure() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    for path in ["/orders", "/api/orders", "/orders/1", "/order-authentication", "/api/order-authentication"]
    {
        let answer = raw(&daemon, path).await;
        let message =
            own_answer::check(&answer, "credential_not_configured", "destination_unavailable", path);
        for setting in [
            "credentials.orders.user_id",
            "LIQUID_ORDERS_USER_ID",
            "credentials.orders.password_file",
            "LIQUID_ORDERS_PASSWORD_FILE",
        ] {
            assert!(message.contains(setting), "{message}");
        }
    }
    assert_eq!(search(&daemon).await, 200);
    assert_eq!(get(&daemon, "/ordersx").await, 404);
    assert_eq!(calls(&sandbox.handle()).len(), 2, "those that need no Orders credential");
    assert_eq!(sandbox.handle().order_authentications(), 0);
}

#[tokio::test]
async fn a_wrong_orders_password_is_the_orders_paths_trouble_alone() {
    let settings = Settings { orders_password: "another-password".into(), ..settings() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).orders().start().await;
    let envelope = assert_own_answer(
        within_limit("it is told", client().get(daemon.url("/orders/1")).send()).await.unwrap(),
        502,
        "credential_rejected",
    )
    .await;
    let message = envelope["message"].as_str().unwrap();
    let told = format!("the API refused the Orders password of user {DEFAULT_ORDERS_USER_ID} from /");
    assert!(message.starts_with(&told) && message.ends_with("/orders_password (401)"), "{message}");
    for _ in 0..20 {
        assert_eq!(search(&daemon).await, 200);
        assert_eq!(get(&daemon, "/orders/1").await, 502);
    }

    let (status, pending) = daemon.admin("/readyz").await;
    assert_eq!((status, pending), (503, format!("credential orders: {message}\n")));
    let (api, orders) = (credential(&daemon, "api").await, credential(&daemon, "orders").await);
    assert_eq!((&api["state"], &api["trouble"]), (&"available".into(), &Value::Null));
    assert_eq!((&orders["state"], &orders["trouble"]["kind"]), (&"unavailable".into(), &"refused".into()));
    assert_eq!(orders["trouble"]["message"], message);
    assert!(orders["source"].as_str().unwrap().ends_with("/orders_password"), "{orders}");
    assert_eq!(attempts(&daemon, "orders", "refused").await, 1.0);
    assert_eq!(attempts(&daemon, "api", "refused").await, 0.0);
    assert_eq!((sandbox.handle().authentications(), sandbox.handle().order_authentications()), (1, 1));
    let secrets = Secrets::new([("the password", DEFAULT_ORDERS_PASSWORD), ("the key", KEY)]);
    secrets.assert_absent("the log", daemon.log());
    secrets.assert_absent("the answer", envelope.to_string());
    secrets.assert_absent("/status", daemon.status().await.to_string());
}

#[tokio::test]
async fn each_credential_has_metrics_and_a_state_of_its_own() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).orders().ready().await;
    for (name, life) in [("api", 86_400), ("orders", 600)] {
        let entry = credential(&daemon, name).await;
        assert_eq!((&entry["state"], &entry["generation"]), (&"available".into(), &1.into()), "{entry}");
        let left = entry["remaining_seconds"].as_u64().unwrap();
        assert!((life - 60..=life).contains(&left), "{name}: {left} s");
        let gauge = format!(r#"liquid_proxy_token_remaining_seconds{{credential="{name}"}}"#);
        let left = daemon.metric(&gauge).await;
        assert!(((life - 60) as f64..=life as f64).contains(&left), "{name}: {left} s");
        assert_eq!(attempts(&daemon, name, "ok").await, 1.0);
    }
}

/// What apps are told of the Orders token's end is the API's word.
#[tokio::test]
async fn apps_are_told_the_orders_tokens_own_end() {
    let settings = Settings { orders_token_lifetime: Duration::from_secs(3600), ..settings() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).orders().ready().await;
    for method in [http::Method::GET, http::Method::POST] {
        let answer = client().request(method, daemon.url("/api/order-authentication")).send().await.unwrap();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        Secrets::of_sandbox(&sandbox.handle()).assert_absent("the answer", answer.to_string());
        // In this shape the API tells it in seconds from now, and so does the proxy.
        let left = answer["data"]["exp"].as_u64().unwrap();
        assert!((3540..=3600).contains(&left), "{answer}");
    }
    assert_eq!(sandbox.handle().order_authentications(), 1);
}

/// Time is what this is about: it takes as long as it says.
#[tokio::test]
async fn a_client_in_a_loop_never_notices_either_token_of_two_seconds() {
    let life = Duration::from_secs(2);
    let settings = Settings { token_lifetime: life, orders_token_lifetime: life, ..settings() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).orders().ready().await;
    let (client, started) = (client(), Instant::now());
    let (list, fetch) = (daemon.url(LIST), daemon.url("/users/fetch/nobody"));
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    let mut rounds = 0;
    while started.elapsed() < Duration::from_secs(10) {
        pace.tick().await;
        assert_eq!(client.get(&list).send().await.unwrap().status(), 200);
        assert_eq!(client.get(&fetch).send().await.unwrap().status(), 404);
        rounds += 1;
    }
    assert!(rounds > 50, "{rounds} rounds are no loop");
    let handle = sandbox.handle();
    assert!(handle.calls().iter().all(|call| call.status != 401), "a token was used too long");
    for count in [handle.authentications(), handle.order_authentications()] {
        assert!((6..=20).contains(&count), "{count} authentications in 10 s");
    }
    // Both go on when nobody asks.
    let before = handle.order_authentications();
    eventually("it is renewed", async || (handle.order_authentications() > before).then_some(())).await;
}

//! Every answer that the proxy gives itself.

use std::collections::BTreeSet;
use std::time::Duration;

use liquid_auth_proxy::sandbox::{FaultKind, LimitHeaders, Scope, Settings};

use super::evidence::{Evidence, Scene};
use super::{CLIENT_TOKEN, KEY, PROXY_PASSWORD, PROXY_USER, World};
use crate::support::client::Client;
use crate::support::eventually;
use crate::support::http_proxy::Conduct;
use crate::support::seen::fault;

const ERRORS: &str = include_str!("../../../src/proxy/error.rs");

/// All codes, out of the one place where they are chosen.
fn codes() -> BTreeSet<String> {
    let (_, code) = ERRORS.split_once("pub fn code(").unwrap();
    let (code, _) = code.split_once("\n    }\n").unwrap();
    let codes: BTreeSet<_> = code.split('"').skip(1).step_by(2).map(String::from).collect();
    assert!(codes.len() > 15, "the codes stand elsewhere: {codes:?}");
    codes
}

#[tokio::test]
async fn none_of_them_shows_a_secret() {
    let mut evidence = Evidence::default();
    evidence.extend(no_token().await);
    evidence.extend(no_room_and_no_orders().await);
    evidence.extend(everything_else().await);
    let missing: Vec<_> = codes().difference(&evidence.codes).cloned().collect();
    assert!(missing.is_empty(), "no request here is answered with {missing:?}");
}

/// What keeps a token from coming, in turn, each in a proxy that has never had one.
async fn no_token() -> Evidence {
    let mut all = Evidence::default();
    for (kind, code) in [
        (FaultKind::Status(503), "token_unavailable"),
        (
            FaultKind::RateLimited(LimitHeaders::RetryAfterSeconds, Duration::from_secs(60)),
            "authentication_rate_limited",
        ),
        (FaultKind::EchoKey, "credential_rejected"),
    ] {
        let (mut evidence, scene, world) =
            (Evidence::default(), Scene::new(), World::new(Settings::default()).await);
        world.api.handle().set_fault(Scope::Everything, fault(kind));
        let daemon = world.builder(&scene).set("token.wait_timeout", "100ms").start().await;
        eventually(code, async || {
            for request in
                ["POST /catalog/search", "GET /authentication", "GET /orders", "POST /order-authentication"]
            {
                evidence.ask(&daemon, request, "", "").await;
            }
            evidence.codes.contains(code).then_some(())
        })
        .await;
        evidence.end(daemon, &scene).await;
        evidence.assert_none(&world.secrets());
        all.extend(evidence);
    }
    all
}

async fn no_room_and_no_orders() -> Evidence {
    let (mut evidence, scene, world) =
        (Evidence::default(), Scene::new(), World::new(Settings::default()).await);
    let daemon = world
        .builder(&scene)
        .unset("credentials.orders.user_id")
        .unset("credentials.orders.password_file")
        .set("requests.max_in_flight", "1")
        .ready()
        .await;
    assert_eq!(evidence.ask(&daemon, "GET /orders", "", "").await, 502);
    crate::support::no_request_is_under_way(&daemon).await;

    world.api.handle().set_fault(Scope::Path("/users".into()), fault(FaultKind::Hang));
    let first =
        format!("GET /users/fetch/1 HTTP/1.1\nHost: localhost\nX-Liquid-Client-Token: {CLIENT_TOKEN}");
    let first = Client::request(&daemon, &first).await;
    eventually("it is under way", async || {
        (world.api.handle().calls_to("/users/fetch/1") == 1).then_some(())
    })
    .await;
    assert_eq!(evidence.ask(&daemon, "GET /users/fetch/2", "", "").await, 503);
    drop(first);
    evidence.end(daemon, &scene).await;
    evidence.assert_none(&world.secrets());
    evidence
}

async fn everything_else() -> Evidence {
    let (mut evidence, scene, world) =
        (Evidence::default(), Scene::new(), World::new(Settings::default()).await);
    let api = world.api.handle();
    let daemon = world
        .builder(&scene)
        .set("requests.max_body", "1KiB")
        .set("requests.max_headers", "50")
        .set("requests.max_uri", "1KiB")
        .set("requests.deny", "DELETE /users")
        .set("upstream.http2", "never")
        .set("upstream.response_timeout", "2s")
        .set("upstream.idle_timeout", "1s")
        .ready()
        .await;

    // Who may call, and what: also with secrets where they do not belong.
    let shown = format!("X-Liquid-Client-Token: {CLIENT_TOKEN}");
    let get = "GET /users/fetch/1 HTTP/1.1";
    for (head, status) in [
        (format!("{get}\nHost: evil.example\n{shown}"), 421),
        (format!("{get}\nHost: localhost\nHost: localhost\n{shown}"), 421),
        (format!("{get}\n{shown}"), 421),
        (format!("GET http://evil.example/x HTTP/1.1\nHost: localhost\n{shown}"), 421),
        (format!("{get}\nHost: localhost\nOrigin: https://evil.example\n{shown}"), 403),
        (format!("{get}\nHost: localhost\nSec-Fetch-Site: cross-site\n{shown}"), 403),
        (format!("{get}\nHost: localhost"), 403),
        (format!("{get}\nHost: localhost\n{shown}\n{shown}"), 403),
        (format!("{get}\nHost: localhost\n{shown}x"), 403),
        (format!("CONNECT evil.example:443 HTTP/1.1\nHost: localhost\n{shown}"), 403),
        (format!("TRACE /x HTTP/1.1\nHost: localhost\n{shown}\nX-LIQUID-API-KEY: {KEY}"), 403),
        (format!("{get}\nHost: localhost\n{shown}\nConnection: Upgrade\nUpgrade: websocket"), 403),
        (format!("DELETE /users/1 HTTP/1.1\nHost: localhost\n{shown}"), 403),
        (format!("GET /users//1 HTTP/1.1\nHost: localhost\n{shown}"), 403),
        (format!("PUT /authentication HTTP/1.1\nHost: localhost\n{shown}"), 403),
        (format!("{get}\nHost: local host\n{shown}\nX: \x01"), 400),
        (format!("{get}\nHost: localhost\n{shown}\n{}", format!("X: {KEY}\n").repeat(50)), 431),
        (format!("{get}\nHost: localhost\n{shown}\n{}", format!("X: {KEY}\n").repeat(150)), 431),
        (format!("GET /{} HTTP/1.1\nHost: localhost\n{shown}", "x".repeat(2000)), 414),
    ] {
        assert_eq!(evidence.send(&daemon, &head, "").await, status, "{head}");
    }
    // Of the two tokens one is that of this path.
    let mut statuses = Vec::new();
    for token in api.tokens() {
        let head = format!("{get}\nHost: localhost\n{shown}\nAuthorization: Bearer {token}");
        statuses.push(evidence.send(&daemon, &head, "").await);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [404, 508]);

    // Bodies that do not come as they should.
    assert_eq!(evidence.ask(&daemon, "POST /cart/update", "", &"a".repeat(1025)).await, 413);
    let post = format!("POST /cart/update HTTP/1.1\nHost: localhost\n{shown}\nConnection: close");
    for (framing, piece, status) in
        [("Content-Length: 10", "half", 408), ("Transfer-Encoding: chunked", "no number\r\n", 400)]
    {
        let mut client = Client::request(&daemon, &format!("{post}\n{framing}")).await;
        client.send(piece.as_bytes()).await;
        assert_eq!(evidence.answer(framing, client).await, status);
    }

    // An API that cannot be reached, is silent, or speaks no HTTP.
    for (kind, status) in
        [(FaultKind::Hang, 504), (FaultKind::Status(500), 500), (FaultKind::Disconnect, 502)]
    {
        api.set_fault(Scope::Everything, fault(kind));
        assert_eq!(evidence.ask(&daemon, "POST /catalog/search", "", "{}").await, status);
    }
    // No connection is kept, and the proxy on the way repeats what it was told.
    api.set_fault(Scope::Everything, fault(FaultKind::Disconnect));
    let repeated = format!("HTTP/1.1 407 {PROXY_PASSWORD}\r\nX-Was: {PROXY_USER}\r\n\r\n{PROXY_PASSWORD}");
    world.proxy.set(Conduct::Answer(Box::leak(repeated.into_boxed_str()).as_bytes()));
    eventually("the API is out of reach", async || {
        assert_eq!(evidence.ask(&daemon, "GET /users/fetch/1", "", "").await, 502);
        evidence.codes.contains("upstream_unreachable").then_some(())
    })
    .await;
    evidence.end(daemon, &scene).await;
    evidence.assert_none(&world.secrets());
    evidence
}

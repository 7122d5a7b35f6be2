//! Who may call, and what: the proxy serves only requests that were meant for it.

mod pages;

use liquid_auth_proxy::sandbox::Sandbox;
use liquid_auth_proxy::secret::Secret;

use crate::support::client::{Answer, Client};
use crate::support::daemon::{Builder, Daemon, client};
use crate::support::eventually;
use crate::support::own_answer;
use crate::support::secrets::Secrets;
use crate::support::seen::{calls, settings};
use crate::support::upstream::Upstream;

const TOKEN: &str = "client-token-8f31c07a";
const HEADER: &str = "x-liquid-client-token";

async fn start() -> (Sandbox, Daemon) {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    (sandbox, daemon)
}

/// The answer to a request as it stands here, but for the empty line.
async fn asked(daemon: &Daemon, head: &str) -> Answer {
    Client::request(daemon, head).await.answer().await
}

#[tokio::test]
async fn only_names_of_the_proxys_are_served() {
    let (sandbox, daemon) = start().await;
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000", "0.0.0.0:8000"] {
        let seen = asked(&daemon, &format!("GET /users/fetch/1 HTTP/1.1\nHost: {host}")).await;
        assert_eq!(seen.status, 404, "{host}");
    }
    let served = calls(&sandbox.handle()).len();
    for host in
        ["rebind.evil.example:8000", "localhost.evil.example", "127.0.0.2", "x@localhost", "localhost."]
    {
        for path in ["/users/fetch/1", "/api/authentication"] {
            let seen = asked(&daemon, &format!("GET {path} HTTP/1.1\nHost: {host}")).await;
            let message = own_answer::check(&seen, "host_not_allowed", "http_request_denied", path);
            assert!(message.contains("listen.allowed_hosts"), "{message}");
        }
    }
    for lines in
        ["", "\nHost: localhost\nHost: localhost", "\nHost: localhost\nHost: evil.example", "\nHost:"]
    {
        let seen = asked(&daemon, &format!("GET /users/fetch/1 HTTP/1.1{lines}")).await;
        own_answer::check(&seen, "host_not_allowed", "http_request_denied", "/users/fetch/1");
    }
    assert_eq!(calls(&sandbox.handle()).len(), served, "nothing of it reached the API");
}

#[tokio::test]
async fn other_names_may_be_given() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon =
        Builder::new(&sandbox.base_url()).set("listen.allowed_hosts", "liquid.internal").ready().await;
    let with = async |host: &str| asked(&daemon, &format!("GET /users/fetch/1 HTTP/1.1\nHost: {host}")).await;
    assert_eq!(with("liquid.internal:8000").await.status, 404);
    assert_eq!(with("127.0.0.1").await.status, 404, "the address that it listens on");
    assert_eq!(with("localhost").await.status, 421);
}

#[tokio::test]
async fn the_admin_listener_is_for_no_page_either() {
    let (_sandbox, daemon) = start().await;
    let get = async |headers: &[(&str, &str)]| {
        let mut request = client().get(daemon.admin_url("/status"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(get(&[]).await, 200);
    assert_eq!(get(&[("host", "rebind.evil.example:8001")]).await, 421);
    assert_eq!(get(&[("origin", "http://evil.example")]).await, 403);
    assert_eq!(get(&[("sec-fetch-site", "cross-site")]).await, 403);
    let refresh = client().post(daemon.admin_url("/refresh")).header("origin", "null").send().await.unwrap();
    own_answer::assert_own_answer(refresh, 403, "origin_not_allowed").await;
}

#[tokio::test]
async fn clients_show_a_token_that_goes_no_further() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    let builder = Builder::new(&sandbox.base_url())
        .set("listen.client_token_file", file.to_str().unwrap())
        .set("log.level", "trace");
    let daemon = builder.ready().await;
    let with = async |token: &str| {
        client().get(daemon.url("/users/fetch/1")).header(HEADER, token).send().await.unwrap()
    };
    assert_eq!(with(TOKEN).await.status(), 404);
    for refused in [
        client().get(daemon.url("/users/fetch/1")).send().await.unwrap(),
        with("client-token-8f31c07b").await,
        client()
            .get(daemon.url("/users/fetch/1"))
            .header(HEADER, TOKEN)
            .header(HEADER, TOKEN)
            .send()
            .await
            .unwrap(),
        client().get(daemon.url("/api/authentication")).send().await.unwrap(),
    ] {
        let envelope = own_answer::assert_own_answer(refused, 403, "client_not_allowed").await;
        assert!(envelope["message"].as_str().unwrap().contains(HEADER), "{envelope}");
    }
    let calls = calls(&sandbox.handle());
    assert_eq!(calls.len(), 1);
    assert!(!calls[0].headers.contains_key(HEADER));

    let next = Secret::parse("client-token-next".into()).unwrap();
    std::fs::write(&file, next.expose()).unwrap();
    let accepted = async || (with(next.expose()).await.status() == 404).then_some(());
    eventually("the new token is taken", accepted).await;
    assert_eq!(with(TOKEN).await.status(), 403);
    let secrets = Secrets::new([("the client token", TOKEN), ("the next one", next.expose())]);
    secrets.assert_absent("the log", daemon.log());
}

/// Operators' tools know the proxy's address there, and pages only names.
#[tokio::test]
async fn an_admin_listener_for_other_machines_is_for_no_page_either() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let builder = Builder::new(&sandbox.base_url());
    let daemon = builder.set("admin.address", "0.0.0.0:0").set("listen.allow_remote", "true").ready().await;
    assert!(daemon.log().contains("admin.address: everyone who can reach"), "{}", daemon.log());
    let port = daemon.admin_address().port();
    let get = async |host: &str| {
        let url = format!("http://127.0.0.1:{port}/status");
        client().get(url).header("host", host).send().await.unwrap()
    };
    let status = get("10.1.2.3:8001").await;
    assert_eq!(status.status(), 200);
    assert!(status.text().await.unwrap().contains("admin.address: everyone"));
    let refused = get(&format!("rebind.evil.example:{port}")).await;
    own_answer::assert_own_answer(refused, 421, "host_not_allowed").await;
}

#[tokio::test]
async fn the_client_token_goes_no_further_behind_a_body_either() {
    let mut upstream = Upstream::start().await;
    let builder = Builder::new(&upstream.base_url());
    let file = builder.file("client_token", TOKEN);
    let daemon = builder.set("listen.client_token_file", &file).ready().await;
    let head = format!(
        "POST /x HTTP/1.1\nHost: localhost\n{HEADER}: {TOKEN}\nTrailer: {HEADER}, x-sum\nTransfer-Encoding: chunked"
    );
    let mut client = Client::request(&daemon, &head).await;
    let mut call = upstream.call().await;
    client.send_chunk(b"body").await;
    client.send(format!("0\r\n{HEADER}: {TOKEN}\r\nx-sum: 1\r\n\r\n").as_bytes()).await;
    assert_eq!(call.body_until(b"\r\n\r\n").await, b"4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n");
    call.answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

/// Whoever lets everyone in is told so, at the start and for as long as it holds.
#[tokio::test]
async fn an_open_door_is_told_of() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let remote = || {
        let builder = Builder::new(&sandbox.base_url());
        builder.set("listen.address", "0.0.0.0:0").set("listen.allow_remote", "true")
    };
    let (code, _, told) = remote().run(&["run"]).await;
    assert!(code == 64 && told.contains("listen.insecure_remote"), "{code} {told}");
    let daemon = remote().set("listen.insecure_remote", "true").ready().await;
    assert!(daemon.log().contains("listen.insecure_remote: everyone who can reach"), "{}", daemon.log());
    let warnings = daemon.status().await["warnings"].to_string();
    assert!(warnings.contains("listen.insecure_remote") && !warnings.contains("admin.address"), "{warnings}");
    let closed = start().await.1;
    assert!(closed.status().await.get("warnings").is_none());
}

#[tokio::test]
async fn rules_say_what_may_be_called() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url())
        .set("requests.presets", "catalog-read-only")
        .set("requests.allow", "GET /users/fetch, * /checkout")
        .set("requests.deny", "POST /checkout/complete")
        .ready()
        .await;
    let called = async |method: &str, path: &str| {
        asked(&daemon, &format!("{method} {path} HTTP/1.1\nHost: localhost\ncontent-length: 0")).await
    };
    for (method, path) in [
        ("POST", "/catalog/search"),
        ("POST", "/api/catalog/availability"),
        ("GET", "/users/fetch/1"),
        ("POST", "/checkout/prepare"),
    ] {
        let seen = called(method, path).await;
        assert!(seen.header("x-liquid-proxy-error").is_empty(), "{method} {path}: {}", seen.text());
    }
    let served = calls(&sandbox.handle()).len();
    for (method, path) in [
        ("GET", "/catalog/search"),
        ("POST", "/cart/update"),
        ("POST", "/checkout/complete"),
        ("POST", "/api/checkout/complete"),
        ("POST", "/checkout//complete"),
        ("POST", "/checkout/%2e%2e/cart/update"),
        ("POST", "/checkout%2Fcomplete"),
        ("POST", "/checkout/complete;x"),
        ("POST", "/Checkout/Complete"),
    ] {
        let seen = called(method, path).await;
        own_answer::check(&seen, "request_not_allowed", "http_request_denied", path);
    }
    assert_eq!(calls(&sandbox.handle()).len(), served);
    let local = client().get(daemon.url("/api/authentication")).send().await.unwrap();
    assert_eq!(local.status(), 200, "what the proxy answers itself calls nothing");
}

/// The API's address leads back to the proxy: the request is refused the second time.
#[tokio::test]
async fn a_request_that_comes_round_again_is_refused() {
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    let mut client = Client::request(&daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    let call = upstream.call().await;
    let ours = call.header("authorization")[0].to_owned();
    let looped = asked(&daemon, &format!("GET /x HTTP/1.1\nHost: localhost\nAuthorization: {ours}")).await;
    own_answer::check(&looped, "loop_detected", "proxy_loop_detected", "/x");
    call.last_answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);
    assert!(!upstream.has_calls());
}

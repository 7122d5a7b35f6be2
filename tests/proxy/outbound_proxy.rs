//! The API behind an HTTP proxy, which is somebody else's: it gets the name of the API and its own
//! credentials, and nothing more.

mod secrets;
mod tinyproxy;
mod trouble;

use liquid_auth_proxy::sandbox::{Sandbox, Settings, Tls};

use crate::support::client::{Answer, Client};
use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::http_proxy::{Conduct, HttpProxy};
use crate::support::own_answer;

/// A name that only the proxy can find.
const API: &str = "api.behind-the-proxy.example";

const USER: &str = "proxy-user-3b90";
const PASSWORD: &str = "proxy-passw0rd-c1d7";

/// An API over TLS that is known by `name`.
async fn sandbox(name: &str) -> Sandbox {
    let tls = Some(Tls { names: vec![name.to_owned()] });
    Sandbox::start(Settings { api_key: KEY.into(), tls, ..Settings::default() }).await.unwrap()
}

/// The proxy of ours, for that API.
fn builder(sandbox: &Sandbox) -> Builder {
    Builder::new(&format!("https://{API}")).trust(sandbox.ca_pem().unwrap()).orders()
}

fn with_credentials(proxy: &HttpProxy) -> String {
    format!("http://{USER}:{PASSWORD}@{}", proxy.address())
}

async fn search(daemon: &Daemon) -> Answer {
    let request = client().post(daemon.url("/catalog/search")).body(r#"{"search":"gin"}"#);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn tokens_and_requests_go_through_it() {
    let sandbox = sandbox(API).await;
    let mut proxy = HttpProxy::start(Conduct::Tunnel(sandbox.address())).await;
    let url = format!("http://{}", proxy.address());
    let daemon = builder(&sandbox).set("upstream.proxy", &url).ready().await;
    // Both credentials' tokens, and then the request.
    assert_eq!(proxy.heads().len(), 2);
    // On one connection, as each worker has tunnels of its own.
    let mut client = Client::request(&daemon, "GET /users/fetch/nobody HTTP/1.1\nHost: localhost").await;
    assert_eq!(client.answer().await.status, 404);
    let head = proxy.head().await;
    assert_eq!(head, format!("CONNECT {API}:443 HTTP/1.1\r\nHost: {API}:443\r\n\r\n"));
    let call = sandbox.handle().calls().pop().unwrap();
    assert_eq!(call.headers["host"], API);

    // The tunnel is used again.
    client.head("GET /users/fetch/nobody HTTP/1.1\nHost: localhost").await;
    assert_eq!(client.answer().await.status, 404);
    assert_eq!(proxy.heads(), [""; 0]);
}

#[tokio::test]
async fn the_variables_of_all_programs_are_enough() {
    let sandbox = sandbox(API).await;
    let mut proxy = HttpProxy::start(Conduct::Tunnel(sandbox.address())).await;
    let url = with_credentials(&proxy);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let daemon = builder(&sandbox).variable(name, &url).ready().await;
        assert_eq!(search(&daemon).await.status, 200);
        assert!(proxy.heads().len() >= 3, "{name}");
        let status = daemon.status().await;
        assert_eq!(status["proxy"], proxy.address().to_string());
        assert!(daemon.log().contains(&format!(r#""proxy":"{}""#, proxy.address())), "{}", daemon.log());
    }
}

#[tokio::test]
async fn each_connection_tells_the_proxy_who_we_are_and_the_api_does_not_hear_it() {
    let sandbox = sandbox(API).await;
    let mut proxy = HttpProxy::start(Conduct::Tunnel(sandbox.address())).await;
    let daemon = builder(&sandbox).variable("HTTPS_PROXY", &with_credentials(&proxy)).ready().await;
    // What an app sends of this kind is dropped, here as elsewhere.
    let request = client().get(daemon.url("/orders?startDate=2026-01-01"));
    let request = request.header("proxy-authorization", "Basic dGhlaXJzOnRoZWlycw==");
    assert_eq!(request.send().await.unwrap().status(), 200);
    let heads = proxy.heads();
    assert_eq!(heads.len(), 3);
    for head in heads {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let told: Vec<_> =
            lines.filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization")).collect();
        let [(_, value)] = told[..] else { panic!("{head}") };
        assert_eq!(value, format!("Basic {}", secrets::base64(&format!("{USER}:{PASSWORD}"))));
        for of_the_api in ["Bearer", KEY, "liquid-api"] {
            assert!(!head.contains(of_the_api), "{head}");
        }
    }
    for call in sandbox.handle().calls() {
        assert!(!call.headers.contains_key("proxy-authorization"), "{call:?}");
    }
}

#[tokio::test]
async fn whom_no_proxy_names_is_reached_without_it() {
    // Not loopback by its name, and yet this machine: what has no proxy can be reached.
    let sandbox = sandbox("0.0.0.0").await;
    let url = format!("https://0.0.0.0:{}", sandbox.address().port());
    let mut proxy = HttpProxy::start(Conduct::Tunnel(sandbox.address())).await;
    let through = format!("http://{}", proxy.address());
    let builder = || builder(&sandbox).set("upstream.base_url", &url).variable("HTTPS_PROXY", &through);

    let daemon = builder().variable("NO_PROXY", "10.0.0.1,localhost").ready().await;
    assert_eq!(search(&daemon).await.status, 200);
    assert_eq!(proxy.heads().len(), 3);
    for (name, value) in [
        ("NO_PROXY", "10.0.0.1, 0.0.0.0"),
        ("no_proxy", "0.0.0.0/8"),
        ("NO_PROXY", "*"),
        ("LIQUID_UPSTREAM__NO_PROXY", "0.0.0.0"),
        ("LIQUID_UPSTREAM__PROXY", "none"),
    ] {
        let daemon = builder().variable(name, value).ready().await;
        assert_eq!(search(&daemon).await.status, 200);
        assert_eq!(proxy.heads(), [""; 0], "{name}={value}");
        assert!(daemon.status().await.get("proxy").is_none());
    }
}

#[tokio::test]
async fn this_machine_is_reached_without_it() {
    let plain = Sandbox::start(Settings { api_key: KEY.into(), ..Settings::default() }).await.unwrap();
    let over_tls = sandbox("localhost").await;
    let mut proxy = HttpProxy::start(Conduct::Answer(b"HTTP/1.1 403 Forbidden\r\n\r\n")).await;
    let through = format!("http://{}", proxy.address());
    let in_front_of_tls = || Builder::new(&over_tls.base_url()).trust(over_tls.ca_pem().unwrap());
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "LIQUID_UPSTREAM__PROXY"] {
        for builder in [Builder::new(&plain.base_url()), in_front_of_tls()] {
            let daemon = builder.variable(name, &through).ready().await;
            assert_eq!(search(&daemon).await.status, 200);
            assert_eq!(proxy.heads(), [""; 0], "{name}");
        }
    }
}

#[tokio::test]
async fn the_certificate_is_the_apis_whoever_opens_the_tunnel() {
    let (right, wrong) = (sandbox(API).await, sandbox("elsewhere.example").await);
    let proxy = HttpProxy::start(Conduct::Tunnel(right.address())).await;
    let builder = builder(&right).variable("HTTPS_PROXY", &with_credentials(&proxy));
    let daemon = builder.ready().await;
    proxy.set(Conduct::Tunnel(wrong.address()));
    let answer = search(&daemon).await;
    let message =
        own_answer::check(&answer, "upstream_unreachable", "tls_certificate_error", "/catalog/search");
    assert!(message.contains("its TLS certificate is not accepted"), "{message}");
    assert!(wrong.handle().calls().is_empty());
}

#[tokio::test]
async fn check_goes_the_same_way_and_says_so() {
    let sandbox = sandbox(API).await;
    let mut proxy = HttpProxy::start(Conduct::Tunnel(sandbox.address())).await;
    let builder = builder(&sandbox).variable("https_proxy", &with_credentials(&proxy));
    let (code, printed, errors) = builder.run(&["check", "--connect"]).await;
    assert_eq!(code, 0, "{printed}{errors}");
    assert_eq!(proxy.heads().len(), 2);
    let address = proxy.address();
    assert!(printed.contains(&format!("proxy          http://{address} (from https_proxy)")), "{printed}");
    assert!(printed.contains("resolved       127.0.0.1"), "{printed}");
    assert!(printed.contains(&format!(r#"proxy = "http://<redacted>@{address}""#)), "{printed}");
    secrets::of_proxy().assert_absent("what check prints", printed + &errors);
}

//! The API over TLS: always verified, and told nothing when it is not who it should be.

mod openssl;

use std::net::SocketAddr;

use liquid_auth_proxy::sandbox::{Sandbox, Settings, Tls};

use crate::support::client::Answer;
use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::port::Port;
use crate::support::{eventually, own_answer};

/// A sandbox at `listen`, with an authority of its own and a certificate for `name`.
async fn sandbox(listen: SocketAddr, name: &str) -> Sandbox {
    let tls = Some(Tls { names: vec![name.to_owned()] });
    let settings = Settings { listen, api_key: KEY.into(), tls, ..Settings::default() };
    // Where another listened a moment ago, it takes that moment until its socket is gone.
    eventually("the sandbox starts", async || Sandbox::start(settings.clone()).await.ok()).await
}

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn search(daemon: &Daemon) -> Answer {
    Answer::of(client().post(daemon.url("/catalog/search")).body(r#"{"search":"gin"}"#).send().await.unwrap())
        .await
}

/// Checks that the proxy gets no token from `sandbox` for want of trust, that users see why, and that
/// nothing was sent.
async fn is_not_trusted(builder: Builder, sandbox: &Sandbox, why: &str) {
    let daemon = builder.set("token.wait_timeout", "100ms").start().await;
    eventually("an attempt has failed", async || daemon.admin("/readyz").await.1.contains(why).then_some(()))
        .await;
    let message = own_answer::check(
        &search(&daemon).await,
        "token_unavailable",
        "destination_unavailable",
        "/catalog/search",
    );
    assert!(message.contains("certificate") && message.contains(why), "{message}");
    assert!(sandbox.handle().calls().is_empty());
}

#[tokio::test]
async fn a_plain_request_in_an_authenticated_one_out() {
    let sandbox = sandbox(anywhere(), "localhost").await;
    let daemon = Builder::new(&sandbox.base_url()).trust(sandbox.ca_pem().unwrap()).ready().await;
    let answer = search(&daemon).await;
    assert_eq!(answer.status, 200);
    let catalog: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(!catalog["products"].as_array().unwrap().is_empty());
    assert_eq!(sandbox.handle().authentications(), 1);
}

#[tokio::test]
async fn an_unknown_authority_gets_no_key() {
    let (known, unknown) = (sandbox(anywhere(), "localhost").await, sandbox(anywhere(), "localhost").await);
    let untold = Builder::new(&unknown.base_url());
    is_not_trusted(untold, &unknown, "UnknownIssuer").await;
    let told_another = Builder::new(&unknown.base_url()).trust(known.ca_pem().unwrap());
    is_not_trusted(told_another, &unknown, "invalid peer certificate").await;
}

#[tokio::test]
async fn another_name_gets_no_key() {
    let sandbox = sandbox(anywhere(), "elsewhere.example").await;
    let builder = Builder::new(&sandbox.base_url()).trust(sandbox.ca_pem().unwrap());
    is_not_trusted(builder, &sandbox, "not valid for name").await;
}

#[tokio::test]
async fn an_authority_that_changes_gets_no_token() {
    let port = Port::reserve();
    let good = sandbox(port.address(), "localhost").await;
    let daemon = Builder::new(&good.base_url()).trust(good.ca_pem().unwrap()).ready().await;
    drop(good);
    let bad = sandbox(port.address(), "localhost").await;

    let answer = search(&daemon).await;
    let message =
        own_answer::check(&answer, "upstream_unreachable", "tls_certificate_error", "/catalog/search");
    assert!(
        message.contains("its TLS certificate is not accepted")
            && message.contains("invalid peer certificate"),
        "{message}"
    );
    assert!(bad.handle().calls().is_empty());
}

//! The sandbox through real sockets: plain and TLS, HTTP/1.1 and HTTP/2, and with the vendor's SDK.

#![allow(clippy::unwrap_used, reason = "what helps a test is part of the test")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use liquid_auth_proxy::sandbox::{
    DEFAULT_API_KEY, DEFAULT_ORDERS_PASSWORD, DEFAULT_ORDERS_USER_ID, Fault, FaultKind, Sandbox, Scope,
    Settings, Tls,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

type Caller = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Which HTTP a client speaks.
#[derive(Debug, Clone, Copy)]
enum Http {
    One,
    Two,
}

/// A client that trusts this authority and nothing else.
fn client(ca_pem: Option<&str>, http: Http) -> Caller {
    let mut roots = RootCertStore::empty();
    if let Some(pem) = ca_pem {
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    match http {
        Http::One => Client::builder(TokioExecutor::new()).build(connector.enable_http1().build()),
        Http::Two => {
            Client::builder(TokioExecutor::new()).http2_only(true).build(connector.enable_http2().build())
        }
    }
}

async fn call(
    client: &Caller,
    sandbox: &Sandbox,
    method: Method,
    path: &str,
) -> Result<Response<Incoming>, Error> {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", sandbox.base_url()))
        .header("x-liquid-api-key", DEFAULT_API_KEY)
        .body(Full::default())
        .unwrap();
    client.request(request).await
}

async fn authenticate(client: &Caller, sandbox: &Sandbox) -> Result<Response<Incoming>, Error> {
    call(client, sandbox, Method::GET, "/authentication").await
}

async fn json(response: Response<Incoming>) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

async fn over_tls(names: &[&str]) -> Sandbox {
    let tls = Tls { names: names.iter().map(|name| (*name).to_owned()).collect() };
    Sandbox::start(Settings { tls: Some(tls), ..Settings::default() }).await.unwrap()
}

#[tokio::test]
async fn plain_http_in_both_versions() {
    let sandbox = Sandbox::start(Settings::default()).await.unwrap();
    for (http, version) in [(Http::One, Version::HTTP_11), (Http::Two, Version::HTTP_2)] {
        let response = authenticate(&client(None, http), &sandbox).await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
        assert_eq!(json(response).await["data"]["type"], "ACCESS_TOKEN");
    }
    let host = sandbox.address().to_string();
    let calls = sandbox.handle().calls();
    assert!(calls.iter().all(|call| call.headers["host"] == host), "{calls:?}");
}

#[tokio::test]
async fn tls_in_both_versions_verified_against_its_own_authority() {
    let sandbox = over_tls(&["localhost"]).await;
    for (http, version) in [(Http::One, Version::HTTP_11), (Http::Two, Version::HTTP_2)] {
        let response = authenticate(&client(sandbox.ca_pem(), http), &sandbox).await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
    }
    assert_eq!(sandbox.handle().authentications(), 2);
}

#[tokio::test]
async fn another_authority_or_name_is_not_trusted() {
    let (sandbox, other) = (over_tls(&["localhost"]).await, over_tls(&["localhost"]).await);
    assert!(authenticate(&client(other.ca_pem(), Http::One), &sandbox).await.unwrap_err().is_connect());
    let elsewhere = over_tls(&["elsewhere.example"]).await;
    assert!(authenticate(&client(elsewhere.ca_pem(), Http::One), &elsewhere).await.unwrap_err().is_connect());
    assert_eq!(sandbox.handle().calls().len() + elsewhere.handle().calls().len(), 0);
}

#[tokio::test]
async fn a_disconnect_drops_the_connection_without_an_answer() {
    for http in [Http::One, Http::Two] {
        let sandbox = Sandbox::start(Settings::default()).await.unwrap();
        let client = client(None, http);
        let fault = Fault { kind: FaultKind::Disconnect, times: Some(1) };
        sandbox.handle().set_fault(Scope::Authentication, Some(fault));
        let error = authenticate(&client, &sandbox).await.unwrap_err();
        assert!(!error.is_connect(), "{http:?}: {error:?}");
        assert_eq!(sandbox.handle().calls()[0].status, 0);
        assert_eq!(authenticate(&client, &sandbox).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_hang_is_seen_but_never_answered_and_others_go_on() {
    let sandbox = Sandbox::start(Settings::default()).await.unwrap();
    let client = client(None, Http::Two);
    let fault = Fault { kind: FaultKind::Hang, times: None };
    sandbox.handle().set_fault(Scope::Path("/orders".to_owned()), Some(fault));
    let hanging = tokio::time::timeout(
        Duration::from_millis(200),
        call(&client, &sandbox, Method::GET, "/api/orders?startDate=2026-01-01"),
    );
    assert!(hanging.await.is_err());
    assert_eq!(authenticate(&client, &sandbox).await.unwrap().status(), 200);
    let statuses: Vec<_> = sandbox.handle().calls().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [0, 200]);
}

#[tokio::test]
async fn a_dropped_sandbox_is_gone_with_its_connections() {
    let sandbox = Sandbox::start(Settings::default()).await.unwrap();
    let client = client(None, Http::One);
    authenticate(&client, &sandbox).await.unwrap();
    let (handle, gone) = (sandbox.handle(), sandbox.base_url());
    drop(sandbox);
    let request = Request::get(format!("{gone}/authentication")).body(Full::default()).unwrap();
    // The first may still find the old connection in the pool; it must fail all the same.
    client.request(request).await.unwrap_err();
    assert_eq!(handle.authentications(), 1);
}

#[tokio::test]
async fn the_vendors_sdk_goes_through_a_whole_session() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk");
    assert!(
        suite.join("node_modules/@liquidcommerce/cloud-sdk").is_dir(),
        "the vendor's SDK is not installed: run `make test`, which does `npm ci` in tests/sdk",
    );
    let sandbox =
        Sandbox::start(Settings { orders_accept_api_token: false, ..Settings::default() }).await.unwrap();
    let mut node = Command::new("node");
    node.arg("session.mjs")
        .current_dir(suite)
        .env("BASE_URL", sandbox.base_url())
        .env("API_KEY", DEFAULT_API_KEY)
        .env("ORDERS_USER_ID", DEFAULT_ORDERS_USER_ID)
        .env("ORDERS_PASSWORD", DEFAULT_ORDERS_PASSWORD);
    let output =
        tokio::task::spawn_blocking(move || node.output()).await.unwrap().expect("node can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"));
    let steps = report["steps"].as_array().unwrap();
    assert!(output.status.success() && steps.iter().all(|step| step["ok"] == true), "{steps:#?}\n{errors}");

    // No proxy is between, so what the SDK received must hold the tokens: this is how the proxy's
    // test would notice a leak.
    let received = report["received"].to_string();
    let tokens = sandbox.handle().tokens();
    assert_eq!(tokens.len(), 4, "init, auth, refresh and orders");
    assert!(tokens.iter().all(|token| received.contains(token)));
    assert_eq!(report["received"].as_array().unwrap().len(), sandbox.handle().calls().len());
}

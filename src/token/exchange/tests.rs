//! An exchange with a real server on loopback.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::get;
use http::header::{LOCATION, RETRY_AFTER, USER_AGENT};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::tls::client_config;

const GOOD: &str = r#"{"metadata":{"timestamp":1731590739955},"data":{"token":"tok-1","exp":1731590799955}}"#;

fn key(secret: &str) -> SecretSource {
    SecretSource::Value { secret: Secret::parse(secret.into()).unwrap(), from: "LIQUID_API_KEY".into() }
}

fn exchange(address: SocketAddr, login: Login) -> Exchange {
    let url = format!("http://{address}/").parse().unwrap();
    Exchange::new(&url, client_config(None).unwrap(), None, Duration::from_secs(5), login, Clock::default())
        .unwrap()
}

/// A server that gives `answer` to each call, and what it was sent.
async fn server(
    answer: impl Fn() -> Response + Clone + Send + Sync + 'static,
) -> (SocketAddr, mpsc::Receiver<Request>) {
    let (sender, sent) = mpsc::channel(8);
    let answer = async move |request: Request| {
        sender.send(request).await.unwrap();
        answer()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(get(answer));
    tokio::spawn(async { axum::serve(listener, app).await });
    (address, sent)
}

async fn run(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Result<Grant, ExchangeError> {
    let (address, _sent) = server(answer).await;
    exchange(address, Login::ApiKey(key("key-1"))).run().await
}

fn answered(status: u16) -> http::response::Builder {
    Response::builder().status(status)
}

fn with_body(body: impl Into<Body>) -> Response {
    answered(200).body(body.into()).unwrap()
}

#[tokio::test]
async fn an_api_key_brings_a_token() {
    let (address, mut sent) = server(|| with_body(GOOD)).await;
    let grant = exchange(address, Login::ApiKey(key("key-1"))).run().await.unwrap();
    assert_eq!(grant.token.expose(), "tok-1");
    assert_eq!(grant.lifetime, Duration::from_secs(60));
    assert_eq!(grant.key.unwrap().expose(), "key-1");
    let sent = sent.recv().await.unwrap();
    assert_eq!(sent.uri(), "/api/authentication");
    assert_eq!(sent.headers()[API_KEY_HEADER], "key-1");
    assert_eq!(sent.headers()[CONTENT_TYPE], "application/json");
    assert!(sent.headers()[USER_AGENT].to_str().unwrap().starts_with("liquid-auth-proxy/"));
    assert!(!sent.headers().contains_key(AUTHORIZATION));
}

#[tokio::test]
async fn user_and_password_bring_a_token_of_the_orders_api() {
    let (address, mut sent) = server(|| with_body(GOOD)).await;
    let login = Login::Orders { user_id: "me".into(), password: key("pass-1") };
    let grant = exchange(address, login).run().await.unwrap();
    assert!(grant.key.is_none(), "a password is no API key");
    let sent = sent.recv().await.unwrap();
    assert_eq!(sent.uri(), "/api/order-authentication");
    assert_eq!(sent.headers()[AUTHORIZATION], "Basic bWU6cGFzcy0x");
    assert!(!sent.headers().contains_key(API_KEY_HEADER));
}

#[tokio::test]
async fn the_date_of_an_answer_stands_in_for_its_timestamp() {
    let body = r#"{"token":"tok-1","exp":1731590799955}"#;
    let at = || Response::builder().header(DATE, "Thu, 14 Nov 2024 13:25:40 GMT");
    let grant = run(move || at().body(body.into()).unwrap()).await.unwrap();
    assert_eq!(grant.lifetime, Duration::from_millis(59_955));
}

#[tokio::test]
async fn a_refusal_names_the_credential_and_its_source() {
    for status in [400, 401, 403] {
        let refused = run(move || answered(status).body("key-1".into()).unwrap()).await.unwrap_err();
        assert_eq!(refused.outcome(), "refused");
        let told = format!("the API refused the API key from LIQUID_API_KEY ({status})");
        assert_eq!(refused.to_string(), told);
    }
    let (address, _sent) = server(|| answered(401).body(Body::empty()).unwrap()).await;
    let login = Login::Orders { user_id: "me".into(), password: key("pass-1") };
    let refused = exchange(address, login).run().await.unwrap_err();
    let told = "the API refused the Orders password of user me from LIQUID_API_KEY (401)";
    assert_eq!(refused.to_string(), told);
}

#[tokio::test]
async fn a_429_says_how_long() {
    let limited = || answered(429).header(RETRY_AFTER, "90").body(Body::empty()).unwrap();
    let error = run(limited).await.unwrap_err();
    assert_eq!(error.outcome(), "rate_limited");
    let ExchangeError::RateLimited { retry_after } = error else { panic!("{error}") };
    assert_eq!(retry_after, Duration::from_secs(90));
}

#[tokio::test]
async fn any_other_answer_is_passing_trouble_and_may_say_how_long() {
    let asked = async |status: u16, header: &'static str| {
        let answer = move || answered(status).header(header, "30").body(Body::empty()).unwrap();
        let error = run(answer).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the authentication endpoint answered {status}"));
        assert_eq!(error.outcome(), "failed");
        let ExchangeError::Transient { retry_after, .. } = error else { panic!("{error}") };
        retry_after
    };
    for status in [404, 500, 503] {
        assert_eq!(asked(status, "retry-after").await, Some(Duration::from_secs(30)));
        assert_eq!(asked(status, "ratelimit-reset").await, None, "that is no wish to be left alone");
        assert_eq!(asked(status, "x-other").await, None);
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let (address, mut sent) =
        server(|| answered(302).header(LOCATION, "/else").body(Body::empty()).unwrap()).await;
    let error = exchange(address, Login::ApiKey(key("key-1"))).run().await.unwrap_err();
    assert_eq!(error.to_string(), "the authentication endpoint answered 302");
    assert!(sent.recv().await.is_some());
    assert!(sent.try_recv().is_err(), "the key goes nowhere else");
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_limit() {
    let padded = |length: usize| move || with_body(GOOD.to_owned() + &" ".repeat(length - GOOD.len()));
    assert!(run(padded(MAX_ANSWER)).await.is_ok());
    let told = "the authentication endpoint's answer is longer than 65536 bytes";
    assert_eq!(run(padded(MAX_ANSWER + 1)).await.unwrap_err().to_string(), told);
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    let told = run(|| with_body("{}")).await.unwrap_err().to_string();
    assert_eq!(told, "the authentication endpoint's answer holds no token");
    let short = || Response::builder().header("content-length", "99").body(Body::from("{")).unwrap();
    let told = run(short).await.unwrap_err().to_string();
    assert!(told.starts_with("the authentication call failed: "), "{told}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_with_its_cause() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = exchange(gone, Login::ApiKey(key("key-1"))).run().await.unwrap_err();
    assert_eq!(error.outcome(), "failed");
    let told = error.to_string();
    let expected = "cannot connect to the authentication endpoint: Connection refused";
    assert!(told.starts_with(expected), "{told}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_is_passing_or_not() {
    let nobody = "127.0.0.1:9".parse().unwrap();
    let read = async |path: PathBuf| exchange(nobody, Login::ApiKey(SecretSource::File(path))).run().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");

    let missing = read(file.clone()).await.unwrap_err();
    assert_eq!(missing.outcome(), "failed", "the file may come yet");
    std::fs::write(&file, " \n").unwrap();
    let empty = read(file.clone()).await.unwrap_err();
    assert_eq!(empty.outcome(), "refused");
    let told = format!("the API key from {} cannot be used: it is empty", file.display());
    assert_eq!(empty.to_string(), told);
}

#[test]
fn a_login_says_which_credential_it_is() {
    assert_eq!(Login::ApiKey(key("k")).credential(), Credential::Api);
    let orders = Login::Orders { user_id: "me".into(), password: key("p") };
    assert_eq!(orders.credential(), Credential::Orders);
}

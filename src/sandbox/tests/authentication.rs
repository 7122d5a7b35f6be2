//! Credentials, tokens, and the token asked for in band.

use std::time::Duration;

use super::super::{DEFAULT_ORDERS_PASSWORD, DEFAULT_ORDERS_USER_ID, Fault, FaultKind, OrdersAnswer, Scope};
use super::*;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

async fn order_authenticate(client: &Client, method: &str, password: &str) -> Got {
    let basic = STANDARD.encode(format!("{DEFAULT_ORDERS_USER_ID}:{password}"));
    let request = Request::builder()
        .method(method)
        .uri("/api/order-authentication")
        .header("authorization", format!("Basic {basic}"));
    client.got(request.body(Body::empty()).unwrap()).await
}

async fn with_exp(kind: FaultKind) -> (Value, Value) {
    let client = Client::new().await;
    client.handle.set_fault(Scope::Authentication, Some(Fault { kind, times: None }));
    let got = client.authenticate(DEFAULT_API_KEY).await;
    (got.body["data"]["exp"].clone(), got.body["metadata"]["timestamp"].clone())
}

#[tokio::test]
async fn the_right_key_gets_a_token_for_a_day() {
    let client = Client::new().await;
    let got = client.authenticate(DEFAULT_API_KEY).await;
    assert_eq!(got.codes(), (200, 200));
    assert_eq!(got.body["data"]["type"], "ACCESS_TOKEN");
    assert_eq!(got.body["metadata"]["path"], "/api/authentication");
    let lifetime =
        got.body["data"]["exp"].as_i64().unwrap() - got.body["metadata"]["timestamp"].as_i64().unwrap();
    assert_eq!(lifetime, 86_400_000);
    assert_eq!(client.handle.tokens().len(), 2);
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_401() {
    let client = Client::new().await;
    assert_eq!(client.authenticate("wrong").await.codes(), (401, 401));
    assert_eq!(client.get("/authentication").await.codes(), (401, 401));
    assert_eq!(client.handle.authentications(), 3);
    assert_eq!(client.handle.tokens().len(), 1);
}

#[tokio::test]
async fn a_rotated_key_leaves_tokens_valid() {
    let client = Client::new().await;
    client.handle.set_api_key("second");
    assert_eq!(client.authenticate(DEFAULT_API_KEY).await.codes(), (401, 401));
    assert_eq!(client.authenticate("second").await.codes(), (200, 200));
    assert_eq!(client.post("/catalog/search", json!({})).await.codes(), (200, 200));
}

#[tokio::test]
async fn unknown_revoked_and_expired_tokens_are_401() {
    let mut client = Client::new().await;
    let search = json!({});
    client.handle.revoke_all();
    assert_eq!(client.post("/catalog/search", search.clone()).await.codes(), (401, 401));
    client.token = "made-up".to_owned();
    assert_eq!(client.post("/catalog/search", search.clone()).await.codes(), (401, 401));
    client.handle.set_token_lifetime(Duration::ZERO);
    let got = client.authenticate(DEFAULT_API_KEY).await;
    client.token = got.body["data"]["token"].as_str().unwrap().to_owned();
    assert_eq!(client.post("/catalog/search", search).await.codes(), (401, 401));
}

#[tokio::test]
async fn two_authorizations_are_401() {
    let client = Client::new().await;
    let bearer = format!("Bearer {}", client.token);
    let request =
        Request::post("/catalog/search").header("authorization", &bearer).header("authorization", &bearer);
    assert_eq!(client.got(request.body(Body::empty()).unwrap()).await.codes(), (401, 401));
}

#[tokio::test]
async fn refresh_in_band_gives_a_token_that_works() {
    let mut client = Client::new().await;
    for (path, body) in [
        ("/cart/update", json!({ "refresh": true })),
        ("/api/catalog/search", json!({ "search": "gin", "refresh": true })),
        ("/webhook/test", json!({ "endpoint": "https://example.com", "refresh": true })),
    ] {
        let auth = client.post(path, body).await.body["auth"].take();
        assert_eq!(auth["type"], "ACCESS_TOKEN", "{path}");
        assert!(auth["exp"].is_i64(), "{path}");
        let new = auth["token"].as_str().unwrap().to_owned();
        assert_ne!(new, client.token, "{path}");
        client.token = new;
    }
    assert_eq!(client.handle.authentications(), 1);
}

#[tokio::test]
async fn no_auth_without_refresh_or_with_an_error() {
    let client = Client::new().await;
    for (path, body) in [
        ("/cart/update", json!({})),
        ("/cart/update", json!({ "refresh": "true" })),
        ("/cart/update", json!({ "items": { "refresh": true } })),
        ("/webhook/test", json!({ "endpoint": "nowhere", "refresh": true })),
    ] {
        assert!(client.post(path, body.clone()).await.body.get("auth").is_none(), "{path} {body}");
    }
}

#[tokio::test]
async fn the_orders_credential_has_three_answers() {
    for (shape, pointer, end) in [
        (OrdersAnswer::Envelope, "/data/token", "/data/exp"),
        (OrdersAnswer::Token, "/token", "/exp"),
        (OrdersAnswer::AccessToken, "/accessToken", "/expiresIn"),
    ] {
        let client = Client::with(Settings { orders_answer: shape, ..Settings::default() }).await;
        for method in ["GET", "POST"] {
            let got = order_authenticate(&client, method, DEFAULT_ORDERS_PASSWORD).await;
            assert_eq!(got.status, 200, "{shape:?}");
            assert_eq!(
                got.body.pointer(pointer).unwrap().as_str(),
                client.handle.tokens().last().map(String::as_str)
            );
            let end = got.body.pointer(end).unwrap().as_i64().unwrap();
            match shape {
                OrdersAnswer::Token => assert!(end > 1_600_000_000_000, "{end}"),
                OrdersAnswer::Envelope | OrdersAnswer::AccessToken => assert_eq!(end, 600),
            }
        }
        assert_eq!(order_authenticate(&client, "GET", "wrong").await.codes(), (401, 401));
        assert_eq!(client.handle.order_authentications(), 3);
    }
}

#[tokio::test]
async fn orders_want_their_own_token() {
    let list = "/orders?startDate=2020-01-01";
    for accepted in [true, false] {
        let settings = Settings { orders_accept_api_token: accepted, ..Settings::default() };
        let mut client = Client::with(settings).await;
        assert_eq!(client.get(list).await.status.is_success(), accepted);
        let got = order_authenticate(&client, "GET", DEFAULT_ORDERS_PASSWORD).await;
        client.token = got.body["data"]["token"].as_str().unwrap().to_owned();
        assert_eq!(client.get(list).await.codes(), (200, 200));
        assert_eq!(client.post("/catalog/search", json!({})).await.codes(), (401, 401));
    }
}

#[tokio::test]
async fn the_servers_clock_shows_everywhere() {
    let client = Client::new().await;
    let real = client.authenticate(DEFAULT_API_KEY).await;
    client.handle.set_clock_offset_ms(-31_536_000_000);
    let past = client.authenticate(DEFAULT_API_KEY).await;
    let ms = |got: &Got, pointer| got.body.pointer(pointer).unwrap().as_i64().unwrap();
    for pointer in ["/metadata/timestamp", "/data/exp"] {
        let behind = ms(&real, pointer) - ms(&past, pointer);
        assert!((31_535_940_000..=31_536_000_000).contains(&behind), "{pointer}: {behind}");
    }
    assert_ne!(real.headers["date"], past.headers["date"]);
    assert_eq!(client.post("/catalog/search", json!({})).await.codes(), (200, 200));
}

#[tokio::test]
async fn the_end_of_a_token_can_be_told_wrong() {
    assert_eq!(with_exp(FaultKind::NoExp).await.0, Value::Null);
    assert_eq!(with_exp(FaultKind::ExpAbsurd).await.0, i64::MAX);
    assert_eq!(with_exp(FaultKind::NoTimestamp).await.1, Value::Null);
    let (exp, now) = with_exp(FaultKind::ExpInPast).await;
    assert_eq!(exp.as_i64().unwrap() - now.as_i64().unwrap(), -60_000);
    let (exp, now) = with_exp(FaultKind::ExpInSeconds).await;
    assert_eq!(exp.as_i64().unwrap(), (now.as_i64().unwrap() + 86_400_000) / 1000);
}

#[tokio::test]
async fn the_issuer_can_hand_out_the_same_token() {
    let client = Client::new().await;
    client
        .handle
        .set_fault(Scope::Authentication, Some(Fault { kind: FaultKind::SameToken, times: Some(1) }));
    let token = |got: Got| got.body["data"]["token"].as_str().unwrap().to_owned();
    assert_eq!(token(client.authenticate(DEFAULT_API_KEY).await), client.token);
    assert_ne!(token(client.authenticate(DEFAULT_API_KEY).await), client.token);
}

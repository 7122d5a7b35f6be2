use liquid_auth_proxy::sandbox::{Sandbox, Settings};

use crate::support::daemon::{Builder, KEY, client};
use crate::support::upstream::{TOKEN, Upstream};

#[tokio::test]
async fn a_plain_request_in_an_authenticated_one_out() {
    let settings = Settings { api_key: KEY.into(), tls: Some(Default::default()), ..Settings::default() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).trust(sandbox.ca_pem().unwrap()).ready().await;

    let answer =
        client().post(daemon.url("/catalog/search")).body(r#"{"search":"gin"}"#).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let catalog: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert!(!catalog["products"].as_array().unwrap().is_empty());
    assert_eq!(sandbox.handle().authentications(), 1);
}

#[tokio::test]
async fn what_the_api_gets_is_what_the_app_sent_and_the_token() {
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;

    let asking = tokio::spawn(client().get(daemon.url("/orders?a=b")).send());
    let call = upstream.call().await;
    assert_eq!(call.line(), "GET /orders?a=b HTTP/1.1");
    assert_eq!(call.header("authorization"), [format!("Bearer {TOKEN}")]);
    call.answer("200 OK", "", "{}").await;
    assert_eq!(asking.await.unwrap().unwrap().text().await.unwrap(), "{}");
}

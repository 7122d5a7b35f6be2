//! A 401 from the API: the app does not see it when a new token helps, and nobody pays for it twice.

mod crowds;
mod denied;
mod early;
mod hopeless;

use liquid_auth_proxy::sandbox::{Fault, FaultKind, Sandbox, Scope};
use reqwest::RequestBuilder;
use sfv::BareItem;

use crate::support::client::{Answer, Client};
use crate::support::daemon::{Builder, Daemon, client};
use crate::support::own_answer::proxy_status;
use crate::support::seen::{calls, credential, fault, sent_again, settings};
use crate::support::upstream::{Call, Upstream};
use crate::support::{eventually, within_limit};

/// Answered with 404 when a token comes with it: the API knows nobody of this name.
const FETCH: &str = "/users/fetch/nobody";

/// A cart that is made at once; what stands between the members is nobody's business.
const CART: &str = "{\"id\" : \"\",\r\n\t\"items\":[ ]}";

async fn start() -> (Sandbox, Daemon) {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    (sandbox, daemon)
}

async fn answer(request: RequestBuilder) -> Answer {
    Answer::of(within_limit("an answer comes", request.send()).await.unwrap()).await
}

async fn fetch(daemon: &Daemon) -> u16 {
    answer(client().get(daemon.url(FETCH))).await.status.as_u16()
}

async fn renewals(sandbox: &Sandbox, count: u64) {
    let renewed = async || (sandbox.handle().authentications() == 1 + count).then_some(());
    eventually("the token is renewed", renewed).await;
}

/// The proxy tells that it sent the request again.
fn assert_sent_again(answer: &Answer) {
    let told = proxy_status(answer, "details");
    assert_eq!(
        told,
        BareItem::String("sent again with a new token after a 401".to_owned().try_into().unwrap())
    );
    assert!(answer.header("x-liquid-proxy-error").is_empty());
}

#[tokio::test]
async fn a_revoked_token_costs_one_renewal_and_no_failure() {
    let (sandbox, daemon) = start().await;
    assert_eq!(fetch(&daemon).await, 404);
    sandbox.handle().revoke_all();

    let search = client().post(daemon.url("/catalog/search")).body(r#"{"search":"gin"}"#);
    let seen = answer(search).await;
    assert_eq!(seen.status, 200);
    assert_sent_again(&seen);
    assert_eq!(sandbox.handle().authentications(), 2);
    assert_eq!(sent_again(&daemon, "accepted").await, 1.0);
    assert_eq!(sent_again(&daemon, "rejected").await, 0.0);

    // From then on it is as it was.
    let seen = answer(client().get(daemon.url(FETCH))).await;
    assert!(seen.status == 404 && seen.header("proxy-status").is_empty(), "{seen:?}");
    let statuses: Vec<_> = calls(&sandbox.handle()).iter().map(|call| call.status).collect();
    assert_eq!(statuses, [404, 401, 200, 404]);
}

#[tokio::test]
async fn get_and_head_are_sent_again() {
    let (sandbox, daemon) = start().await;
    for (renewals, method) in [(1, http::Method::HEAD), (2, http::Method::GET)] {
        sandbox.handle().revoke_all();
        let seen = answer(client().request(method.clone(), daemon.url(FETCH))).await;
        assert_eq!(seen.status, 404);
        assert_eq!(seen.body.is_empty(), method == http::Method::HEAD);
        assert_sent_again(&seen);
        assert_eq!(sandbox.handle().authentications(), 1 + renewals);
    }
    let methods: Vec<_> = calls(&sandbox.handle()).into_iter().map(|call| call.method.to_string()).collect();
    assert_eq!(methods, ["HEAD", "HEAD", "GET", "GET"]);
}

#[tokio::test]
async fn a_body_is_sent_again_byte_for_byte() {
    let (sandbox, daemon) = start().await;
    sandbox.handle().revoke_all();
    let cart = client().post(daemon.url("/api/cart/update?a=b&a=%2F")).header("x-app", "its own").body(CART);
    let seen = answer(cart).await;
    assert_eq!(seen.status, 200);
    assert_sent_again(&seen);

    // In chunks, its length is known when it is sent again.
    sandbox.handle().revoke_all();
    let head = "POST /api/cart/update?a=b&a=%2F HTTP/1.1\nhost: localhost\nx-app: its own\n\
                transfer-encoding: chunked";
    let mut client = Client::request(&daemon, head).await;
    let (begin, end) = CART.as_bytes().split_at(7);
    client.send_chunk(begin).await;
    client.send_chunk(end).await;
    client.send(b"0\r\n\r\n").await;
    let seen = client.answer().await;
    assert_eq!(seen.status, 200);
    assert_sent_again(&seen);

    let calls = calls(&sandbox.handle());
    let statuses: Vec<_> = calls.iter().map(|call| call.status).collect();
    assert_eq!(statuses, [401, 200, 401, 200]);
    for call in calls {
        assert_eq!(call.body, CART);
        assert_eq!(call.path_and_query, "/api/cart/update?a=b&a=%2F");
        assert_eq!(call.headers["x-app"], "its own");
    }
    assert_eq!(sandbox.handle().authentications(), 3);
}

#[tokio::test]
async fn a_body_that_was_not_kept_lets_the_401_pass_and_the_token_is_renewed() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).set("requests.replay_buffer", "1KiB").ready().await;
    let large = format!(r#"{{"id":"","note":"{}"}}"#, "x".repeat(1024));
    let url = daemon.url("/cart/update");

    for round in 1..=2 {
        sandbox.handle().revoke_all();
        let seen = if round == 1 {
            answer(client().post(&url).body(large.clone())).await
        } else {
            let head = "POST /cart/update HTTP/1.1\nhost: localhost\ntransfer-encoding: chunked";
            let mut client = Client::request(&daemon, head).await;
            for piece in large.as_bytes().chunks(300) {
                client.send_chunk(piece).await;
            }
            client.send(b"0\r\n\r\n").await;
            client.answer().await
        };
        assert_eq!(seen.status, 401);
        assert!(seen.header("proxy-status").is_empty(), "it is the API's own answer");
        assert_eq!(sandbox.handle().calls_to("/cart/update"), round);
        renewals(&sandbox, round as u64).await;
    }
    eventually("the new token is in use", async || {
        let seen = answer(client().post(&url).body(large.clone())).await;
        (seen.status == 200).then_some(())
    })
    .await;
    assert_eq!(sandbox.handle().authentications(), 3);
    assert_eq!(sent_again(&daemon, "accepted").await, 0.0);
}

/// The test is the API, and takes its time: a new token comes while the request is under way.
#[tokio::test]
async fn a_request_with_an_older_token_costs_no_authentication() {
    const FRESH: &str = "fresh-token-8c41d0";
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    let slow = tokio::spawn(client().post(daemon.url("/cart/update")).body(CART).send());
    let mut slow_call = upstream.call().await;
    assert_eq!(slow_call.body(CART.len()).await, CART.as_bytes());

    let asking = client().post(daemon.url("/cart/update")).body(r#"{"refresh":true}"#).send();
    let asking = tokio::spawn(asking);
    let call = upstream.call().await;
    let fresh = format!(r#"{{"auth":{{"token":"{FRESH}","exp":4102444800000}}}}"#);
    call.last_answer("200 OK", "", &fresh).await;
    assert_eq!(asking.await.unwrap().unwrap().status(), 200);
    let taken = async || (daemon.status().await["credentials"][0]["generation"] == 2).then_some(());
    eventually("the new token is taken", taken).await;

    slow_call.last_answer("401 Unauthorized", "", "{}").await;
    let mut again = upstream.call().await;
    assert_eq!(again.body(CART.len()).await, CART.as_bytes());
    assert_eq!(again.header("authorization"), [format!("Bearer {FRESH}")]);
    assert_eq!(again.header("content-length"), [CART.len().to_string()]);
    again.last_answer("200 OK", "", "{}").await;
    let seen = Answer::of(within_limit("it is answered", slow).await.unwrap().unwrap()).await;
    assert_eq!(seen.status, 200);
    assert_sent_again(&seen);
    assert_eq!(upstream.authentications(), 1);
}

#[tokio::test]
async fn each_credential_is_renewed_for_itself() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).orders().ready().await;
    sandbox.handle().revoke_all();
    let list = answer(client().get(daemon.url("/orders?startDate=2026-01-01"))).await;
    assert_eq!(list.status, 200);
    assert_sent_again(&list);
    assert_eq!((sandbox.handle().authentications(), sandbox.handle().order_authentications()), (1, 2));
    let seen = answer(client().get(daemon.url(FETCH))).await;
    assert_eq!(seen.status, 404, "{seen:?}");
    assert_eq!((sandbox.handle().authentications(), sandbox.handle().order_authentications()), (2, 2));
}

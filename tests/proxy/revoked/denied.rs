//! What is never sent twice (`requests.replay_deny`): there the 401 passes.

use super::*;

/// How often the API saw a request that it answers with 401 once, and what the app got.
async fn rejected_once(sandbox: &Sandbox, daemon: &Daemon, method: &str, path: &str) -> (usize, u16) {
    let once = Fault { kind: FaultKind::Status(401), times: Some(1) };
    sandbox.handle().set_fault(Scope::Path(path.into()), Some(once));
    let head = format!("{method} {path} HTTP/1.1\nhost: localhost\ncontent-length: 2");
    let mut client = Client::request(daemon, &head).await;
    client.send(b"{}").await;
    let status = client.answer().await.status.as_u16();
    let seen = calls(&sandbox.handle()).iter().filter(|call| call.path_and_query == path).count();
    (seen, status)
}

#[tokio::test]
async fn an_order_is_never_completed_twice() {
    let (sandbox, daemon) = start().await;
    let (seen, status) = rejected_once(&sandbox, &daemon, "POST", "/checkout/prepare").await;
    assert_eq!(seen, 2, "anything else is sent again");
    assert_ne!(status, 401);
    for path in [
        "/checkout/complete",
        "/api/checkout/complete",
        "/checkout/complete/",
        "/checkout/complete/now",
        "/Checkout/Complete",
        "/API/checkout/COMPLETE",
        "/checkout//complete",
        "/checkout/%63omplete",
        "/checkout%2Fcomplete",
        "/checkout/complete;x",
        "/checkout/x/../complete",
        "/api/./checkout/complete",
    ] {
        assert_eq!(rejected_once(&sandbox, &daemon, "POST", path).await, (1, 401), "{path}");
    }
}

#[tokio::test]
async fn the_next_request_after_one_that_is_not_sent_twice_has_a_new_token() {
    let (sandbox, daemon) = start().await;
    sandbox.handle().revoke_all();
    let complete = || client().post(daemon.url("/checkout/complete")).body(r#"{"token":"none"}"#);
    let seen = answer(complete()).await;
    assert!(seen.status == 401 && seen.header("proxy-status").is_empty(), "{seen:?}");
    renewals(&sandbox, 1).await;
    let accepted = async || (answer(complete()).await.status != 401).then_some(());
    eventually("the new token is in use", accepted).await;
    assert_eq!(sandbox.handle().authentications(), 2);
}

#[tokio::test]
async fn own_rules_take_the_place_of_the_default() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let builder = Builder::new(&sandbox.base_url());
    let daemon = builder.set("requests.replay_deny", "* /cart,PUT /users/session").ready().await;
    for (method, path) in [("POST", "/cart/update"), ("DELETE", "/api/cart"), ("PUT", "/users/session")] {
        assert_eq!(rejected_once(&sandbox, &daemon, method, path).await, (1, 401), "{method} {path}");
    }
    for (method, path) in [("POST", "/users/session"), ("POST", "/checkout/complete"), ("POST", "/carts")] {
        let (_, status) = rejected_once(&sandbox, &daemon, method, path).await;
        assert_ne!(status, 401, "{method} {path}");
    }
}

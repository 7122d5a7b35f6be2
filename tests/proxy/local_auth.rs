//! The authentication endpoints, which the proxy answers itself, however their path is written.

use liquid_auth_proxy::proxy::PLACEHOLDER;
use liquid_auth_proxy::sandbox::{DEFAULT_API_KEY, Fault, FaultKind, Sandbox, Scope, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::own_answer::assert_own_answer;
use crate::support::secrets::Secrets;
use crate::support::within_limit;

/// Ways to write the two paths that some server somewhere takes for them.
const PATHS: [&str; 9] = [
    "/authentication",
    "/api/authentication",
    "/authentication/",
    "/Authentication/",
    "/API/AUTHENTICATION",
    "//authentication",
    "/%61uthentication",
    "/api/./x/../authentication",
    "/authentication?x=1",
];
const ORDERS_PATHS: [&str; 4] = [
    "/order-authentication",
    "/api/order-authentication",
    "/order%2Dauthentication",
    "/api//order-authentication",
];

async fn start() -> (Sandbox, Daemon) {
    let settings = Settings { api_key: KEY.into(), ..Settings::default() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).orders().ready().await;
    (sandbox, daemon)
}

/// The answer to a request whose target goes out as it stands here: status line, headers and body.
async fn raw(daemon: &Daemon, method: &str, target: &str) -> (String, String) {
    let mut stream = TcpStream::connect(daemon.address()).await.unwrap();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: localhost\r\nx-liquid-api-key: any\r\n\
         authorization: Basic YW55OmFueQ==\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within_limit("the answer ends", stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

/// The end of the token that the proxy holds, Unix milliseconds.
async fn real_expiry(daemon: &Daemon) -> u64 {
    expiry_of(daemon, 0).await
}

/// The end of the token of the credential in this place of `/status`.
async fn expiry_of(daemon: &Daemon, place: usize) -> u64 {
    daemon.status().await["credentials"][place]["expires_at_ms"].as_u64().unwrap()
}

/// Checks the envelope around the answer; returns the answer.
fn enveloped(body: &str, path: &str) -> Value {
    let answer: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    assert_eq!((&answer["statusCode"], &answer["message"]), (&json!(200), &json!("OK")));
    let metadata = answer["metadata"].as_object().unwrap();
    let names: Vec<_> = metadata.keys().map(String::as_str).collect();
    assert_eq!(names, ["languages", "path", "requestId", "timestamp", "timezone", "version"]);
    assert_eq!(metadata["path"], path);
    answer
}

#[tokio::test]
async fn the_api_keys_endpoint_gives_the_placeholder_and_the_real_end() {
    let (sandbox, daemon) = start().await;
    let expiry = real_expiry(&daemon).await;
    for path in PATHS {
        let (head, body) = raw(&daemon, "GET", path).await;
        assert!(head.starts_with("http/1.1 200 "), "{path}: {head}");
        assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{path}: {head}");
        assert!(head.contains("\r\ncache-control: no-store"), "{path}: {head}");
        let answer = enveloped(&body, "/api/authentication");
        assert_eq!(answer["data"], json!({ "token": PLACEHOLDER, "type": "ACCESS_TOKEN", "exp": expiry }));
        // The life that a client computes from it is the one that is left.
        let timestamp = answer["metadata"]["timestamp"].as_u64().unwrap();
        assert!((86_300_000..=86_400_000).contains(&(expiry - timestamp)), "{answer}");
    }
    assert_eq!(sandbox.handle().calls().len(), 2, "the proxy's own");
}

/// The end that apps are told is the API's own, whatever clock it goes by. Asked by someone else, the API
/// gives the same token here, and says when that ends.
#[tokio::test]
async fn the_end_is_the_apis_own() {
    let settings = Settings { api_key: KEY.into(), ..Settings::default() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    sandbox.handle().set_clock_offset_ms(-3_600_000);
    let daemon = Builder::new(&sandbox.base_url()).orders().ready().await;
    let same = Fault { kind: FaultKind::SameToken, times: None };
    sandbox.handle().set_fault(Scope::Authentication, Some(same));
    let direct = client().get(format!("{}/authentication", sandbox.base_url()));
    let direct = direct.header("x-liquid-api-key", KEY).send().await.unwrap().text().await.unwrap();
    let direct: Value = serde_json::from_str(&direct).unwrap();
    assert!(sandbox.handle().tokens().iter().any(|token| direct["data"]["token"] == token.as_str()));
    assert_eq!(sandbox.handle().tokens().len(), 2, "one of each credential");

    let (_, body) = raw(&daemon, "GET", "/authentication").await;
    let told = enveloped(&body, "/api/authentication")["data"]["exp"].as_u64().unwrap();
    // The sandbox computes it anew each time, to the millisecond.
    let apart = direct["data"]["exp"].as_u64().unwrap().abs_diff(told);
    assert!(apart < 1000, "{apart} ms apart");
}

#[tokio::test]
async fn the_orders_endpoint_answers_in_all_its_shapes() {
    let (sandbox, daemon) = start().await;
    let expiry = expiry_of(&daemon, 1).await;
    for (method, path) in ORDERS_PATHS.iter().flat_map(|path| [("GET", path), ("POST", path)]) {
        let (head, body) = raw(&daemon, method, path).await;
        assert!(head.starts_with("http/1.1 200 "), "{method} {path}: {head}");
        let answer = enveloped(&body, "/api/order-authentication");
        let seconds = answer["data"]["exp"].as_u64().unwrap();
        assert!((500..=600).contains(&seconds), "{answer}");
        assert_eq!(
            (&answer["data"]["token"], &answer["data"]["type"]),
            (&json!(PLACEHOLDER), &json!("ORDER_API"))
        );
        assert_eq!((&answer["token"], &answer["exp"]), (&json!(PLACEHOLDER), &json!(expiry)));
        assert_eq!((&answer["accessToken"], &answer["tokenType"]), (&json!(PLACEHOLDER), &json!("Bearer")));
    }
    assert_eq!(sandbox.handle().order_authentications(), 1, "the proxy's own");
    assert_eq!(sandbox.handle().calls().len(), 2, "the proxy's own");
}

#[tokio::test]
async fn head_has_the_head_of_get() {
    let (_sandbox, daemon) = start().await;
    let length = |head: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        line.parse::<usize>().unwrap()
    };
    for path in ["/authentication", "/api/order-authentication"] {
        let (_, body) = raw(&daemon, "GET", path).await;
        let (head, nothing) = raw(&daemon, "HEAD", path).await;
        assert!(head.starts_with("http/1.1 200 ") && nothing.is_empty(), "{head}");
        assert_eq!(length(&head), body.len());
    }
}

#[tokio::test]
async fn other_methods_are_refused_and_not_forwarded() {
    let (sandbox, daemon) = start().await;
    for (methods, path) in [
        (&["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"][..], "/authentication"),
        (&["PUT", "PATCH", "DELETE"][..], "/api/order-authentication"),
    ] {
        for method in methods {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let answer = client().request(method, daemon.url(path)).send().await.unwrap();
            assert_own_answer(answer, 403, "request_not_allowed").await;
        }
    }
    assert_eq!(sandbox.handle().calls().len(), 2, "the proxy's own");
}

#[tokio::test]
async fn without_a_token_they_answer_as_everything_else_does() {
    let settings = Settings {
        api_key: DEFAULT_API_KEY.into(),
        orders_password: "another".into(),
        ..Settings::default()
    };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let refused = Builder::new(&sandbox.base_url()).orders().start().await;
    let silent = Builder::new("http://127.0.0.1:1").orders().set("token.wait_timeout", "100ms").start().await;
    for path in ["/authentication", "/api/order-authentication"] {
        let answer = client().get(refused.url(path)).send().await.unwrap();
        assert_own_answer(answer, 502, "credential_rejected").await;
        let answer = client().get(silent.url(path)).send().await.unwrap();
        assert_own_answer(answer, 503, "token_unavailable").await;
    }
}

#[tokio::test]
async fn neither_holds_a_secret() {
    let (sandbox, daemon) = start().await;
    let secrets = Secrets::of_sandbox(&sandbox.handle());
    for path in PATHS.iter().chain(&ORDERS_PATHS) {
        let (head, body) = raw(&daemon, "GET", path).await;
        secrets.assert_absent(path, head + &body);
    }
}

//! `"refresh": true` in an app's request: the new token goes to the proxy, the placeholder to the app.

mod codings;
mod refused;
mod requests;

use liquid_auth_proxy::proxy::PLACEHOLDER;
use liquid_auth_proxy::sandbox::{Sandbox, Settings};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::eventually;
use crate::support::secrets::Secrets;
use crate::support::upstream::{TOKEN, Upstream};

/// The token that an answer brings.
const FRESH: &str = "fresh-token-4b7e0a95d3c218f6";

/// What an app sends that asks for it.
const ASKING: &str = r#"{"id":"c-1","refresh":true}"#;

/// A proxy before an API whose answers are the test's, byte by byte.
struct Bench {
    upstream: Upstream,
    daemon: Daemon,
}

/// An answer as an app sees it.
struct Seen {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Vec<u8>,
}

impl Bench {
    async fn new() -> Self {
        let upstream = Upstream::start().await;
        let daemon = Builder::new(&upstream.base_url()).set("log.level", "trace").ready().await;
        Self { upstream, daemon }
    }

    /// The API answers `request` with exactly these headers (each with its line's end) and bytes, and
    /// closes the connection.
    async fn exchange(&mut self, request: &'static str, headers: &str, body: &[u8]) -> reqwest::Response {
        let url = self.daemon.url("/api/cart/update");
        let asking = client().post(url).header("content-type", "application/json").body(request);
        let asking = tokio::spawn(asking.send());
        let mut call = self.upstream.call().await;
        assert_eq!(call.body(request.len()).await, request.as_bytes());
        let head = format!("HTTP/1.1 200 OK\r\n{headers}connection: close\r\n\r\n");
        call.send(&[head.as_bytes(), body].concat()).await;
        drop(call);
        asking.await.unwrap().unwrap()
    }

    /// The same, with a length, for a request that asks for a refresh.
    async fn refreshed(&mut self, headers: &str, body: &[u8]) -> Seen {
        let headers = format!("{headers}content-length: {}\r\n", body.len());
        let seen = Seen::of(self.exchange(ASKING, &headers, body).await).await;
        self.assert_nothing_leaks(&seen);
        seen
    }

    fn assert_nothing_leaks(&self, seen: &Seen) {
        let secrets = Secrets::new([("the new token", FRESH), ("the old token", TOKEN), ("the key", KEY)]);
        secrets.assert_absent("the head", format!("{:?}", seen.headers));
        secrets.assert_absent("the body", &seen.body);
        secrets.assert_absent("the log", self.daemon.log());
    }
}

impl Seen {
    async fn of(answer: reqwest::Response) -> Self {
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Self { status, headers, body: answer.bytes().await.unwrap().to_vec() }
    }

    /// It is whole, plain, and these very bytes.
    fn assert_is(&self, expected: &str) {
        assert_eq!(String::from_utf8_lossy(&self.body), expected);
        assert_eq!(self.status, 200);
        assert_eq!(self.headers["content-length"], expected.len().to_string());
        for absent in ["content-encoding", "transfer-encoding"] {
            assert!(!self.headers.contains_key(absent), "{absent}: {:?}", self.headers);
        }
    }
}

/// An answer of the API's with the new token in it.
fn answer() -> String {
    format!(
        r#"{{"cart":{{"id":"c-1"}},"auth":{{"token":"{FRESH}","type":"ACCESS_TOKEN","exp":4102444800000}}}}"#
    )
}

fn masked(body: &str) -> String {
    body.replace(FRESH, PLACEHOLDER)
}

#[tokio::test]
async fn every_other_byte_stays_as_it_is() {
    let mut bench = Bench::new().await;
    for body in [
        format!(r#"{{"auth":{{"token":"{FRESH}","exp":4102444800000}},  "cart" : {{"total":1.0}}}}"#),
        format!("{{\"cart\":{{\"price\":1e3}},\r\n\t\"auth\":{{\"exp\":9, \"token\" : \"{FRESH}\"}} }}\n"),
        format!(
            r#"{{"a":{{"auth":{{"token":"decoy"}}}},"b":[{{"auth":{{"token":"d"}}}}],"auth":{{"token":"{FRESH}"}}}}"#
        ),
        format!(
            r#"{{"auth":{{"token":"{FRESH}"}},"auth":{{"token":"{FRESH}"}},"é":"\u00e9","n":12345678901234567890}}"#
        ),
        r#"{"cart":{"id":"c-1"},"token":"none of ours","auth":null}"#.to_owned(),
        "{}".to_owned(),
        String::new(),
    ] {
        let seen =
            bench.refreshed("content-type: application/json\r\nx-request-cost: 7\r\n", body.as_bytes()).await;
        seen.assert_is(&masked(&body));
        assert_eq!(seen.headers["content-type"], "application/json");
        assert_eq!(seen.headers["x-request-cost"], "7");
    }
}

#[tokio::test]
async fn a_short_token_goes_too() {
    let mut bench = Bench::new().await;
    let seen = bench.refreshed("", br#"{"auth":{"token":"short","exp":4102444800000},"note":"short"}"#).await;
    seen.assert_is(&format!(r#"{{"auth":{{"token":"{PLACEHOLDER}","exp":4102444800000}},"note":"short"}}"#));
}

#[tokio::test]
async fn the_new_token_is_used_from_the_next_request_on() {
    let mut bench = Bench::new().await;
    bench.refreshed("", answer().as_bytes()).await;
    let taken = async || (bench.daemon.status().await["credentials"][0]["generation"] == 2).then_some(());
    eventually("the new token is taken", taken).await;

    let asking = tokio::spawn(client().get(bench.daemon.url("/users/fetch/1")).send());
    let call = bench.upstream.call().await;
    assert_eq!(call.header("authorization"), [format!("Bearer {FRESH}")]);
    assert!(!call.head().contains(PLACEHOLDER), "{}", call.head());
    call.answer("200 OK", "", "{}").await;
    assert_eq!(asking.await.unwrap().unwrap().status(), 200);
    assert_eq!(bench.upstream.authentications(), 1);
}

/// The sandbox is an independent witness: the answer through the proxy is its own answer but for the token.
#[tokio::test]
async fn the_answer_is_the_apis_own() {
    let sandbox = Sandbox::start(Settings { api_key: KEY.into(), ..Settings::default() }).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    let token = sandbox.handle().tokens()[0].clone();
    let ask = async |request: RequestBuilder| {
        let asked = request.body(r#"{"id":"","refresh":true}"#);
        Seen::of(asked.send().await.unwrap()).await
    };
    let direct = client().post(format!("{}/api/cart/update", sandbox.base_url())).bearer_auth(&token);
    let direct = ask(direct).await;
    let proxied = ask(client().post(daemon.url("/api/cart/update"))).await;

    let names = |seen: &Seen| seen.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&proxied), names(&direct));
    assert_eq!(proxied.headers["content-length"], proxied.body.len().to_string());
    let mut values = [direct, proxied].map(|seen| serde_json::from_slice::<Value>(&seen.body).unwrap());
    assert_eq!(values[1]["auth"]["token"], PLACEHOLDER);
    for value in &mut values {
        assert!(value["auth"]["exp"].as_u64().is_some_and(|exp| exp > 1_700_000_000_000), "{value}");
        // What differs from call to call.
        for path in ["/auth/exp", "/auth/token", "/metadata/requestId", "/metadata/timestamp"] {
            *value.pointer_mut(path).unwrap() = json!("varies");
        }
        for member in ["id", "createdAt", "updatedAt"] {
            value["cart"][member] = json!("varies");
        }
    }
    assert_eq!(values[1], values[0]);

    // Asked for in band, so never by the proxy itself.
    let tokens = sandbox.handle().tokens();
    eventually("the newest token is used", async || {
        client().get(daemon.url("/users/fetch/nobody")).send().await.unwrap();
        let last = sandbox.handle().calls().pop().unwrap();
        (last.headers["authorization"] == format!("Bearer {}", tokens[2])).then_some(())
    })
    .await;
    assert_eq!(sandbox.handle().authentications(), 1);
}

//! The API as a client sees it, called without a socket.

mod authentication;
mod conduct;
mod shopping;

use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{DEFAULT_API_KEY, Handle, Settings, router};

/// A client and the sandbox that it calls.
struct Client {
    handle: Handle,
    token: String,
}

/// What came back.
#[derive(Debug)]
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Client {
    /// One that has an access token.
    async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let mut client = Self { handle: Handle::new(settings), token: String::new() };
        let got = client.authenticate(DEFAULT_API_KEY).await;
        client.token = got.body["data"]["token"].as_str().unwrap().to_owned();
        client
    }

    async fn send(&self, request: Request<Body>) -> Response {
        router(self.handle.clone()).oneshot(request).await.unwrap()
    }

    async fn got(&self, request: Request<Body>) -> Got {
        let (parts, body) = self.send(request).await.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Got { status: parts.status, headers: parts.headers, body }
    }

    async fn authenticate(&self, key: &str) -> Got {
        let request = Request::get("/authentication").header("X-LIQUID-API-KEY", key);
        self.got(request.body(Body::empty()).unwrap()).await
    }

    async fn call(&self, method: &str, path: &str, body: impl Into<Body>) -> Got {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.token));
        self.got(request.body(body.into()).unwrap()).await
    }

    async fn get(&self, path: &str) -> Got {
        self.call("GET", path, Body::empty()).await
    }

    async fn post(&self, path: &str, body: Value) -> Got {
        self.call("POST", path, body.to_string()).await
    }
}

impl Got {
    /// The HTTP status and the envelope's own code.
    fn codes(&self) -> (u16, u64) {
        (self.status.as_u16(), self.body["statusCode"].as_u64().unwrap_or_default())
    }
}

#[tokio::test]
async fn every_endpoint_answers_below_api_and_without_it() {
    let client = Client::new().await;
    let posts = [
        ("/address/autocomplete", json!({ "input": "main st" })),
        ("/address/details", json!({ "id": "sandbox-place-1" })),
        ("/catalog/search", json!({})),
        ("/catalog/availability", json!({ "upcs": ["850000000017"] })),
        ("/cart/update", json!({})),
        ("/users/session", json!({ "email": "ada@example.com" })),
        ("/webhook/test", json!({ "endpoint": "https://example.com/hook" })),
    ];
    for (path, body) in posts {
        for path in [path.to_owned(), format!("/api{path}")] {
            let got = client.post(&path, body.clone()).await;
            assert_eq!(got.codes(), (200, 200), "{path}: {got:?}");
            assert!(got.body["metadata"]["path"].as_str().unwrap().starts_with("/api/"), "{path}");
            assert!(!got.body["metadata"]["path"].as_str().unwrap().starts_with("/api/api/"), "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_refused_in_the_envelope() {
    let client = Client::new().await;
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("GET", "/api", 404),
        ("POST", "/api/nothing", 404),
        ("GET", "/cart/update", 405),
        ("DELETE", "/api/authentication", 405),
        ("GET", "/users/fetch/nobody", 404),
        ("GET", "/orders/none", 404),
    ] {
        let got = client.call(method, path, Body::empty()).await;
        assert_eq!(got.codes(), (status, u64::from(status)), "{method} {path}");
        assert!(got.body["message"].is_string() && got.body["metadata"].is_object(), "{method} {path}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_400() {
    let client = Client::new().await;
    for body in ["{", "[]", "\"text\"", "nonsense"] {
        assert_eq!(client.call("POST", "/catalog/search", body).await.codes(), (400, 400), "{body}");
    }
}

#[tokio::test]
async fn a_body_above_the_bound_is_413() {
    let client = Client::new().await;
    let got = client.call("POST", "/catalog/search", vec![b' '; 2 * 1024 * 1024 + 1]).await;
    assert_eq!(got.codes(), (413, 413));
    assert_eq!(client.call("POST", "/catalog/search", vec![b' '; 2 * 1024 * 1024]).await.codes(), (200, 200));
}

//! Pages in a browser: none may call, but those of `listen.allowed_origins`.

use super::*;

const PAGE: &str = "http://localhost:3000";

async fn with_page() -> (Sandbox, Daemon) {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).set("listen.allowed_origins", PAGE).ready().await;
    (sandbox, daemon)
}

#[tokio::test]
async fn no_page_may_call() {
    let (sandbox, daemon) = start().await;
    for header in [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: http://localhost:8000",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Origin: http://localhost:3000\nSec-Fetch-Site: same-origin",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let head =
                format!("{method} /cart/update HTTP/1.1\nHost: localhost\n{header}\ncontent-length: 0");
            let seen = asked(&daemon, &head).await;
            own_answer::check(&seen, "origin_not_allowed", "http_request_denied", "/cart/update");
            assert!(seen.header("access-control-allow-origin").is_empty());
        }
    }
    assert!(calls(&sandbox.handle()).is_empty());
}

/// Node's `fetch` tells its mode and neither an origin nor a site; a URL that is typed is nobody's page.
#[tokio::test]
async fn programs_and_people_may() {
    let (_sandbox, daemon) = start().await;
    for header in ["Sec-Fetch-Mode: cors", "Sec-Fetch-Site: none", "Sec-Fetch-Site: same-origin"] {
        let seen = asked(&daemon, &format!("GET /users/fetch/1 HTTP/1.1\nHost: localhost\n{header}")).await;
        assert_eq!(seen.status, 404, "{header}");
    }
}

#[tokio::test]
async fn the_preflight_of_an_allowed_page_is_answered_here() {
    let (sandbox, daemon) = with_page().await;
    let head = format!(
        "OPTIONS /cart/update HTTP/1.1\nHost: localhost\nOrigin: {PAGE}\nAccess-Control-Request-Method: PUT\n\
         Access-Control-Request-Headers: content-type, x-mine"
    );
    let seen = asked(&daemon, &head).await;
    assert!(seen.status.is_success());
    assert_eq!(seen.header("access-control-allow-origin"), [PAGE]);
    assert_eq!(seen.header("access-control-allow-methods"), ["PUT"]);
    assert_eq!(seen.header("access-control-allow-headers"), ["content-type, x-mine"]);
    assert_eq!(seen.header("access-control-max-age"), ["600"]);
    assert!(seen.header("access-control-allow-credentials").is_empty());
    assert!(seen.header("proxy-status")[0].contains("preflight"), "{:?}", seen.header("proxy-status"));
    assert!(calls(&sandbox.handle()).is_empty());

    let rebound = asked(&daemon, &head.replace("Host: localhost", "Host: rebind.evil.example")).await;
    own_answer::check(&rebound, "host_not_allowed", "http_request_denied", "/cart/update");

    let other = head.replace(PAGE, "http://localhost:3001");
    own_answer::check(
        &asked(&daemon, &other).await,
        "origin_not_allowed",
        "http_request_denied",
        "/cart/update",
    );
}

#[tokio::test]
async fn an_allowed_page_sees_its_answers_the_proxys_own_too() {
    let (sandbox, daemon) = with_page().await;
    let from = |method: &str, path: &str| {
        format!(
            "{method} {path} HTTP/1.1\nHost: localhost\nOrigin: {PAGE}\nSec-Fetch-Site: same-site\ncontent-length: 0"
        )
    };
    let seen = asked(&daemon, &from("GET", "/users/fetch/1")).await;
    assert_eq!(seen.status, 404);
    assert_eq!(seen.header("access-control-allow-origin"), [PAGE]);
    assert_eq!(seen.header("access-control-expose-headers"), ["*"]);
    assert!(seen.header("vary").iter().any(|vary| vary.to_lowercase().contains("origin")));
    // An OPTIONS that asks for nothing is the API's.
    let served = calls(&sandbox.handle()).len();
    let seen = asked(&daemon, &from("OPTIONS", "/users/fetch/1")).await;
    assert_eq!(seen.header("access-control-allow-origin"), [PAGE]);
    assert_eq!(calls(&sandbox.handle()).len(), served + 1);

    let seen = asked(&daemon, &from("GET", "/orders")).await;
    own_answer::check(&seen, "credential_not_configured", "destination_unavailable", "/orders");
    assert_eq!(seen.header("access-control-allow-origin"), [PAGE]);
    // Another one's requests are refused as ever.
    let image = asked(&daemon, "GET /x HTTP/1.1\nHost: localhost\nSec-Fetch-Site: cross-site").await;
    own_answer::check(&image, "origin_not_allowed", "http_request_denied", "/x");
}

/// Whoever reads the page's console must not find what the page must not have.
#[tokio::test]
async fn a_client_token_is_asked_of_pages_too_but_not_of_preflights() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    let daemon = Builder::new(&sandbox.base_url())
        .set("listen.allowed_origins", PAGE)
        .set("listen.client_token_file", file.to_str().unwrap())
        .ready()
        .await;
    let head =
        format!("OPTIONS /x HTTP/1.1\nHost: localhost\nOrigin: {PAGE}\nAccess-Control-Request-Method: GET");
    assert!(asked(&daemon, &head).await.status.is_success());
    let refused = asked(&daemon, &format!("GET /x HTTP/1.1\nHost: localhost\nOrigin: {PAGE}")).await;
    own_answer::check(&refused, "client_not_allowed", "http_request_denied", "/x");
    assert_eq!(refused.header("access-control-allow-origin"), [PAGE]);
    let head = format!("GET /users/fetch/1 HTTP/1.1\nHost: localhost\nOrigin: {PAGE}\n{HEADER}: {TOKEN}");
    assert_eq!(asked(&daemon, &head).await.status, 404);
}

//! Headers off, headers on: what an app sends, what the API gets, and the way back.

use crate::support::client::{Answer, Client};
use crate::support::daemon::{Builder, Daemon, KEY};
use crate::support::own_answer;
use crate::support::upstream::{Call, TOKEN, Upstream};

async fn proxy() -> (Upstream, Daemon) {
    let upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    (upstream, daemon)
}

/// Sends a request with these header lines, and returns what arrives.
async fn arrives(upstream: &mut Upstream, daemon: &Daemon, headers: &str) -> Call {
    let mut client = Client::request(daemon, &format!("GET /x HTTP/1.1\n{}", headers.trim_start())).await;
    let call = upstream.call().await.answer("200 OK", "connection: close\r\n", "{}").await;
    assert_eq!(client.answer().await.status, 200);
    call
}

/// Lets the API answer with these header lines, and returns what comes back.
async fn comes_back(status: &str, headers: &[&str]) -> Answer {
    let (mut upstream, daemon) = proxy().await;
    let mut client = Client::request(&daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    upstream.call().await.answer(status, &headers, "{}").await;
    client.answer().await
}

#[tokio::test]
async fn what_the_api_gets_is_what_the_app_sent_and_the_token() {
    let (mut upstream, daemon) = proxy().await;
    let call = arrives(
        &mut upstream,
        &daemon,
        "Host: localhost:8000
         User-Agent: shop/1.0
         Cookie: a=b; c=d
         X-Liquid-Api-Sdk: true
         Accept: */*",
    )
    .await;
    let mut names: Vec<_> =
        call.head().lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "authorization", "cookie", "host", "user-agent", "x-liquid-api-sdk"]);
    assert_eq!(call.header("authorization"), [format!("Bearer {TOKEN}")]);
    assert_eq!(call.header("user-agent"), ["shop/1.0"]);
    assert_eq!(call.header("cookie"), ["a=b; c=d"]);
    assert_eq!(upstream.authentications(), 1);
}

#[tokio::test]
async fn the_clients_own_credentials_do_not_get_through() {
    let (mut upstream, daemon) = proxy().await;
    let call = arrives(
        &mut upstream,
        &daemon,
        "Host: localhost
         Authorization: Bearer placeholder
         AUTHORIZATION: Basic eDp5
         X-LIQUID-API-KEY: theirs
         Proxy-Authorization: Basic eDp5",
    )
    .await;
    assert_eq!(call.header("authorization"), [format!("Bearer {TOKEN}")]);
    assert!(call.header("x-liquid-api-key").is_empty());
    assert!(call.header("proxy-authorization").is_empty());
}

#[tokio::test]
async fn connection_takes_away_what_it_names_but_nothing_of_ours() {
    let upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).set("upstream.send_api_key", "true").ready().await;
    let mut upstream = upstream;
    let call = arrives(
        &mut upstream,
        &daemon,
        "Host: localhost
         Connection: Authorization, X-LIQUID-API-KEY, host
         Connection: x-mine
         X-Mine: 1
         X-Other: 2",
    )
    .await;
    assert_eq!(call.header("authorization"), [format!("Bearer {TOKEN}")]);
    assert_eq!(call.header("x-liquid-api-key"), [KEY]);
    assert_eq!(call.header("host"), [upstream.base_url().strip_prefix("http://").unwrap()]);
    assert_eq!(call.header("x-other"), ["2"]);
    assert!(call.header("x-mine").is_empty());
    assert!(call.header("connection").is_empty());
}

#[tokio::test]
async fn the_key_is_sent_only_where_it_is_asked_for() {
    let mut upstream = Upstream::start().await;
    for (setting, expected) in [("true", vec![KEY]), ("false", vec![])] {
        let daemon = Builder::new(&upstream.base_url()).set("upstream.send_api_key", setting).ready().await;
        let call = arrives(&mut upstream, &daemon, "Host: localhost\nX-LIQUID-API-KEY: theirs").await;
        assert_eq!(call.header("x-liquid-api-key"), expected);
    }
}

#[tokio::test]
async fn what_belongs_to_the_clients_connection_stays_there() {
    let (mut upstream, daemon) = proxy().await;
    let call = arrives(
        &mut upstream,
        &daemon,
        "Host: localhost
         Keep-Alive: timeout=5
         Proxy-Connection: keep-alive
         TE: gzip",
    )
    .await;
    for name in ["keep-alive", "proxy-connection", "te", "connection", "transfer-encoding"] {
        assert!(call.header(name).is_empty(), "{name}: {}", call.head());
    }
}

#[tokio::test]
async fn a_client_that_takes_trailers_is_spoken_for() {
    let (mut upstream, daemon) = proxy().await;
    let call =
        arrives(&mut upstream, &daemon, "Host: localhost\nTE: gzip;q=0.5, trailers\nConnection: TE").await;
    assert_eq!(call.header("te"), ["trailers"]);
    assert_eq!(call.header("connection"), ["te"]);
}

#[tokio::test]
async fn an_offer_of_h2c_is_served_plain() {
    let (mut upstream, daemon) = proxy().await;
    let call = arrives(
        &mut upstream,
        &daemon,
        "Host: localhost
         Connection: Upgrade, HTTP2-Settings
         Upgrade: h2c
         HTTP2-Settings: AAMAAABkAAQAAP__",
    )
    .await;
    for name in ["upgrade", "http2-settings", "connection"] {
        assert!(call.header(name).is_empty(), "{name}: {}", call.head());
    }
}

#[tokio::test]
async fn other_upgrades_are_refused() {
    let (mut upstream, daemon) = proxy().await;
    for protocol in ["websocket", "h2c, websocket", "TLS/1.3"] {
        let head = format!("GET /x HTTP/1.1\nHost: localhost\nConnection: Upgrade\nUpgrade: {protocol}");
        let answer = Client::request(&daemon, &head).await.answer().await;
        let message = own_answer::check(&answer, "request_not_allowed", "http_request_denied", "/x");
        assert!(message.contains("upgrades"), "{message}");
    }
    assert!(!upstream.has_calls());
}

#[tokio::test]
async fn a_client_that_waits_for_the_go_ahead_gets_it() {
    let (mut upstream, daemon) = proxy().await;
    let mut client = Client::request(
        &daemon,
        "POST /x HTTP/1.1\nHost: localhost\nContent-Length: 4\nExpect: 100-continue",
    )
    .await;
    assert_eq!(client.answer_head().await.status, 100);
    client.send(b"body").await;
    let mut call = upstream.call().await;
    assert_eq!(call.body(4).await, b"body");
    call.answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn the_host_is_the_apis_and_nothing_tells_of_the_proxy() {
    let (mut upstream, daemon) = proxy().await;
    for host in ["localhost:8000", "127.0.0.1", "[::1]:1", "0.0.0.0:8000"] {
        let call = arrives(&mut upstream, &daemon, &format!("Host: {host}")).await;
        assert_eq!(call.header("host"), [upstream.base_url().strip_prefix("http://").unwrap()]);
        let head = call.head().to_lowercase();
        for name in ["x-forwarded", "via:", "forwarded:", "x-real-ip", "proxy-status"] {
            assert!(!head.contains(name), "{name}: {head}");
        }
    }
}

#[tokio::test]
async fn what_an_app_says_of_forwarding_is_passed_on_as_it_is() {
    let (mut upstream, daemon) = proxy().await;
    let call =
        arrives(&mut upstream, &daemon, "Host: localhost\nX-Forwarded-For: 192.0.2.1\nVia: 1.1 shop").await;
    assert_eq!(call.header("x-forwarded-for"), ["192.0.2.1"]);
    assert_eq!(call.header("via"), ["1.1 shop"]);
}

#[tokio::test]
async fn headers_of_the_same_name_keep_their_order() {
    let (mut upstream, daemon) = proxy().await;
    let call = arrives(
        &mut upstream,
        &daemon,
        "Host: localhost\nX-Tag: b\nAccept: text/html\nX-TAG: a\nx-tag: c, d\nAccept: */*",
    )
    .await;
    assert_eq!(call.header("x-tag"), ["b", "a", "c, d"]);
    assert_eq!(call.header("accept"), ["text/html", "*/*"]);
}

#[tokio::test]
async fn what_belongs_to_the_apis_connection_stays_there() {
    let answer = comes_back(
        "200 OK",
        &[
            "Connection: keep-alive, X-Internal",
            "Keep-Alive: timeout=5",
            "Proxy-Connection: keep-alive",
            "Proxy-Authenticate: Basic",
            "Upgrade: h2c",
            "X-Internal: 1",
            "X-Other: 2",
        ],
    )
    .await;
    for name in
        ["connection", "keep-alive", "proxy-connection", "proxy-authenticate", "upgrade", "x-internal"]
    {
        assert!(answer.header(name).is_empty(), "{name}: {answer:?}");
    }
    assert_eq!(answer.header("x-other"), ["2"]);
    assert_eq!(answer.text(), "{}");
}

#[tokio::test]
async fn everything_else_of_an_answer_passes() {
    let answer = comes_back(
        "200 Fine",
        &[
            "Server: api/1",
            "Date: Sun, 06 Nov 1994 08:49:37 GMT",
            "Set-Cookie: b=1; Path=/",
            "Set-Cookie: a=2",
            "WWW-Authenticate: Bearer",
        ],
    )
    .await;
    assert_eq!(answer.header("server"), ["api/1"]);
    assert_eq!(answer.header("date"), ["Sun, 06 Nov 1994 08:49:37 GMT"]);
    assert_eq!(answer.header("set-cookie"), ["b=1; Path=/", "a=2"]);
    assert_eq!(answer.header("www-authenticate"), ["Bearer"]);
    assert!(answer.header("proxy-status").is_empty());
}

#[tokio::test]
async fn an_answer_without_a_date_gets_one() {
    let answer = comes_back("200 OK", &[]).await;
    assert_eq!(answer.header("date").len(), 1);
    assert!(answer.header("server").is_empty());
}

#[tokio::test]
async fn a_redirect_passes_and_is_not_followed() {
    let (mut upstream, daemon) = proxy().await;
    let mut client = Client::request(&daemon, "GET /x HTTP/1.1\nHost: localhost").await;
    upstream.call().await.last_answer("302 Found", "location: /elsewhere?a=b\r\n", "gone").await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 302);
    assert_eq!(answer.header("location"), ["/elsewhere?a=b"]);
    assert_eq!(answer.text(), "gone");
    assert!(!upstream.has_calls());
}

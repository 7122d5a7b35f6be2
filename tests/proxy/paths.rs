//! Which requests are passed on, and that path and query arrive byte for byte.

use crate::support::client::{Answer, Client};
use crate::support::daemon::{Builder, Daemon};
use crate::support::own_answer;
use crate::support::upstream::Upstream;

/// Sends a request with this method and target, and returns the request line that arrives.
async fn arrives(upstream: &mut Upstream, daemon: &Daemon, method: &str, target: &str) -> String {
    let mut client = Client::request(daemon, &format!("{method} {target} HTTP/1.1\nHost: localhost")).await;
    let call = upstream.call().await;
    let line = call.line().to_owned();
    call.last_answer("200 OK", "", "{}").await;
    assert_eq!(client.answer().await.status, 200);
    line
}

/// Sends a request that the proxy answers itself.
async fn refused(daemon: &Daemon, head: &str) -> Answer {
    Client::request(daemon, head).await.answer().await
}

#[tokio::test]
async fn path_and_query_arrive_byte_for_byte() {
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    let long = format!("/catalog/search?q={}", "a%2F=&b".repeat(15 * 1024 / 7));
    for target in [
        "/",
        "//",
        "/?",
        "/x?",
        "/x?a=b&a=c",
        "/x??a=b?c",
        "/x?a=b/../c",
        "/x/",
        "/x//y///z",
        "/a/../b/./c",
        "/../x",
        "/users/fetch/a%2Fb",
        "/users/fetch/a%2fb",
        "/%C3%B6l/%c3%b6l?q=%F0%9F%8D%B8",
        "/x%00y",
        "/x%20y+z",
        "/x;v=1;w/y",
        "/x:y@z!$&'()*,=~",
        "/x|y^z{}\"?[]",
        "/%zz%",
        long.as_str(),
    ] {
        let line = arrives(&mut upstream, &daemon, "GET", target).await;
        assert_eq!(line, format!("GET {target} HTTP/1.1"));
    }
}

#[tokio::test]
async fn any_method_arrives() {
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    for (method, target) in
        [("POST", "/x"), ("DELETE", "/x"), ("PROPFIND", "/x"), ("brew", "/x"), ("OPTIONS", "*")]
    {
        let line = arrives(&mut upstream, &daemon, method, target).await;
        assert_eq!(line, format!("{method} {target} HTTP/1.1"));
    }
}

#[tokio::test]
async fn the_proxys_own_address_in_the_target_is_taken_off() {
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    for own in [daemon.address().to_string(), format!("LOCALHOST:{}", daemon.address().port())] {
        let head = format!("GET http://{own}/x?y=z HTTP/1.1\nHost: {own}");
        let mut client = Client::request(&daemon, &head).await;
        let call = upstream.call().await;
        assert_eq!(call.line(), "GET /x?y=z HTTP/1.1");
        assert_eq!(call.header("host"), [upstream.base_url().strip_prefix("http://").unwrap()]);
        call.last_answer("200 OK", "", "{}").await;
        assert_eq!(client.answer().await.status, 200);
    }
}

#[tokio::test]
async fn requests_for_other_hosts_are_refused() {
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    let own = daemon.address();
    for (target, host) in [
        ("http://elsewhere.example/x", "elsewhere.example"),
        ("http://elsewhere.example/x", "localhost"),
        ("https://elsewhere.example:8443/x", "elsewhere.example:8443"),
        ("http://192.0.2.1/x", "192.0.2.1"),
        ("http://127.0.0.1.elsewhere.example/x", "127.0.0.1.elsewhere.example"),
        (&format!("http://{own}@elsewhere.example/x"), &own.to_string()),
    ] {
        let answer = refused(&daemon, &format!("GET {target} HTTP/1.1\nHost: {host}")).await;
        let message = own_answer::check(&answer, "host_not_allowed", "http_request_denied", "/x");
        assert!(message.contains("listen.allowed_hosts"), "{target}: {message}");
    }
    assert!(!upstream.has_calls());
}

#[tokio::test]
async fn tunnels_are_refused() {
    let mut upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    for target in ["elsewhere.example:443".to_owned(), daemon.address().to_string()] {
        let answer = refused(&daemon, &format!("CONNECT {target} HTTP/1.1\nHost: {target}")).await;
        let message = own_answer::check(&answer, "request_not_allowed", "http_request_denied", "");
        assert!(message.contains("CONNECT"), "{message}");
    }
    let answer = refused(&daemon, "TRACE /x HTTP/1.1\nHost: localhost").await;
    own_answer::check(&answer, "request_not_allowed", "http_request_denied", "/x");
    assert!(!upstream.has_calls());
}

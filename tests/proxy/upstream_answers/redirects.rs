//! Redirects are the client's to follow: `Location` and `Set-Cookie` pass as they are.

use super::proxy;
use crate::support::client::Client;
use crate::support::daemon::{Builder, KEY};
use crate::support::eventually;
use crate::support::upstream::{TOKEN, Upstream};

#[tokio::test]
async fn every_redirect_passes_and_none_is_followed() {
    let (mut upstream, daemon) = proxy().await;
    let elsewhere = Upstream::start().await;
    for status in [
        "300 Multiple Choices",
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "305 Use Proxy",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        for location in [
            "/elsewhere?a=b#c".to_owned(),
            "//elsewhere.example/a".to_owned(),
            format!("{}/a", elsewhere.base_url()),
            format!("{}/a", upstream.base_url()),
            "HTTP://Elsewhere.example:80/%7Ea/../b".to_owned(),
            "javascript:void(0)".to_owned(),
        ] {
            for method in ["GET", "POST"] {
                let head = format!("{method} /x HTTP/1.1\nHost: localhost\nContent-Length: 0");
                let mut client = Client::request(&daemon, &head).await;
                let headers = format!(
                    "Location: {location}\r\nSet-Cookie: a=1; Domain=.example\r\nSet-Cookie: b=2; Secure\r\n"
                );
                upstream.call().await.last_answer(status, &headers, "gone").await;
                let answer = client.answer().await;
                assert_eq!(answer.status.to_string(), status);
                assert_eq!(answer.header("location"), [location.as_str()]);
                assert_eq!(answer.header("set-cookie"), ["a=1; Domain=.example", "b=2; Secure"]);
                assert_eq!(answer.text(), "gone");
                assert!(!upstream.has_calls(), "{status} {location} was followed");
            }
        }
    }
    let mut elsewhere = elsewhere;
    assert!(!elsewhere.has_calls() && elsewhere.authentications() == 0);
}

#[tokio::test]
async fn the_key_follows_no_redirect() {
    // A server that sends the way to a token elsewhere, where the key would be taken.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let elsewhere = Upstream::start().await;
    let answer = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}/api/authentication\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        elsewhere.base_url()
    );
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let daemon = Builder::new(&url).start().await;
    let told = async || daemon.admin("/readyz").await.1.contains("answered 307").then_some(());
    eventually("an attempt has failed", told).await;
    assert_eq!(elsewhere.authentications(), 0);
    let log = daemon.log();
    assert!(!log.contains(KEY) && !log.contains(TOKEN), "{log}");
}

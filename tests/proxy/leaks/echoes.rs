//! An authentication endpoint that repeats what it is sent, in every part of an answer that has room for it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::evidence::{Evidence, Scene};
use super::{KEY, ORDERS_PASSWORD, secrets};
use crate::support::eventually;

/// What it answers; `@` stands for what is repeated.
const ANSWERS: [&str; 20] = [
    "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"you sent\": @",
    "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"you sent\": @ no JSON",
    "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"data\":{\"token\":\"@ no token\",\"exp\":4102444800000}}",
    "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"data\":{\"token\":[\"@\"]}}",
    "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"message\":\"@\",\"data\":{\"token\":\"x\",\"exp\":-1}}",
    "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\"@\"",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n@\r\n@\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: @\r\n\r\n@",
    "HTTP/1.1 200 OK\r\n@ @: @\r\n\r\n",
    "HTTP/1.1 @ @\r\n\r\n",
    "@ @ @\r\n\r\n",
    "HTTP/1.1 400 @\r\nx-sent: @\r\nconnection: close\r\n\r\n{\"message\":\"@\",\"statusCode\":400}",
    "HTTP/1.1 401 @\r\nwww-authenticate: Bearer realm=\"@\"\r\nconnection: close\r\n\r\n@",
    "HTTP/1.1 403 @\r\nserver: @\r\nconnection: close\r\n\r\n@",
    "HTTP/1.1 404 @\r\ncontent-type: @\r\nconnection: close\r\n\r\n@",
    "HTTP/1.1 429 @\r\nretry-after: @\r\nconnection: close\r\n\r\n@",
    "HTTP/1.1 503 @\r\nretry-after: @\r\ndate: @\r\nconnection: close\r\n\r\n@",
    "HTTP/1.1 302 @\r\nlocation: http://localhost/@\r\nset-cookie: a=@\r\nconnection: close\r\n\r\n@",
    "HTTP/1.1 101 @\r\nupgrade: @\r\nconnection: upgrade\r\n\r\n@",
    "HTTP/1.1 200 OK\r\ncontent-type: @\r\ncontent-encoding: @\r\ncontent-length: 2\r\n\r\n@",
];

/// Answers every request with `answer`, and repeats in it the credential of the request in many forms.
async fn repeat(mut stream: TcpStream, answer: &'static str) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let credential = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        matches!(name, "x-liquid-api-key" | "authorization").then_some(value)
    })?;
    let plain = credential.strip_prefix("Basic ").map_or_else(
        || credential.to_owned(),
        |pair| String::from_utf8(STANDARD.decode(pair).unwrap()).unwrap(),
    );
    let repeated =
        format!("{credential} {plain} {} {}", STANDARD.encode(&plain), URL_SAFE_NO_PAD.encode(&plain));
    stream.write_all(answer.replace('@', &repeated).as_bytes()).await.ok()?;
    stream.shutdown().await.ok()?;
    // Read to its end, so that the answer is not lost to a reset.
    while stream.read_u8().await.is_ok() {}
    Some(())
}

async fn shows_none(answer: &'static str) -> Evidence {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let echo = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(repeat(stream, answer));
        }
    });
    let (mut evidence, scene) = (Evidence::default(), Scene::new());
    let builder = scene.builder(&base_url).orders().set("token.wait_timeout", "100ms");
    builder.file("orders_password", ORDERS_PASSWORD);
    let (code, output, errors) = builder.run(&["check", "--connect"]).await;
    assert_eq!(code, 69, "{answer:?}: {errors}");
    evidence.add("check", output + &errors);

    let daemon = builder.start().await;
    eventually("the endpoint's answer was no good", async || {
        let (_, pending) = daemon.admin("/readyz").await;
        (!pending.contains("has not come yet")).then_some(())
    })
    .await;
    for request in ["GET /users/fetch/1", "GET /orders", "GET /authentication", "GET /order-authentication"] {
        assert!(evidence.ask(&daemon, request, "", "").await >= 429, "{answer:?}");
    }
    evidence.end(daemon, &scene).await;
    echo.abort();
    evidence.assert_none(&secrets(None));
    evidence
}

#[tokio::test]
async fn what_the_authentication_endpoint_repeats_is_not_shown() {
    let mut codes = std::collections::BTreeSet::new();
    // A few at a time, as each has a process of its own.
    let (fours, rest) = ANSWERS.as_chunks::<4>();
    assert!(rest.is_empty());
    for [a, b, c, d] in fours {
        let seen = tokio::join!(shows_none(a), shows_none(b), shows_none(c), shows_none(d));
        codes.extend([seen.0, seen.1, seen.2, seen.3].into_iter().flat_map(|evidence| evidence.codes));
    }
    let expected = ["authentication_rate_limited", "credential_rejected", "token_unavailable"];
    assert!(codes.iter().eq(expected), "{codes:?}");
}

/// What it repeats is what is looked for.
#[tokio::test]
async fn such_an_endpoint_does_repeat_the_credential() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let echo = tokio::spawn(repeat(stream, ANSWERS[0]));
    let request = format!("GET / HTTP/1.1\r\nx-liquid-api-key: {KEY}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    drop(client);
    echo.await.unwrap().unwrap();
    let secrets = secrets(None);
    let found = secrets.found(&answer);
    assert!(found.contains(&"the key, plain") && found.contains(&"the key, base64"), "{found:?}");
}

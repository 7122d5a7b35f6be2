//! `[listen.tls]`: apps that speak TLS to the proxy, and show certificates of their own.

mod authority;
mod reload;
mod rest;
mod trouble;

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use self::authority::{Authority, Pair};
use crate::support::client::Answer;
use crate::support::daemon::{Builder, Daemon};
use crate::support::upstream::{TOKEN, Upstream};
use crate::support::{came_to_its_end, eventually, within_limit};

/// A proxy that speaks TLS, and whom its clients trust.
struct World {
    upstream: Upstream,
    daemon: Daemon,
    files: tempfile::TempDir,
    authority: Authority,
}

impl World {
    /// With the authority of clients' certificates, if they need any.
    async fn new(clients: Option<&Authority>, settings: &[(&str, &str)]) -> Self {
        let upstream = Upstream::start().await;
        let (files, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        authority.sign(2020, 2120).put(files.path());
        let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
        let mut builder = Builder::new(&upstream.base_url())
            .set("listen.tls.cert_file", &path("cert.pem"))
            .set("listen.tls.key_file", &path("key.pem"));
        if let Some(clients) = clients {
            std::fs::write(path("clients.pem"), clients.pem()).unwrap();
            builder = builder.set("listen.tls.client_ca_file", &path("clients.pem"));
        }
        let builder = settings.iter().fold(builder, |builder, (key, value)| builder.set(key, value));
        Self { upstream, daemon: builder.ready().await, files, authority }
    }

    /// A client that trusts the proxy, and shows a certificate.
    fn client(&self, shows: Option<&Pair>) -> reqwest::Client {
        client(&self.daemon, &self.authority, shows)
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/x", self.daemon.address().port())
    }

    /// Sends a request that the API answers.
    async fn ask(&mut self, client: &reqwest::Client) -> reqwest::Result<Answer> {
        let asking = tokio::spawn(client.get(self.url()).send());
        let answering = async {
            let call = self.upstream.call().await;
            assert_eq!(call.header("authorization"), [format!("Bearer {TOKEN}")]);
            call.last_answer("200 OK", "", "answer").await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = asking => Ok(Answer::of(answer.unwrap()?).await),
            () = answering => unreachable!(),
        }
    }
}

fn client(daemon: &Daemon, trusts: &Authority, shows: Option<&Pair>) -> reqwest::Client {
    reqwest::Client::builder()
        .tls_backend_preconfigured(trusts.client(shows))
        .resolve("localhost", daemon.address())
        .no_proxy()
        .build()
        .unwrap()
}

async fn handshakes_failed(daemon: &Daemon, count: u32) {
    let name = r#"liquid_proxy_connections_closed_total{reason="tls_handshake"}"#;
    let counted = async || (daemon.metric(name).await == f64::from(count)).then_some(());
    eventually("the handshakes are counted", counted).await;
}

#[tokio::test]
async fn apps_speak_tls_and_need_no_certificate() {
    let mut world = World::new(None, &[]).await;
    let client = world.client(None);
    for _ in 0..2 {
        let answer = world.ask(&client).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "answer"));
    }
    assert_eq!(world.daemon.metric("liquid_proxy_connections_total").await, 1.0);
    came_to_its_end(&world.daemon).await;
}

#[tokio::test]
async fn http2_is_agreed_on() {
    let mut world = World::new(None, &[]).await;
    for (offer, agreed) in [(&b"h2"[..], Some(&b"h2"[..])), (b"http/1.1", Some(b"http/1.1")), (b"", None)] {
        let stream = world.authority.connect(&world.daemon, None, offer).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed);
        if agreed != Some(b"h2") {
            continue;
        }
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(world.url()).body(Empty::<Bytes>::new()).unwrap();
        let asking = tokio::spawn(async move { sender.send_request(request).await.map(|it| (it, sender)) });
        world.upstream.call().await.answer("200 OK", "", "answer").await;
        let (answer, _sender) = asking.await.unwrap().unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "answer");
    }
}

#[tokio::test]
async fn only_who_shows_the_right_certificate_is_served() {
    let clients = Authority::new();
    let mut world = World::new(Some(&clients), &[]).await;
    let right = clients.sign(2020, 2120);
    let wrong = [
        None,
        Some(Authority::new().sign(2020, 2120)),
        Some(world.authority.sign(2020, 2120)),
        Some(clients.sign(2000, 2001)),
        Some(clients.sign(2100, 2101)),
    ];
    for shown in &wrong {
        let error = world.client(shown.as_ref()).get(world.url()).send().await.unwrap_err();
        assert!(!error.is_timeout(), "{error}");
    }
    handshakes_failed(&world.daemon, wrong.len() as u32).await;
    assert!(!world.upstream.has_calls());

    let client = world.client(Some(&right));
    assert_eq!(world.ask(&client).await.unwrap().text(), "answer");
}

/// One that went on would be that of a certificate which may be out of its time by now.
#[tokio::test]
async fn sessions_go_on_only_where_no_certificate_is_asked_for() {
    let clients = Authority::new();
    for (asks, kind) in [(None, HandshakeKind::Resumed), (Some(&clients), HandshakeKind::Full)] {
        let mut world = World::new(asks, &[]).await;
        let config = Arc::new(world.authority.client(Some(&clients.sign(2020, 2120))));
        for expected in [HandshakeKind::Full, kind] {
            let mut stream = authority::connect(&world.daemon, &config).await.unwrap();
            stream.write_all(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
            world.upstream.call().await.last_answer("200 OK", "", "{}").await;
            // With the answer come the tickets of the session, if any.
            let mut begin = [0; 15];
            within_limit("the answer comes", stream.read_exact(&mut begin)).await.unwrap();
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected));
        }
    }
}

/// Where clients show certificates, other machines may reach the proxy.
#[tokio::test]
async fn it_may_be_reached_from_elsewhere_then() {
    let clients = Authority::new();
    let settings = [("listen.allow_remote", "true"), ("listen.address", "0.0.0.0:0")];
    let mut world = World::new(Some(&clients), &settings).await;
    assert!(world.daemon.status().await.get("warnings").is_none());
    let address = world.daemon.address();
    assert!(address.ip().is_unspecified());
    let client = world.client(Some(&clients.sign(2020, 2120)));
    assert_eq!(world.ask(&client).await.unwrap().text(), "answer");
}

//! What an instrumented build is trained with (`make release`): a proxy in front of a sandbox with TLS, over HTTP/1.1
//! and over HTTP/2, and requests of the kinds that apps send, good and bad. How often each way through the code is
//! taken is what the compiler learns.
//!
//! `training PROGRAM` starts `PROGRAM run` and ends it as a service manager would, so that it writes its profile.

#![expect(clippy::print_stdout, reason = "what a program says to whoever started it")]

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use liquid_auth_proxy::sandbox::{Sandbox, Settings, Tls};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::JoinSet;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Apps at once, and requests of each.
const APPS: usize = 64;
const REQUESTS: usize = 150;

/// A request, as one may stand in an app.
struct Kind {
    method: Method,
    path: &'static str,
    body: Bytes,
    headers: &'static [(&'static str, &'static str)],
    expected: StatusCode,
}

fn kinds() -> Vec<Kind> {
    let json = &[("content-type", "application/json"), ("accept", "application/json")];
    let kind = |method, path, body: &str, expected| Kind {
        method,
        path,
        body: Bytes::copy_from_slice(body.as_bytes()),
        headers: json,
        expected,
    };
    let search = r#"{"search":"gin","perPage":20,"page":1}"#;
    let cart = format!(r#"{{"items":[],"note":"{}"}}"#, "n".repeat(800));
    let ok = StatusCode::OK;
    vec![
        kind(Method::GET, "/users/fetch/1", "", StatusCode::NOT_FOUND),
        kind(Method::GET, "/api/users/fetch/1?a=b&c=%20d", "", StatusCode::NOT_FOUND),
        kind(Method::POST, "/catalog/search", search, ok),
        kind(Method::POST, "/api/catalog/search", search, ok),
        kind(Method::POST, "/cart/update", &cart, ok),
        kind(Method::GET, "/orders?startDate=2026-01-01", "", ok),
        kind(Method::HEAD, "/orders?startDate=2026-01-01", "", ok),
        kind(Method::GET, "/api/authentication", "", ok),
        kind(Method::POST, "/cart/update", r#"{"items":[],"refresh":true}"#, ok),
        kind(Method::GET, "//orders", "", StatusCode::FORBIDDEN),
        Kind {
            headers: &[("host", "evil.example")],
            ..kind(Method::GET, "/x", "", StatusCode::MISDIRECTED_REQUEST)
        },
        kind(Method::POST, "/catalog/search", &format!(r#"{{"search":"{}"}}"#, "x".repeat(200_000)), ok),
    ]
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    // The client wants one, though it speaks no TLS here. An error means that there is one already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let program = std::env::args().nth(1).ok_or("usage: training PROGRAM")?;
    for http2 in ["never", "auto"] {
        let answered = train(&program, http2).await?;
        println!("training: upstream.http2 = {http2}: {answered} requests were answered as they should be");
    }
    Ok(())
}

/// One life of the program.
async fn train(program: &str, http2: &str) -> Result<usize, Failure> {
    let settings = Settings { tls: Some(Tls::default()), remember_calls: 1, ..Settings::default() };
    let sandbox = Sandbox::start(settings.clone()).await?;
    let directory = std::env::temp_dir().join(format!("liquid-auth-proxy-training-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let file = |name: &str, content: &str| {
        let path = directory.join(name);
        std::fs::write(&path, content).map(|()| path)
    };
    let (app, admin) = (free_port()?, free_port()?);
    let mut proxy = Command::new(program)
        .arg("run")
        .env("LIQUID_ENVIRONMENT", "staging")
        .env("LIQUID_UPSTREAM__BASE_URL", sandbox.base_url())
        .env("LIQUID_UPSTREAM__CA_FILE", file("ca.pem", sandbox.ca_pem().unwrap_or_default())?)
        .env("LIQUID_UPSTREAM__HTTP2", http2)
        .env("LIQUID_API_KEY_FILE", file("api_key", &settings.api_key)?)
        .env("LIQUID_ORDERS_USER_ID", &settings.orders_user_id)
        .env("LIQUID_ORDERS_PASSWORD_FILE", file("orders_password", &settings.orders_password)?)
        .env("LIQUID_LISTEN__ADDRESS", format!("127.0.0.1:{app}"))
        .env("LIQUID_ADMIN__ADDRESS", format!("127.0.0.1:{admin}"))
        .env("LIQUID_LOG__ACCESS", "off")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Where the training fails nothing is left running.
        .kill_on_drop(true)
        .spawn()?;
    let trained = async {
        let ready = format!("http://127.0.0.1:{admin}/readyz");
        let client = reqwest::Client::builder().no_proxy().build()?;
        while !client.get(&ready).send().await.is_ok_and(|answer| answer.status() == StatusCode::OK) {
            if let Some(ended) = proxy.try_wait()? {
                return Err(format!("the program ended with {ended} before it was ready").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut apps = JoinSet::new();
        for number in 0..APPS {
            let handle = sandbox.handle();
            apps.spawn(async move {
                // Now and then the API takes a token back, and some connections are used for HTTP/2.
                if number == 0 {
                    handle.revoke_all();
                }
                if number % 4 == 0 { multiplexed(app).await } else { plain(app, number % 8 == 1).await }
            });
        }
        let mut answered = 0;
        while let Some(ended) = apps.join_next().await {
            answered += ended??;
        }
        Ok::<_, Failure>(answered)
    };
    let trained = tokio::time::timeout(Duration::from_secs(300), trained).await;
    // A normal end: a program that is killed writes no profile.
    let id = proxy.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    kill_process(id.ok_or("the program has ended before its training")?, Signal::TERM)?;
    let ended = proxy.wait().await?;
    std::fs::remove_dir_all(&directory)?;
    let answered = trained.map_err(|_| "the training did not end in time")??;
    if ended.success() { Ok(answered) } else { Err(format!("the program ended with {ended}").into()) }
}

/// A port that was free a moment ago.
fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// An app of HTTP/1.1; with `short` connections each request has one of its own.
async fn plain(port: u16, short: bool) -> Result<usize, Failure> {
    let builder = reqwest::Client::builder().no_proxy();
    let client = if short { builder.pool_max_idle_per_host(0) } else { builder }.build()?;
    let kinds = kinds();
    for number in 0..REQUESTS {
        let kind = &kinds[number % kinds.len()];
        let mut request = client
            .request(kind.method.clone(), format!("http://127.0.0.1:{port}{}", kind.path))
            .body(kind.body.clone());
        for (name, value) in kind.headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await?;
        check(kind, answer.status())?;
        answer.bytes().await?;
    }
    Ok(REQUESTS)
}

/// An app of HTTP/2 with prior knowledge.
async fn multiplexed(port: u16) -> Result<usize, Failure> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let kinds = kinds();
    let kinds: Vec<_> =
        kinds.iter().filter(|kind| !kind.headers.iter().any(|(name, _)| *name == "host")).collect();
    for number in 0..REQUESTS {
        let kind = kinds[number % kinds.len()];
        let mut request = Request::builder()
            .method(kind.method.clone())
            .uri(format!("http://127.0.0.1:{port}{}", kind.path));
        for (name, value) in kind.headers {
            request = request.header(*name, *value);
        }
        let answer = sender.send_request(request.body(Full::new(kind.body.clone()))?).await?;
        check(kind, answer.status())?;
        answer.into_body().collect().await?;
    }
    Ok(REQUESTS)
}

fn check(kind: &Kind, status: StatusCode) -> Result<(), Failure> {
    if status == kind.expected {
        return Ok(());
    }
    Err(format!("{} {} was answered with {status} instead of {}", kind.method, kind.path, kind.expected)
        .into())
}

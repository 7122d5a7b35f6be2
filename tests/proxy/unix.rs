//! Apps and operators that come by a Unix socket: served as by a port, and only those who may.

mod activation;
mod file;
mod leaving;
mod users;

use std::path::{Path, PathBuf};

use http::header::{AUTHORIZATION, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use liquid_auth_proxy::sandbox::{Sandbox, Settings};
use rustix::process::Signal;
use tokio::net::UnixStream;

use crate::support::daemon::{Builder, Daemon, KEY, client_at, run_to_end};
use crate::support::upstream::{TOKEN, Upstream};
use crate::support::{eventually, within_limit};

async fn sandbox() -> Sandbox {
    Sandbox::start(Settings { api_key: KEY.into(), ..Settings::default() }).await.unwrap()
}

/// A proxy with both listeners on Unix sockets, and the paths of them.
struct Sockets {
    daemon: Daemon,
    app: PathBuf,
    admin: PathBuf,
}

impl Sockets {
    async fn ready(builder: Builder) -> Self {
        let builder = builder.unix("listen.address").unix("admin.address");
        let (app, admin) = (builder.socket("listen.address"), builder.socket("admin.address"));
        Self { daemon: builder.ready().await, app, admin }
    }

    /// Ends the proxy well, and gives all that it had to log by then.
    async fn log_to_its_end(&mut self) -> String {
        self.daemon.signal(Signal::TERM);
        assert_eq!(self.daemon.ends().await.code(), Some(0));
        let whole = async || Some(self.daemon.log()).filter(|log| log.contains("\"drained\""));
        eventually("the log is read", whole).await
    }

    /// Another of the program's commands, asking this one.
    async fn ask(&self, arguments: &[&str]) -> (i32, String, String) {
        run_to_end(arguments, &[("LIQUID_ADMIN__ADDRESS", &address(&self.admin))]).await
    }
}

fn address(path: &Path) -> String {
    format!("unix:{}", path.display())
}

/// The status of a request that the sandbox has an answer to.
async fn call(socket: &Path) -> reqwest::Result<u16> {
    let asked = client_at(Some(socket)).get("http://localhost/users/fetch/nobody").send();
    Ok(within_limit("an answer comes", asked).await?.status().as_u16())
}

#[tokio::test]
async fn an_api_call_passes_with_the_token() {
    let mut upstream = Upstream::start().await;
    let proxy = Sockets::ready(Builder::new(&upstream.base_url())).await;
    let stream = UnixStream::connect(&proxy.app).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    // Who has no address to name, names what it likes.
    for host in ["localhost", "api.example:8000", "unix"] {
        let request = Request::post("/cart/update?x=1")
            .header(HOST, host)
            .header(AUTHORIZATION, "Bearer of-the-app")
            .body(Full::new(Bytes::from_static(b"{\"id\":1}")))
            .unwrap();
        let asked = tokio::spawn(sender.send_request(request));
        let call = upstream.call().await;
        assert!(call.head().starts_with("POST /cart/update?x=1 HTTP/1.1\r\n"), "{}", call.head());
        assert!(call.head().contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{}", call.head());
        assert!(!call.head().contains("of-the-app") && !call.head().contains(host), "{}", call.head());
        call.last_answer("200 OK", "", "all of it").await;
        let answer = asked.await.unwrap().unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "all of it");
    }
}

#[tokio::test]
async fn http2_is_spoken_too_and_authentication_answered() {
    let sandbox = sandbox().await;
    let proxy = Sockets::ready(Builder::new(&sandbox.base_url())).await;
    let stream = UnixStream::connect(&proxy.app).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://proxy/api/authentication").body(Full::<Bytes>::default()).unwrap();
    let answer = within_limit("the answer comes", sender.send_request(request)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["data"]["token"], "placeholder-issued-by-liquid-auth-proxy");
}

/// A proxy for everything, by the socket: still none.
#[tokio::test]
async fn another_host_as_the_target_is_refused_here_too() {
    let sandbox = sandbox().await;
    let proxy = Sockets::ready(Builder::new(&sandbox.base_url())).await;
    for (target, status) in
        [("http://localhost/users/fetch/nobody", "404"), ("http://other.example/users/fetch/nobody", "421")]
    {
        let mut stream = UnixStream::connect(&proxy.app).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let reading = tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer);
        within_limit("the answer comes", reading).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn the_addresses_are_told() {
    let sandbox = sandbox().await;
    let proxy = Sockets::ready(Builder::new(&sandbox.base_url())).await;
    let status = proxy.daemon.status().await;
    assert_eq!(status["listen"], address(&proxy.app));
    assert_eq!(status["admin"], address(&proxy.admin));
    assert_eq!(call(&proxy.app).await.unwrap(), 404);
    assert_eq!(proxy.daemon.metric(r#"liquid_proxy_requests_total{method="GET",status="404"}"#).await, 1.0);
}

#[tokio::test]
async fn healthcheck_wait_and_status_ask_by_the_socket() {
    let sandbox = sandbox().await;
    let mut proxy = Sockets::ready(Builder::new(&sandbox.base_url())).await;
    assert_eq!(proxy.ask(&["healthcheck"]).await, (0, "ready\n".to_owned(), String::new()));
    assert_eq!(proxy.ask(&["wait", "--max", "20s"]).await, (0, String::new(), String::new()));
    let (code, out, errors) = proxy.ask(&["status"]).await;
    assert_eq!((code, errors.as_str()), (0, ""), "{out}");
    for line in [
        format!("proxy        liquid-auth-proxy {}, ready", env!("CARGO_PKG_VERSION")),
        "environment  staging".to_owned(),
        format!("apps         {}", address(&proxy.app)),
        format!("admin        {}", address(&proxy.admin)),
        "credential   api".to_owned(),
    ] {
        assert!(out.lines().any(|found| found == line), "no {line:?} in\n{out}");
    }
    assert!(!out.contains(KEY), "{out}");

    proxy.daemon.signal(Signal::TERM);
    proxy.daemon.ends().await;
    let nobody = format!("no proxy answers at {}: ", address(&proxy.admin));
    for (arguments, expected) in
        [(&["healthcheck"][..], 1), (&["wait", "--max", "100ms"], 69), (&["status"], 69)]
    {
        let (code, out, errors) = proxy.ask(arguments).await;
        assert_eq!((code, out.as_str()), (expected, ""), "{arguments:?}: {errors}");
        assert!(errors.contains(&nobody), "{errors}");
    }
}

/// What the banner shows can be copied, whatever is in the path.
#[tokio::test]
async fn the_banner_has_a_line_for_the_shell() {
    use tokio::io::{AsyncBufReadExt, BufReader};

    let directory = tempfile::Builder::new().prefix("it's a ").tempdir().unwrap();
    let [app, admin] = ["app", "admin"].map(|name| directory.path().join(name));
    let mut command = crate::support::daemon::command();
    command.args(["sandbox", "--listen-address", &address(&app), "--admin-address", &address(&admin)]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut running = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let line = loop {
        let line = within_limit("the banner comes", lines.next_line()).await.unwrap().unwrap();
        if line.trim_start().starts_with("curl ") {
            break line;
        }
    };
    // A shell takes the line apart; `curl` need not be there.
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("curl() {{ printf '%s\\n' \"$@\"; }}; {}", line.trim())]);
    let (code, words, errors) = crate::support::daemon::output(shell).await;
    assert_eq!(code, 0, "{errors}");
    let words: Vec<_> = words.lines().collect();
    assert_eq!(words[..2], ["--unix-socket", app.to_str().unwrap()]);
    assert_eq!(words[2], "http://localhost/catalog/search");
}

//! A proxy that people really run, as a process: tinyproxy, which speaks HTTP/1.0 and asks for Basic.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{PASSWORD, USER, sandbox, search, secrets};
use crate::support::client::Client;
use crate::support::daemon::{Builder, Daemon};
use crate::support::eventually;
use crate::support::own_answer;
use crate::support::port::Port;

/// A running one. Ended when dropped.
struct Tinyproxy {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
    _port: Port,
}

impl Tinyproxy {
    /// With these lines in its configuration.
    async fn start(lines: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = Port::reserve();
        let address = port.address();
        let log = directory.path().join("log");
        let configuration = directory.path().join("tinyproxy.conf");
        let text = format!(
            "Port {}\nListen 127.0.0.1\nTimeout 60\nLogFile \"{}\"\nLogLevel Info\n{lines}\n",
            address.port(),
            log.display()
        );
        std::fs::write(&configuration, text).unwrap();
        let mut child = Command::new("tinyproxy")
            .arg("-d")
            .arg("-c")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("tinyproxy is not installed: run `make test`, which installs it");
        eventually("tinyproxy listens", async || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", std::fs::read_to_string(&log).unwrap_or_default());
            TcpStream::connect(address).await.ok()
        })
        .await;
        Self { child, address, directory, _port: port }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address that a connection to 0.0.0.0 leads to is this machine's, but it is not called loopback.
const HERE: &str = "0.0.0.0";

async fn api() -> (liquid_auth_proxy::sandbox::Sandbox, Builder) {
    let sandbox = sandbox(HERE).await;
    let url = format!("https://{HERE}:{}", sandbox.address().port());
    let builder = Builder::new(&url).trust(sandbox.ca_pem().unwrap());
    (sandbox, builder)
}

#[tokio::test]
async fn all_goes_through_it() {
    let tinyproxy = Tinyproxy::start(&format!("BasicAuth {USER} {PASSWORD}")).await;
    let (sandbox, builder) = api().await;
    let url = format!("http://{USER}:{PASSWORD}@{}", tinyproxy.address);
    let daemon = builder.variable("HTTPS_PROXY", &url).ready().await;
    let mut client = Client::connect(&daemon).await;
    for _ in 0..3 {
        client.head("GET /users/fetch/nobody HTTP/1.1\nHost: localhost").await;
        assert_eq!(client.answer().await.status, 404);
    }
    let target = format!("CONNECT {HERE}:{} HTTP/1.1", sandbox.address().port());
    let log = tinyproxy.log();
    // One for the token, one for the requests.
    assert_eq!(log.matches(&target).count(), 2, "{log}");
    secrets::of_proxy().assert_absent("the log", daemon.log());
}

/// What is told where no token can be had.
async fn told(daemon: &Daemon) -> String {
    let failed = async || daemon.admin("/readyz").await.1.contains("through the proxy").then_some(());
    eventually("an attempt has failed", failed).await;
    own_answer::check(
        &search(daemon).await,
        "token_unavailable",
        "destination_unavailable",
        "/catalog/search",
    )
}

#[tokio::test]
async fn its_refusals_are_understood() {
    let tinyproxy = Tinyproxy::start(&format!("BasicAuth {USER} {PASSWORD}")).await;
    let (_sandbox, builder) = api().await;
    let url = format!("http://{USER}:another-password@{}", tinyproxy.address);
    let builder = builder.set("token.wait_timeout", "100ms").variable("ALL_PROXY", &url);
    let message = told(&builder.start().await).await;
    // What it answers to wrong credentials is up to it: 401 in some versions, 407 in others.
    assert!(message.contains(&format!("through the proxy {}: the proxy ", tinyproxy.address)), "{message}");

    let tinyproxy = Tinyproxy::start("ConnectPort 1").await;
    let (_sandbox, builder) = api().await;
    let url = format!("http://{}", tinyproxy.address);
    let builder = builder.set("token.wait_timeout", "100ms").set("upstream.proxy", &url);
    let message = told(&builder.start().await).await;
    assert!(message.contains("the proxy refused, or is no HTTP proxy"), "{message}");
}

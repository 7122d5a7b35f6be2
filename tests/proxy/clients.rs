//! The clients that apps are written with, each a small program of its own in `tests/proxy/clients`, through the
//! proxy to an API over TLS that speaks HTTP/1.1 or HTTP/2.
//!
//! Each gets and posts bodies of odd sizes, streams both ways, and waits as long as a 429 asks for. What they
//! check themselves ends them with another status than 0.

mod api;
mod curl;

use std::path::Path;
use std::process::Command;

use self::api::{Api, Version};
use crate::support::came_to_its_end;
use crate::support::daemon::{Builder, output};

/// What each program does, in its order; it prints each when it is done.
const STEPS: [&str; 5] = ["get", "post", "up", "down", "retry"];

/// Runs a client before an API of each version; `agent` is in the name that it gives itself.
async fn run(command: impl Fn(&Path) -> Command, agent: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proxy/clients");
    for version in [Version::One, Version::Two] {
        let api = Api::start(version).await;
        let daemon = Builder::new(&api.base_url()).trust(api.ca_pem()).ready().await;
        let mut command = command(&directory);
        command.arg(daemon.url("")).current_dir(&directory);
        let (code, steps, errors) = output(command).await;
        assert_eq!(code, 0, "{steps}{errors}");
        assert_eq!(steps.lines().collect::<Vec<_>>(), STEPS, "{errors}");
        came_to_its_end(&daemon).await;
        api.assert_called(agent);
    }
}

/// A program of the virtual environment that `make test` makes.
fn python(directory: &Path, program: &str, arguments: &[&str]) -> Command {
    let python = directory.join(".venv/bin/python");
    assert!(python.exists(), "no Python packages for the tests: run `make test`, which installs them");
    let mut command = Command::new(python);
    command.arg(program).args(arguments);
    command
}

#[tokio::test]
async fn node() {
    let command = |_: &Path| {
        let mut command = Command::new("node");
        command.arg("node.mjs");
        command
    };
    run(command, "node").await;
}

#[tokio::test]
async fn python_requests() {
    run(|directory| python(directory, "with_requests.py", &[]), "python-requests/").await;
}

#[tokio::test]
async fn python_httpx() {
    run(|directory| python(directory, "with_httpx.py", &["1"]), "python-httpx/").await;
}

/// With prior knowledge.
#[tokio::test]
async fn python_httpx_over_http2() {
    run(|directory| python(directory, "with_httpx.py", &["2"]), "python-httpx/").await;
}

#[tokio::test]
async fn python_aiohttp() {
    run(|directory| python(directory, "with_aiohttp.py", &[]), "aiohttp/").await;
}

#[tokio::test]
async fn go() {
    let command = |_: &Path| {
        let mut command = Command::new("go");
        command.args(["run", "client.go"]);
        // Nothing is fetched, and what is compiled stays below the target directory.
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
        command.env("GOCACHE", cache.join("cache")).env("GOPATH", cache.join("path"));
        command.env("GO111MODULE", "off").env("GOFLAGS", "");
        command
    };
    run(command, "Go-http-client/").await;
}

fn java(version: &str) -> Command {
    let mut command = Command::new("java");
    // Started for a moment, it is not worth being compiled well.
    command.args(["-XX:TieredStopAtLevel=1", "Client.java", version]);
    command
}

#[tokio::test]
async fn java_over_http1() {
    run(|_| java("1"), "Java-http-client/").await;
}

/// As it is unless it is told otherwise: it offers HTTP/2 in its first request, and goes on without it.
#[tokio::test]
async fn java_as_it_is() {
    run(|_| java("2"), "Java-http-client/").await;
}

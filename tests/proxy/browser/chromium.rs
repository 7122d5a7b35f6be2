//! Chromium without a window, in a new profile each time.

use std::process::Command;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::Value;
use tempfile::TempDir;

/// A browser has more to do at its start than any other program here.
const LIMIT: Duration = Duration::from_secs(120);

/// A browser for one visit.
pub(super) struct Chromium {
    command: Command,
    _profile: TempDir,
}

/// A page when it had come to rest.
pub(super) struct Page {
    pub(super) dom: String,
}

impl Chromium {
    /// A browser that finds all names of `.example` on this machine.
    pub(super) fn new() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let home = profile.path().to_str().unwrap();
        let mut command = Command::new("chromium");
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", home).env("TMPDIR", home);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--disable-dev-shm-usage", "--no-proxy-server", "--dump-dom"]);
        // Time stands still in the page while an answer is awaited: it is the page's own time.
        command.arg("--virtual-time-budget=20000");
        command.arg(format!("--user-data-dir={home}/profile"));
        command.arg("--host-resolver-rules=MAP *.example 127.0.0.1, MAP localhost 127.0.0.1");
        Self { command, _profile: profile }
    }

    /// Opens a page and lets it do what it does.
    pub(super) async fn visit(mut self, url: &str) -> Page {
        self.command.arg(url);
        let running = tokio::process::Command::from(self.command).kill_on_drop(true).output();
        let output = match tokio::time::timeout(LIMIT, running).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => {
                panic!("chromium cannot be started ({error}): run `make test`, which installs it")
            }
            Err(_) => panic!("chromium has not come to an end with {url} within {LIMIT:?}"),
        };
        let dom = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
        Page { dom }
    }
}

impl Page {
    /// What the page wrote of what it tried.
    pub(super) fn results(&self) -> Value {
        let results =
            self.dom.split_once("<pre id=\"results\">").and_then(|(_, rest)| rest.split_once("</pre>"));
        let (results, _) = results.unwrap_or_else(|| panic!("the page has not finished: {}", self.dom));
        serde_json::from_str(&percent_decode_str(results).decode_utf8().unwrap()).unwrap()
    }
}

//! The proxy as a process of its own, on ports of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use liquid_auth_proxy::sandbox::{DEFAULT_ORDERS_PASSWORD, DEFAULT_ORDERS_USER_ID};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::{eventually, within_limit};

/// A key that no other part of the world knows.
pub const KEY: &str = "test-key-5f0c1e";

/// A proxy that is to be started.
pub struct Builder {
    variables: Vec<(String, String)>,
    directory: TempDir,
    shell: Option<String>,
    handed: Vec<OwnedFd>,
}

/// A running proxy. Ended when dropped.
pub struct Daemon {
    child: Child,
    listen: String,
    admin: String,
    log: Arc<Mutex<Vec<String>>>,
    _directory: TempDir,
}

/// The program itself, with nothing of this process's environment.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_liquid-auth-proxy"));
    command.env_clear().stdin(Stdio::null());
    command
}

impl Builder {
    /// In front of the API at `base_url`, as `staging`, with [`KEY`] in a file.
    pub fn new(base_url: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key_file = directory.path().join("api_key");
        std::fs::write(&key_file, format!("{KEY}\n")).unwrap();
        Self { variables: Vec::new(), directory, shell: None, handed: Vec::new() }
            .set("environment", "staging")
            .set("upstream.base_url", base_url)
            .set("credentials.api.key_file", key_file.to_str().unwrap())
            .set("listen.address", "127.0.0.1:0")
            .set("admin.address", "127.0.0.1:0")
            .set("log.level", "debug")
            .set("log.format", "json")
    }

    /// Sets a key of the configuration, by its variable.
    pub fn set(self, key: &str, value: &str) -> Self {
        let mut builder = self.unset(key);
        builder.variables.push((variable(key), value.to_owned()));
        builder
    }

    /// Takes a key of the configuration away.
    pub fn unset(mut self, key: &str) -> Self {
        let variable = variable(key);
        self.variables.retain(|(name, _)| *name != variable);
        self
    }

    /// Sets a variable that is not the configuration's own.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With `key` at a path in a directory of the test's own.
    pub fn unix(self, key: &str) -> Self {
        let address = format!("unix:{}", self.socket(key).display());
        self.set(key, &address)
    }

    /// The path that [`Self::unix`] gives `key`.
    pub fn socket(&self, key: &str) -> PathBuf {
        self.directory.path().join(key)
    }

    /// Started by a shell that runs `script` first, and then becomes the program.
    pub fn shell(mut self, script: &str) -> Self {
        self.shell = Some(script.to_owned());
        self
    }

    /// With one core, and so with one worker.
    pub fn on_one_core(self) -> Self {
        self.shell(
            "set -e
            cores=$(taskset -cp $$)
            first=${cores##* }
            taskset -cp \"${first%%[,-]*}\" $$ >/dev/null",
        )
    }

    /// The shell's standard input and output, in this order.
    pub fn hand_over(mut self, socket: impl Into<OwnedFd>) -> Self {
        self.handed.push(socket.into());
        self
    }

    /// With the Orders credential that a sandbox knows unless it is told otherwise.
    pub fn orders(self) -> Self {
        let password = self.directory.path().join("orders_password");
        std::fs::write(&password, DEFAULT_ORDERS_PASSWORD).unwrap();
        self.set("credentials.orders.user_id", DEFAULT_ORDERS_USER_ID)
            .set("credentials.orders.password_file", password.to_str().unwrap())
    }

    /// Trusts the certificates in `pem`.
    pub fn trust(self, pem: &str) -> Self {
        let file = self.directory.path().join("ca.pem");
        std::fs::write(&file, pem).unwrap();
        self.set("upstream.ca_file", file.to_str().unwrap())
    }

    /// Runs another of the program's commands with the same configuration, to its end.
    pub async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = command();
        command.args(arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        output(command).await
    }

    /// A file of the test's own, and its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Where the key stands.
    pub fn key_file(&self) -> PathBuf {
        self.directory.path().join("api_key")
    }

    fn spawn(&mut self) -> Child {
        let mut command = command();
        if let Some(script) = &self.shell {
            let program = command.get_program().to_owned();
            command = Command::new("sh");
            command.env_clear().env("PATH", "/usr/bin:/bin");
            command.arg("-c").arg(format!("{script}\nexec \"$0\" \"$@\"")).arg(program);
        }
        let mut handed = self.handed.drain(..).map(Stdio::from);
        command.stdin(handed.next().unwrap_or_else(Stdio::null));
        command.stdout(handed.next().unwrap_or_else(Stdio::null));
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command.arg("run").envs(variables).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts it to see it fail: exit code and standard error.
    pub async fn fails(mut self) -> (i32, String) {
        let child = self.spawn();
        let waiting = tokio::task::spawn_blocking(move || child.wait_with_output());
        let output = within_limit("the proxy ends", waiting).await.unwrap().unwrap();
        (output.status.code().unwrap_or(-1), String::from_utf8(output.stderr).unwrap())
    }

    /// Starts it, and returns when it serves (it need not be ready).
    pub async fn start(mut self) -> Daemon {
        let mut child = self.spawn();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let sink = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                sink.lock().unwrap().push(line);
            }
        });
        let serving = eventually("the proxy serves", async || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("it ended with {status}:\n{}", log.lock().unwrap().join("\n"));
            }
            let lines = log.lock().unwrap();
            let entries = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            entries.into_iter().find(|entry| entry["message"] == "serving")
        })
        .await;
        let address = |name: &str| serving[name].as_str().unwrap().to_owned();
        Daemon { child, listen: address("listen"), admin: address("admin"), log, _directory: self.directory }
    }

    /// Starts it, and returns when it is ready.
    pub async fn ready(self) -> Daemon {
        let daemon = self.start().await;
        daemon.becomes_ready().await;
        daemon
    }
}

/// The variable that sets `key`.
fn variable(key: &str) -> String {
    format!("LIQUID_{}", key.replace('.', "__").to_uppercase())
}

impl Daemon {
    /// Where apps reach it.
    pub fn address(&self) -> SocketAddr {
        self.listen.parse().unwrap()
    }

    /// Where operators reach it.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.parse().unwrap()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A URL on the apps' listener.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listen)
    }

    /// A URL on the admin listener, which has a port.
    pub fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin)
    }

    /// `GET path` on the admin listener: status and text.
    pub async fn admin(&self, path: &str) -> (u16, String) {
        let (client, host) = match self.admin.strip_prefix("unix:") {
            Some(socket) => (client_at(Some(Path::new(socket))), "localhost"),
            None => (client(), self.admin.as_str()),
        };
        let answer = client.get(format!("http://{host}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// `/status`
    pub async fn status(&self) -> Value {
        serde_json::from_str(&self.admin("/status").await.1).unwrap()
    }

    /// The value of the sample of `/metrics` that is written `name` (with labels); 0 where there is none.
    pub async fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.admin("/metrics").await;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Waits until `/readyz` answers 200.
    pub async fn becomes_ready(&self) {
        eventually("the proxy is ready", async || (self.admin("/readyz").await.0 == 200).then_some(())).await;
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub async fn ends(&mut self) -> ExitStatus {
        eventually("the proxy ends", async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the proxy's log:\n{}", self.log());
        }
    }
}

/// A plain client, as apps have it.
pub fn client() -> reqwest::Client {
    client_at(None)
}

/// A plain client whose every request goes to a Unix socket, if there is one.
pub fn client_at(socket: Option<&Path>) -> reqwest::Client {
    // No TLS is spoken on this side, but the library wants to know how it would be.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let mut builder = reqwest::Client::builder();
    if let Some(socket) = socket {
        builder = builder.unix_socket(socket);
    }
    builder
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// Runs the program to its end: exit code, standard output, standard error.
pub async fn run_to_end(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = command();
    command.args(arguments).envs(variables.iter().copied());
    output(command).await
}

/// Runs a command to its end, which must come within the limit.
pub async fn output(command: Command) -> (i32, String, String) {
    let what = format!("{command:?} ends");
    let running = tokio::process::Command::from(command).kill_on_drop(true).output();
    let output = within_limit(&what, running).await.unwrap();
    let code = output.status.code().unwrap_or(-1);
    (code, String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

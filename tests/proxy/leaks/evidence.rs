//! What a proxy shows: its answers, its output, its log, its pages, its arguments, the files it writes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use super::{CLIENT_TOKEN, KEY};
use crate::support::client::Client;
use crate::support::daemon::{Builder, Daemon};
use crate::support::eventually;
use crate::support::secrets::Secrets;

/// What the admin listener serves, and what it does not.
const PAGES: [&str; 6] = ["/livez", "/readyz", "/status", "/metrics", "/", "/nothing"];

/// Where a proxy runs: an empty working directory, an empty one for temporary files, and a file for its
/// standard output.
pub(super) struct Scene {
    directory: TempDir,
}

/// Everything that was seen, each piece with its place.
#[derive(Default)]
pub(super) struct Evidence {
    pieces: Vec<(String, Vec<u8>)>,
    /// The codes of the proxy's own answers among them.
    pub(super) codes: BTreeSet<String>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["cwd", "tmp"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A proxy in front of the API at `base_url` that lives here and says all that it ever says.
    pub(super) fn builder(&self, base_url: &str) -> Builder {
        let builder = Builder::new(base_url);
        fs::write(builder.key_file(), KEY).unwrap();
        builder
            .shell(&format!("cd '{}'", self.path("cwd").display()))
            .variable("TMPDIR", self.path("tmp").to_str().unwrap())
            .hand_over(File::open("/dev/null").unwrap())
            .hand_over(File::create(self.path("stdout")).unwrap())
            .set("log.level", "trace")
            .set("log.access", "all")
    }

    /// The working directory.
    pub(super) fn working_directory(&self) -> PathBuf {
        self.path("cwd")
    }
}

impl Evidence {
    /// Something that was seen.
    pub(super) fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.pieces.push((place.into(), bytes.into()));
    }

    /// Sends a request of a client that may call, and keeps all bytes that come back. Returns the status.
    pub(super) async fn ask(&mut self, daemon: &Daemon, request: &str, headers: &str, body: &str) -> u16 {
        let head = format!("{request} HTTP/1.1\nHost: localhost\nX-Liquid-Client-Token: {CLIENT_TOKEN}");
        self.send(daemon, &format!("{head}\n{headers}"), body).await
    }

    /// Sends a request as it is, the last on its connection, and keeps all bytes that come back.
    pub(super) async fn send(&mut self, daemon: &Daemon, head: &str, body: &str) -> u16 {
        let length =
            if body.is_empty() { String::new() } else { format!("\nContent-Length: {}", body.len()) };
        let head = format!("{}{length}\nConnection: close", head.trim());
        let mut client = Client::request(daemon, &head).await;
        client.send(body.as_bytes()).await;
        self.answer(&head, client).await
    }

    /// Keeps all bytes that come until the connection closes.
    pub(super) async fn answer(&mut self, asked: &str, client: Client) -> u16 {
        let bytes = client.until_closed().await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        let code = text.lines().find_map(|line| line.strip_prefix("x-liquid-proxy-error: "));
        self.codes.extend(code.map(|code| code.trim().to_owned()));
        self.add(format!("the answer to {asked:?}"), bytes);
        status.unwrap_or_else(|| panic!("no answer to {asked:?}: {text:?}"))
    }

    /// What a process tells everyone on the machine, and what the proxy tells operators.
    pub(super) async fn look_at(&mut self, daemon: &Daemon) {
        self.add("the arguments", arguments(daemon.pid()).unwrap());
        for path in PAGES {
            self.add(path, daemon.admin(path).await.1);
        }
    }

    /// Ends a proxy; what it has said and left behind is evidence.
    pub(super) async fn end(&mut self, mut daemon: Daemon, scene: &Scene) {
        self.look_at(&daemon).await;
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.ends().await.code(), Some(0));
        let whole = async || Some(daemon.log()).filter(|log| log.contains("\"drained\""));
        self.add("the log", eventually("the log is read", whole).await);
        self.left_behind(scene);
    }

    /// Standard output, and every file that was written.
    pub(super) fn left_behind(&mut self, scene: &Scene) {
        self.add("standard output", fs::read(scene.path("stdout")).unwrap());
        for name in ["cwd", "tmp"] {
            self.files_below(&scene.path(name));
        }
    }

    fn files_below(&mut self, directory: &Path) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            self.add("the name of a file", path.to_str().unwrap());
            if path.is_dir() {
                self.files_below(&path);
            } else {
                self.add(format!("the file {}", path.display()), fs::read(&path).unwrap());
            }
        }
    }

    /// Takes over what was seen elsewhere.
    pub(super) fn extend(&mut self, other: Self) {
        self.pieces.extend(other.pieces);
        self.codes.extend(other.codes);
    }

    /// Whether `text` stands in a piece that was seen at `place`.
    pub(super) fn tells(&self, place: &str, text: &str) -> bool {
        let found = |bytes: &[u8]| memchr::memmem::find(bytes, text.as_bytes()).is_some();
        self.pieces.iter().any(|(name, bytes)| name.starts_with(place) && found(bytes))
    }

    /// Where `secrets` were seen, and in which form.
    pub(super) fn found(&self, secrets: &Secrets) -> BTreeSet<String> {
        let found = |(place, bytes): &(String, Vec<u8>)| {
            secrets.found(bytes).into_iter().map(|form| format!("{place}: {form}")).collect::<Vec<_>>()
        };
        self.pieces.iter().flat_map(found).collect()
    }

    /// Panics when any of `secrets` was seen.
    pub(super) fn assert_none(&self, secrets: &Secrets) {
        let found = self.found(secrets);
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// What a process was started with, as everyone on the machine may read it; `None` for one that is gone.
pub(super) fn arguments(pid: u32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|arguments| !arguments.is_empty())
}

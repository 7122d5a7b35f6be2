//! The proxy's memory holds the secrets: the system keeps it from everyone, its own user included.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::support::daemon::{command, output};

/// Who runs the proxy when the tests are root's, to whom everything is open.
const USER: u32 = 54_321;

/// A process of a user who is not root, ended when dropped.
struct Process {
    child: Child,
    directory: TempDir,
}

fn as_user(command: &mut Command) -> &mut Command {
    if geteuid().is_root() { command.uid(USER).gid(USER) } else { command }
}

impl Process {
    /// Starts `program` (with a place of its own to write to), and returns when it has said `started`.
    fn start(program: impl FnOnce(&str) -> Command, started: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        if geteuid().is_root() {
            chown(directory.path(), Some(USER), Some(USER)).unwrap();
        }
        let mut command = program(directory.path().to_str().unwrap());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = as_user(&mut command).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains(started)), "it has ended");
        // What it goes on to say finds a reader.
        std::thread::spawn(move || lines.count());
        Self { child, directory }
    }

    /// The proxy, with a Unix socket, for which it needs what the system still lets it know of itself.
    fn proxy() -> Self {
        let start = |directory: &str| {
            // Where the tests run from need not be open to that user.
            let program = format!("{directory}/program");
            fs::copy(command().get_program(), &program).unwrap();
            let mut proxy = Command::new(program);
            proxy.env_clear().args(["sandbox", "--log-format", "json", "--admin-address", "127.0.0.1:0"]);
            proxy.args(["--listen-address", &format!("unix:{directory}/app")]);
            proxy.env("LIQUID_LISTEN__UNIX_MODE", "0640").env("LIQUID_API_KEY", "key-in-a-variable");
            proxy
        };
        Self::start(start, "\"serving\"")
    }

    /// What the same user reads of it.
    async fn reads(&self, file: &str) -> Result<String, String> {
        let mut cat = Command::new("cat");
        cat.arg(format!("/proc/{}/{file}", self.child.id()));
        as_user(&mut cat);
        match output(cat).await {
            (0, text, _) => Ok(text),
            (.., errors) => Err(errors),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn its_own_user_does_not_see_into_it() {
    // A process that does nothing for it is open to its user.
    let shell = |_: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo started >&2; read line"]).env_clear().env("KEY", "key-in-a-variable");
        shell
    };
    let open = Process::start(shell, "started");
    assert!(open.reads("environ").await.unwrap().contains("key-in-a-variable"));

    let proxy = Process::proxy();
    for file in ["environ", "maps", "mem"] {
        let denied = proxy.reads(file).await.unwrap_err();
        assert!(denied.contains("Permission denied"), "{file}: {denied}");
    }
    // What everybody may know is as it was.
    assert!(proxy.reads("cmdline").await.unwrap().contains("sandbox"));
    let socket = fs::metadata(proxy.directory.path().join("app")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o640);
}

#[tokio::test]
async fn it_leaves_no_core_dump() {
    let mut proxy = Process::proxy();
    let limits = proxy.reads("limits").await.unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");

    kill_process(Pid::from_raw(proxy.child.id().cast_signed()).unwrap(), Signal::ABORT).unwrap();
    let ended = proxy.child.wait().unwrap();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(Signal::ABORT.as_raw()), false));
}

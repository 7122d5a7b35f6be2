//! What is told of a panic: the thread and the place in the code. What it says may hold data, a request's or
//! worse, and so is told nowhere.

use std::fmt;
use std::io::{self, Write};
use std::panic::PanicHookInfo;

use tracing::{Level, error};

/// Takes the place of the standard library's hook, which prints what a panic says.
pub fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let place = Place(info);
        if tracing::enabled!(Level::ERROR) {
            error!(thread, %place, "panicked: this is a fault of the program");
        } else {
            // Before there is a log, and in commands that have none.
            let _ = writeln!(io::stderr(), "liquid-auth-proxy: panicked in thread {thread} at {place}");
        }
    }));
}

struct Place<'a, 'b>(&'a PanicHookInfo<'b>);

impl fmt::Display for Place<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.location() {
            Some(location) => location.fmt(f),
            None => f.write_str("an unknown place"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::config::{AccessLog, Log, LogFormat, LogLevel};

    const CANARY: &str = "canary-6b1f09e2c4";

    /// Set in the child process, whose panics are looked at.
    const CHILD: &str = "CHILD_THAT_PANICS";

    /// In a process of its own: the hook is the whole process's.
    #[test]
    fn a_panic_is_told_without_what_it_says() {
        if std::env::var_os(CHILD).is_some() {
            return panic_in_many_ways();
        }
        let name = format!(
            "{}::{}",
            module_path!().split_once("::").unwrap().1,
            "a_panic_is_told_without_what_it_says"
        );
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture"])
            .env(CHILD, "1")
            .env("RUST_BACKTRACE", "full")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "{told}");
        assert!(!told.contains(CANARY), "{told}");
        let place = concat!(file!(), ":");
        for thread in ["before-the-log", "text", "formatted", "any", "a-task"] {
            let line =
                told.lines().find(|line| line.contains(thread)).unwrap_or_else(|| panic!("{thread}: {told}"));
            assert!(line.contains(place) && line.contains("panicked"), "{line}");
        }
        assert!(told.contains("the other task goes on"), "{told}");
    }

    fn panic_in(thread: &str, how: impl FnOnce() + Send + 'static) {
        let thread = std::thread::Builder::new().name(thread.to_owned()).spawn(how).unwrap();
        assert!(thread.join().is_err(), "it did not panic");
    }

    fn panic_in_many_ways() {
        install_hook();
        panic_in("before-the-log", || panic!("{CANARY}"));
        let log = Log { format: LogFormat::Json, level: LogLevel::Trace, access: AccessLog::All };
        let _log = crate::telemetry::init(&log);
        panic_in("text", || panic!("canary-6b1f09e2c4"));
        panic_in("formatted", || panic!("{CANARY}: {:?}", CANARY.as_bytes()));
        panic_in("any", || std::panic::panic_any(CANARY.to_owned()));
        // As each connection is served: by a task of a worker's thread.
        let worker = std::thread::Builder::new().name("a-task".into());
        let worker = worker.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build_local(Default::default()).unwrap();
            runtime.block_on(async {
                let panics = tokio::task::spawn_local(async { panic!("{CANARY:?}") });
                let goes_on = tokio::task::spawn_local(async {
                    tokio::task::yield_now().await;
                    tracing::info!("the other task goes on");
                });
                assert!(panics.await.is_err());
                goes_on.await.unwrap();
            });
        });
        worker.unwrap().join().unwrap();
    }
}

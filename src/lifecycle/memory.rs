//! Memory that holds secrets is for this process alone: no core dump shows it, and no other process of the
//! same user reads it (a debugger, `/proc/PID/mem`). The system lets root do so all the same.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};
use tracing::debug;

/// What the system would not do to keep memory private.
#[derive(Debug, Default)]
#[must_use = "it waits to be told when there is a log"]
pub struct Unshielded(Vec<(&'static str, io::Error)>);

/// Keeps this process's memory private from now on, as far as the system lets it. For the beginning, before
/// there is a secret in it.
pub fn keep_private() -> Unshielded {
    let mut unshielded = Unshielded::default();
    // With both limits at 0 no dump is written to a file.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    unshielded.note("core dumps are not ruled out", setrlimit(Resource::Core, none));
    // And none is handed to a program, which no limit would stop (core(5), "Piping core dumps to a program").
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};

        let done = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        unshielded.note("other processes of this user may read the memory", done);
    }
    unshielded
}

impl Unshielded {
    fn note(&mut self, what: &'static str, done: rustix::io::Result<()>) {
        self.0.extend(done.err().map(|error| (what, error.into())));
    }

    /// Tells the log.
    pub fn log(self) {
        for (what, error) in self.0 {
            debug!(%error, "{what}");
        }
    }
}

//! `healthcheck` and `wait`: is the proxy ready, or when will it be.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use http::StatusCode;

use super::ask::{self, in_runtime};
use super::{Exit, complain, say};
use crate::config::Address;

/// Between two looks: short enough that an app does not notice, long enough to cost nothing.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One look at `/readyz`.
pub(super) fn healthcheck(admin: &Address) -> Exit {
    in_runtime(async {
        match readiness(admin).await {
            Ok(()) => {
                say("ready");
                Exit::Success
            }
            Err(why) => {
                complain(why);
                Exit::Failure
            }
        }
    })
}

/// Looks until the proxy is ready, for at most `max`; then this process becomes `command`, if there is one.
pub(super) fn wait(admin: &Address, max: Duration, command: &[OsString]) -> Exit {
    let exit = in_runtime(async {
        let started = Instant::now();
        loop {
            let Err(why) = readiness(admin).await else { return Exit::Success };
            if started.elapsed() + LOOK_EVERY > max {
                complain(format_args!("not ready after {}: {why}", humantime::format_duration(max)));
                return Exit::Unavailable;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    match (exit, command.split_first()) {
        (Exit::Success, Some((program, arguments))) => {
            // Returns only if it fails.
            let error = Command::new(program).args(arguments).exec();
            complain(format_args!("cannot run {}: {error}", program.display()));
            Exit::Failure
        }
        (exit, _) => exit,
    }
}

/// Why the proxy is not ready, if it is not.
async fn readiness(admin: &Address) -> Result<(), String> {
    match ask::get(admin, "/readyz").await {
        Ok((StatusCode::OK, _)) => Ok(()),
        Ok((_, pending)) => Err(pending.trim_end().to_owned()),
        Err(silence) => Err(silence.to_string()),
    }
}

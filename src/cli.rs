//! The command line: which command, with which configuration, and what its end means to the caller.

mod ask;
mod check;
mod run;
mod status;
mod wait;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use zeroize::Zeroizing;

use crate::config::{self, Address, Flags, Loaded, Problems, Sources};
use crate::lifecycle::memory::{self, Unshielded};
use crate::telemetry::panics;

/// Holds a LiquidCommerce API key and puts a fresh access token on every request of the apps beside it.
///
/// Apps set their base URL to http://localhost:8000 and send plain requests, without a key. Try it
/// with no key and no network: liquid-auth-proxy sandbox
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

// A paragraph is one line: it is wrapped to the terminal's width.
const AFTER_HELP: &str = "\
Every setting is also a variable: [listen] address is LIQUID_LISTEN__ADDRESS. Secrets are variables \
or files, never flags: LIQUID_API_KEY_FILE (better) or LIQUID_API_KEY.

Exit codes: 0 after a clean end, 64 for a wrong configuration or command line, 69 when something \
that is needed is unavailable, 1 otherwise.";

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
enum Command {
    /// Run the proxy (also what happens without a command)
    Run,
    /// Run the proxy in front of an embedded stand-in for the API: no key, no network
    Sandbox,
    /// Check the whole configuration and print it with secrets redacted
    Check {
        /// Also resolve, connect, verify TLS and authenticate once
        #[arg(long)]
        connect: bool,
    },
    /// Ask a running proxy whether it is ready: exit 0 if it is, 1 if not
    Healthcheck,
    /// Wait until a running proxy is ready, then exit, or become the given command
    Wait {
        /// How long to wait; then exit 69
        #[arg(long, default_value = "30s", value_name = "TIME", value_parser = humantime::parse_duration)]
        max: std::time::Duration,
        /// The command that takes this one's place once the proxy is ready
        #[arg(last = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
    /// Tell how a running proxy is doing: exit 0, or 69 when none answers
    Status,
}

#[derive(Debug, Clone, Args)]
struct Options {
    /// A TOML file with settings [variable: LIQUID_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// sandbox, staging or production [variable: LIQUID_ENVIRONMENT]
    #[arg(long, global = true, value_name = "NAME")]
    environment: Option<String>,
    /// Where apps reach the proxy: HOST:PORT or unix:/path [default: 127.0.0.1:8000]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen_address: Option<String>,
    /// Where health, metrics and status are served, alike [default: 127.0.0.1:8001]
    #[arg(long, global = true, value_name = "ADDRESS")]
    admin_address: Option<String>,
    /// Forward to this URL instead of the environment's own
    #[arg(long, global = true, value_name = "URL")]
    upstream_base_url: Option<String>,
    /// error, warn, info, debug or trace [default: info]
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
    /// text, json or auto: text on a terminal [default: auto]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Which requests get a log line: all, errors or off [default: errors]
    #[arg(long, global = true, value_name = "WHICH")]
    log_access: Option<String>,
}

/// What the caller is told by the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Success,
    /// It did not, for no reason that has a code of its own.
    Failure,
    /// The configuration or the command line is wrong (`EX_USAGE` of sysexits.h).
    Usage,
    /// Something that is needed is unavailable (`EX_UNAVAILABLE`).
    Unavailable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 64,
            Exit::Unavailable => 69,
        })
    }
}

/// Runs the command that `arguments` name (the program's own name first).
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors: clap knows where each goes.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Success.into() };
        }
    };
    panics::install_hook();
    let mut options = cli.options;
    let exit = match cli.command.unwrap_or(Command::Run) {
        Command::Run => with_secrets(options, run::run),
        Command::Sandbox => {
            options.environment = Some("sandbox".into());
            with_secrets(options, run::run)
        }
        Command::Check { connect } => with_secrets(options, |loaded, _| check::check(&loaded, connect)),
        Command::Healthcheck => with_admin(options, wait::healthcheck),
        Command::Status => with_admin(options, status::status),
        Command::Wait { max, command } => with_admin(options, |admin| wait::wait(admin, max, &command)),
    };
    exit.into()
}

/// The definition of the command line.
pub fn command() -> clap::Command {
    Cli::command()
}

impl Options {
    fn sources(self) -> Zeroizing<Sources> {
        let flags = Flags {
            environment: self.environment,
            listen_address: self.listen_address,
            admin_address: self.admin_address,
            upstream_base_url: self.upstream_base_url,
            log_level: self.log_level,
            log_format: self.log_format,
            log_access: self.log_access,
        };
        Sources::from_process(self.config, flags)
    }
}

/// For a command that reads the whole configuration, and the secrets in it.
fn with_secrets(options: Options, command: impl FnOnce(Loaded, Unshielded) -> Exit) -> Exit {
    let unshielded = memory::keep_private();
    // What it was read from is wiped before the command begins.
    let loaded = config::load(&options.sources());
    loaded.map_or_else(|problems| refuse(&problems), |loaded| command(loaded, unshielded))
}

fn with_admin(options: Options, command: impl FnOnce(&Address) -> Exit) -> Exit {
    let admin = config::load_admin(&options.sources());
    admin.map_or_else(|problems| refuse(&problems), |admin| command(&admin))
}

fn refuse(problems: &Problems) -> Exit {
    complain(problems);
    Exit::Usage
}

/// A line for whoever started the command.
fn complain(what: impl fmt::Display) {
    // When standard error is gone there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{}", printable(&what.to_string()));
}

/// What the command was asked for.
fn say(what: impl fmt::Display) {
    // When standard output is closed, nobody wants it.
    let _ = writeln!(io::stdout(), "{}", printable(&what.to_string()));
}

/// Without what could disturb a terminal: anything may listen where a command asks.
fn printable(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_terminal_is_not_disturbed() {
        assert_eq!(printable("a\u{1b}[2J\u{7}\nb"), "a[2J\nb");
    }

    #[test]
    fn no_flag_takes_a_secret() {
        let flags: Vec<_> = Cli::command().get_arguments().map(|a| a.get_id().to_string()).collect();
        assert!(flags.iter().all(|flag| !flag.contains("key") && !flag.contains("password")), "{flags:?}");
    }

    #[test]
    fn flags_may_stand_before_and_behind_the_command() {
        for arguments in
            [["proxy", "--log-level", "debug", "sandbox"], ["proxy", "sandbox", "--log-level", "debug"]]
        {
            let cli = Cli::try_parse_from(arguments).unwrap();
            assert_eq!(cli.command, Some(Command::Sandbox));
            assert_eq!(cli.options.log_level.as_deref(), Some("debug"));
        }
    }

    #[test]
    fn wait_takes_a_command_behind_the_dashes() {
        let cli = Cli::try_parse_from(["proxy", "wait", "--max", "2s", "--", "app", "--flag"]).unwrap();
        let Some(Command::Wait { max, command }) = cli.command else { panic!("{cli:?}") };
        assert_eq!(max.as_secs(), 2);
        assert_eq!(command, ["app", "--flag"]);
    }
}

//! `run` and `sandbox`: the proxy itself.

use std::fmt::Write as _;

use tokio::runtime;
use tracing::error;

use super::{Exit, complain, say};
use crate::app::{App, Outcome, StartError};
use crate::config::{Address, Config, Environment, Loaded};
use crate::lifecycle::memory::Unshielded;
use crate::lifecycle::{self, Signals};
use crate::listener::Inherited;
use crate::telemetry;

/// Serves until a signal ends it.
pub(super) fn run(loaded: Loaded, unshielded: Unshielded) -> Exit {
    let config = loaded.config;
    // Both before the first thread, which the log has.
    let inherited = match Inherited::take(loaded.inherited) {
        Ok(inherited) => inherited,
        Err(error) => return cannot_start(&error.into()),
    };
    lifecycle::keep_files_private();
    // Held to the end: dropped, it writes what is left.
    let _log = telemetry::init(&config.log);
    unshielded.log();
    lifecycle::raise_file_limit();
    // The control runtime. What it does, token tasks and admin, never delays a request: those have
    // threads of their own.
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return unavailable(error),
    };
    let exit = runtime.block_on(async {
        // Before the sockets: a signal that comes between must not end the process unclean.
        let mut signals = match Signals::install() {
            Ok(signals) => signals,
            Err(error) => return unavailable(error),
        };
        let environment = config.environment;
        let app = match App::bind(config.clone(), inherited) {
            Ok(app) => app,
            Err(error) => return cannot_start(&error),
        };
        say(banner(&config, &app));
        match Box::pin(app.run(async || signals.next().await)).await {
            Ok(Outcome::Drained) => Exit::Success,
            Ok(Outcome::DrainTimedOut | Outcome::Aborted) => Exit::Failure,
            Err(error) => {
                error!(%error, environment = environment.as_str(), "cannot serve");
                Exit::Unavailable
            }
        }
    });
    // A name that is being looked up must not hold the end of the process.
    runtime.shutdown_background();
    exit
}

fn cannot_start(error: &StartError) -> Exit {
    complain(format_args!("liquid-auth-proxy: {error}"));
    match error {
        // The service manager's configuration is one, too.
        StartError::Inherited(_) => Exit::Usage,
        _ => Exit::Unavailable,
    }
}

fn unavailable(error: impl std::fmt::Display) -> Exit {
    complain(format_args!("liquid-auth-proxy: {error}"));
    Exit::Unavailable
}

/// What is where, and a line to try it with.
fn banner(config: &Config, app: &App) -> String {
    let scheme = if config.listen.tls.is_some() { "https" } else { "http" };
    let shown = |scheme: &str, address: &Address| match address {
        Address::Tcp(address) => format!("{scheme}://{address}"),
        Address::Unix(_) => address.to_string(),
    };
    let mut text = format!(
        "liquid-auth-proxy {}\n  environment  {}\n  apps         {}\n  admin        {}\n",
        env!("CARGO_PKG_VERSION"),
        config.environment.as_str(),
        shown(scheme, app.address()),
        shown("http", app.admin_address()),
    );
    if let Some(proxy) = app.proxy() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  proxy        http://{proxy} (from {})", proxy.source());
    }
    let example = match config.environment {
        Environment::Sandbox => "-d '{\"search\":\"gin\"}'",
        Environment::Staging | Environment::Production => "-H 'content-type: application/json' -d '{}'",
    };
    let curl = match app.address() {
        Address::Tcp(address) => format!("curl {scheme}://{address}/catalog/search"),
        // In quotes for the shell; one in the path ends them, stands escaped, and begins them again.
        Address::Unix(path) => {
            let path = path.display().to_string().replace('\'', r"'\''");
            format!("curl --unix-socket '{path}' http://localhost/catalog/search")
        }
    };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n  {curl} {example}");
    text
}

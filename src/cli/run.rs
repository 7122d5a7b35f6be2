//! `run` and `sandbox`: the proxy itself.

use std::fmt::Write as _;

use tokio::runtime;
use tracing::error;

use super::{Exit, complain, say};
use crate::app::{App, Outcome};
use crate::config::{Config, Environment, Loaded};
use crate::lifecycle::{self, Signals};
use crate::telemetry;

/// Serves until a signal ends it.
pub(super) fn run(loaded: Loaded) -> Exit {
    let config = loaded.config;
    // Held to the end: dropped, it writes what is left.
    let _log = telemetry::init(&config.log);
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
        let app = match App::bind(config.clone()) {
            Ok(app) => app,
            Err(error) => return unavailable(error),
        };
        say(banner(&config, &app));
        match app.run(async || signals.next().await).await {
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

fn unavailable(error: impl std::fmt::Display) -> Exit {
    complain(format_args!("liquid-auth-proxy: {error}"));
    Exit::Unavailable
}

/// What is where, and a line to try it with.
fn banner(config: &Config, app: &App) -> String {
    let mut text = format!(
        "liquid-auth-proxy {}\n  environment  {}\n  apps         http://{}\n  admin        http://{}\n",
        env!("CARGO_PKG_VERSION"),
        config.environment.as_str(),
        app.address(),
        app.admin_address(),
    );
    let example = match config.environment {
        Environment::Sandbox => "-d '{\"search\":\"gin\"}'",
        Environment::Staging | Environment::Production => "-H 'content-type: application/json' -d '{}'",
    };
    // Writing to a string cannot fail.
    let _ = write!(text, "\n  curl http://{}/catalog/search {example}\n", app.address());
    text
}

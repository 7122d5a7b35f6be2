//! What operators see: logs here, every metric in [`metrics`].
//!
//! Log lines are about this program's own doings. What the libraries below it have to say is held
//! at `warn` whatever the level: their debug lines show headers and bytes of requests.

pub mod metrics;

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat, LogLevel};

/// Sends log lines to standard error from now on. A second call in the same process changes nothing.
pub fn init(log: &Log) {
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if json {
        fmt::layer().json().flatten_event(true).with_writer(io::stderr).boxed()
    } else {
        fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).boxed()
    };
    // An error means that a subscriber is set already: the first one stays.
    let _ = tracing_subscriber::registry().with(lines.with_filter(targets(log.level))).try_init();
}

fn targets(level: LogLevel) -> Targets {
    let ours = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_default(ours.min(LevelFilter::WARN)).with_target(env!("CARGO_CRATE_NAME"), ours)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_stay_quiet_at_every_level() {
        let targets = targets(LogLevel::Trace);
        assert!(targets.would_enable("liquid_auth_proxy::token::manager", &Level::TRACE));
        assert!(targets.would_enable("hyper", &Level::WARN));
        for noisy in ["hyper::proto::h1::io", "h2::codec", "reqwest::connect", "rustls::client", "tower_http"]
        {
            assert!(!targets.would_enable(noisy, &Level::INFO), "{noisy}");
        }
    }

    #[test]
    fn a_higher_level_holds_for_the_libraries_too() {
        assert!(!targets(LogLevel::Error).would_enable("hyper", &Level::WARN));
    }
}

//! What operators see: logs here, every metric in [`metrics`].
//!
//! Lines are written by a thread of their own: whoever reads them may be slow, or have stopped, and no
//! request waits for that. What finds the queue full is dropped.
//!
//! Log lines are about this program's own doings. What the libraries below it have to say is held
//! at `warn` whatever the level: their debug lines show headers and bytes of requests.

pub mod metrics;
pub mod panics;

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{self, LogFormat, LogLevel};

/// Lines that may wait to be written.
const QUEUE: usize = 10_000;

/// Writes what is left of the log when it is dropped.
#[derive(Debug)]
pub struct Log {
    _writer: WorkerGuard,
}

/// Sends log lines to standard error from now on. A second call in the same process changes nothing.
pub fn init(log: &config::Log) -> Log {
    let is_terminal = io::stderr().is_terminal();
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !is_terminal,
    };
    let (writer, guard) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE).finish(io::stderr());
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if json {
        fmt::layer().json().flatten_event(true).with_writer(writer).boxed()
    } else {
        fmt::layer().with_ansi(is_terminal).with_writer(writer).boxed()
    };
    // An error means that a subscriber is set already: the first one stays.
    let _ = tracing_subscriber::registry().with(lines.with_filter(targets(log.level))).try_init();
    Log { _writer: guard }
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

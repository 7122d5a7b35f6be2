//! Tokens, requests, the end and the log.

use std::time::Duration;

use super::{HOUR, Key};
use crate::config::kind::{Choice, Count, List, MethodAndPath, Ratio, Size, Switch, Time};
use crate::config::{AccessLog, LogFormat, LogLevel, Preset};

pub(in crate::config) static TOKEN_WAIT_TIMEOUT: Key<Time> = Key::new(
    "token.wait_timeout",
    Some(r#""5s""#),
    Time { min: Duration::ZERO, max: Duration::from_secs(5 * 60) },
    "How long a request may wait for a token.",
);

pub(in crate::config) static TOKEN_REFRESH_RATIO: Key<Ratio> = Key::new(
    "token.refresh_ratio",
    Some("0.5"),
    Ratio { min: 0.05, max: 0.95 },
    "When in its life a token is renewed.",
);

pub(in crate::config) static TOKEN_IN_BAND: Key<Switch> = Key::new(
    "token.in_band",
    Some("false"),
    Switch,
    "Whether the new token is asked for inside an app's own JSON request (`refresh`) when the old one is near its end.",
);

pub(in crate::config) static REQUESTS_MAX_BODY: Key<Size> = Key::new(
    "requests.max_body",
    Some(r#""64MiB""#),
    Size { min: 1, max: 1 << 40 },
    "The largest body of a request.",
);

pub(in crate::config) static REQUESTS_MAX_IN_FLIGHT: Key<Count> = Key::new(
    "requests.max_in_flight",
    Some("1024"),
    Count { min: 1, max: 1_000_000 },
    "Requests that may be under way at once.",
);

/// hyper's parser takes so many without memory of their own; more cost an allocation a request.
pub(in crate::config) static REQUESTS_MAX_HEADERS: Key<Count> = Key::new(
    "requests.max_headers",
    Some("100"),
    Count { min: 1, max: 1000 },
    "The most headers of a request.",
);

pub(in crate::config) static REQUESTS_MAX_HEAD: Key<Size> = Key::new(
    "requests.max_head",
    Some(r#""64KiB""#),
    Size { min: 1 << 10, max: 1 << 20 },
    "The largest head of a request: its line and its headers.",
);

/// hyper's parser takes no more than 65,534 bytes.
pub(in crate::config) static REQUESTS_MAX_URI: Key<Size> = Key::new(
    "requests.max_uri",
    Some(r#""16KiB""#),
    Size { min: 1, max: 60 << 10 },
    "The longest path and query of a request.",
);

pub(in crate::config) static REQUESTS_REPLAY_BUFFER: Key<Size> = Key::new(
    "requests.replay_buffer",
    Some(r#""64KiB""#),
    Size { min: 0, max: 16 << 20 },
    "The largest body that is kept for sending its request again after a 401. With 0 nothing is sent twice.",
);

pub(in crate::config) static REQUESTS_REPLAY_DENY: Key<List<MethodAndPath>> = Key::new(
    "requests.replay_deny",
    Some(r#"["POST /checkout/complete"]"#),
    List(MethodAndPath),
    "What is never sent twice, with all below each path, and below `/api` too.",
);

pub(in crate::config) static REQUESTS_ALLOW: Key<List<MethodAndPath>> = Key::new(
    "requests.allow",
    Some("[]"),
    List(MethodAndPath),
    "What may be called, with all below each path, and below `/api` too. Without any, everything may be.",
);

pub(in crate::config) static REQUESTS_DENY: Key<List<MethodAndPath>> = Key::new(
    "requests.deny",
    Some("[]"),
    List(MethodAndPath),
    "What may not be called, whatever `requests.allow` says.",
);

pub(in crate::config) static REQUESTS_PRESETS: Key<List<Choice<Preset>>> = Key::new(
    "requests.presets",
    Some("[]"),
    List(Choice(&[("catalog-read-only", Preset::CatalogReadOnly), ("no-checkout", Preset::NoCheckout)])),
    "Rules by name: `catalog-read-only` allows searching the catalogue and nothing else, `no-checkout` denies the checkout.",
);

pub(in crate::config) static SHUTDOWN_DELAY: Key<Time> = Key::new(
    "shutdown.delay",
    Some(r#""0s""#),
    Time { min: Duration::ZERO, max: HOUR },
    "How long to go on accepting after SIGTERM.",
);

pub(in crate::config) static SHUTDOWN_DRAIN_TIMEOUT: Key<Time> = Key::new(
    "shutdown.drain_timeout",
    Some(r#""30s""#),
    Time { min: Duration::ZERO, max: HOUR },
    "How long requests in flight may take after that.",
);

pub(in crate::config) static LOG_FORMAT: Key<Choice<LogFormat>> = Key {
    flag: Some("--log-format"),
    ..Key::new(
        "log.format",
        Some(r#""auto""#),
        Choice(&[("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)]),
        "`auto` is text on a terminal and JSON elsewhere.",
    )
};

pub(in crate::config) static LOG_LEVEL: Key<Choice<LogLevel>> = Key {
    flag: Some("--log-level"),
    ..Key::new(
        "log.level",
        Some(r#""info""#),
        Choice(&[
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
            ("trace", LogLevel::Trace),
        ]),
        "How much is logged.",
    )
};

pub(in crate::config) static LOG_ACCESS: Key<Choice<AccessLog>> = Key {
    flag: Some("--log-access"),
    ..Key::new(
        "log.access",
        Some(r#""errors""#),
        Choice(&[("all", AccessLog::All), ("errors", AccessLog::Errors), ("off", AccessLog::Off)]),
        "Which requests get a line: `errors` are those without success, and every answer of the proxy's own.",
    )
};

//! The one table of keys: files, variables, messages and documentation all take them from here.
//!
//! A default is written twice, here and in `config/default.toml` with its explanation; a test keeps
//! the two alike.

use std::time::Duration;

use config::ValueKind;

use super::kind::{
    BaseUrl, Choice, Count, FilePath, HttpProxy, Kind, List, ListenAddress, MethodAndPath, Mode, NoProxy,
    PathPrefix, Ratio, SecretText, Size, Switch, Time, Uid, UserId,
};
use super::{AccessLog, Environment, Http2, LogFormat, LogLevel};

/// One key of the configuration.
pub struct Key<K: ?Sized = dyn Kind> {
    /// The path, in dots: `listen.address`.
    pub key: &'static str,
    /// The default as TOML has it, quotes included; `None` where there is none for all environments.
    pub default: Option<&'static str>,
    /// What it is for, in one line.
    pub meaning: &'static str,
    /// A shorter variable for what people type by hand: `LIQUID_API_KEY`.
    pub shortcut: Option<&'static str>,
    /// The name of the systemd credential whose file it is when nothing else is said: `api_key`.
    pub credential: Option<&'static str>,
    /// The flag that sets it, with its dashes. No secret has one: arguments are seen by everyone.
    pub flag: Option<&'static str>,
    pub(super) kind: K,
}

impl<K> Key<K> {
    const fn new(key: &'static str, default: Option<&'static str>, kind: K, meaning: &'static str) -> Self {
        Self { key, default, meaning, shortcut: None, credential: None, flag: None, kind }
    }
}

impl<K: Kind + ?Sized> Key<K> {
    /// The variable that sets it: `LIQUID_LISTEN__ADDRESS`.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.key.to_ascii_uppercase().replace('.', "__"))
    }

    /// The shortcut, where there is one, or else [`Self::variable`].
    pub fn shortest_variable(&self) -> String {
        self.shortcut.map_or_else(|| self.variable(), str::to_owned)
    }

    /// A value of it for people, in TOML's notation, without what is secret in it.
    pub(super) fn shown(&self, value: &ValueKind) -> String {
        if self.is_secret() { "<redacted>".to_owned() } else { self.kind.shown(value) }
    }

    /// What values it takes, for people.
    pub fn allowed(&self) -> String {
        self.kind.allowed()
    }

    /// Whether its value is never shown.
    pub fn is_secret(&self) -> bool {
        self.kind.is_secret()
    }
}

/// Two keys that say one thing: a secret, and a file that holds it.
pub(super) struct SecretKeys {
    pub(super) value: &'static Key<SecretText>,
    pub(super) file: &'static Key<FilePath>,
}

pub(super) static API_KEY: SecretKeys =
    SecretKeys { value: &CREDENTIALS_API_KEY, file: &CREDENTIALS_API_KEY_FILE };

pub(super) static ORDERS_PASSWORD: SecretKeys =
    SecretKeys { value: &CREDENTIALS_ORDERS_PASSWORD, file: &CREDENTIALS_ORDERS_PASSWORD_FILE };

/// What the name of every variable of ours begins with.
pub(super) const PREFIX: &str = "LIQUID_";

/// Every key there is, in the order of the documentation.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    KEYS.into_iter()
}

/// Whether `path` is a section, or a section of a section.
pub(super) fn is_section(path: &str) -> bool {
    sections().any(|section| section == path)
}

/// Every section, the outer before the inner, some more than once.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    keys().flat_map(|key| key.key.match_indices('.').map(|(dot, _)| &key.key[..dot]))
}

static KEYS: [&Key; 35] = [
    &ENVIRONMENT,
    &LISTEN_ADDRESS,
    &LISTEN_ALLOW_REMOTE,
    &LISTEN_UNIX_MODE,
    &LISTEN_UNIX_ALLOWED_UIDS,
    &ADMIN_ADDRESS,
    &ADMIN_UNIX_MODE,
    &ADMIN_UNIX_ALLOWED_UIDS,
    &UPSTREAM_BASE_URL,
    &UPSTREAM_CA_FILE,
    &UPSTREAM_PROXY,
    &UPSTREAM_NO_PROXY,
    &UPSTREAM_CONNECT_TIMEOUT,
    &UPSTREAM_RESPONSE_TIMEOUT,
    &UPSTREAM_IDLE_TIMEOUT,
    &UPSTREAM_HTTP2,
    &UPSTREAM_SEND_API_KEY,
    &CREDENTIALS_API_KEY,
    &CREDENTIALS_API_KEY_FILE,
    &CREDENTIALS_ORDERS_USER_ID,
    &CREDENTIALS_ORDERS_PASSWORD,
    &CREDENTIALS_ORDERS_PASSWORD_FILE,
    &CREDENTIALS_ORDERS_PATHS,
    &TOKEN_WAIT_TIMEOUT,
    &TOKEN_REFRESH_RATIO,
    &TOKEN_IN_BAND,
    &REQUESTS_MAX_BODY,
    &REQUESTS_MAX_IN_FLIGHT,
    &REQUESTS_REPLAY_BUFFER,
    &REQUESTS_REPLAY_DENY,
    &SHUTDOWN_DELAY,
    &SHUTDOWN_DRAIN_TIMEOUT,
    &LOG_FORMAT,
    &LOG_LEVEL,
    &LOG_ACCESS,
];

const HOUR: Duration = Duration::from_secs(60 * 60);
/// Shorter than any network is quick: a timeout below it is a slip.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);

pub(super) static ENVIRONMENT: Key<Choice<Environment>> = Key {
    flag: Some("--environment"),
    ..Key::new(
        "environment",
        None,
        Choice(&[
            ("sandbox", Environment::Sandbox),
            ("staging", Environment::Staging),
            ("production", Environment::Production),
        ]),
        "Which API to speak to. It must be given: nobody should reach production by forgetting it.",
    )
};

pub(super) static LISTEN_ADDRESS: Key<ListenAddress> = Key {
    flag: Some("--listen-address"),
    ..Key::new("listen.address", Some(r#""127.0.0.1:8000""#), ListenAddress, "Where apps reach the proxy.")
};

pub(super) static LISTEN_ALLOW_REMOTE: Key<Switch> = Key::new(
    "listen.allow_remote",
    Some("false"),
    Switch,
    "Whether `listen.address` and `admin.address` may be reachable from other machines.",
);

pub(super) static LISTEN_UNIX_MODE: Key<Mode> =
    Key::new("listen.unix_mode", Some(r#""0600""#), Mode, "The mode of the apps' Unix socket.");

pub(super) static LISTEN_UNIX_ALLOWED_UIDS: Key<List<Uid>> = Key::new(
    "listen.unix_allowed_uids",
    Some("[]"),
    List(Uid),
    "Whose connections to the apps' Unix socket are served. Without any, its mode alone decides.",
);

pub(super) static ADMIN_ADDRESS: Key<ListenAddress> = Key {
    flag: Some("--admin-address"),
    ..Key::new(
        "admin.address",
        Some(r#""127.0.0.1:8001""#),
        ListenAddress,
        "Where health, metrics and status are served.",
    )
};

pub(super) static ADMIN_UNIX_MODE: Key<Mode> =
    Key::new("admin.unix_mode", Some(r#""0600""#), Mode, "The mode of the admin listener's Unix socket.");

pub(super) static ADMIN_UNIX_ALLOWED_UIDS: Key<List<Uid>> = Key::new(
    "admin.unix_allowed_uids",
    Some("[]"),
    List(Uid),
    "Whose connections to the admin listener's Unix socket are served. Without any, its mode alone decides.",
);

pub(super) static UPSTREAM_BASE_URL: Key<BaseUrl> = Key {
    flag: Some("--upstream-base-url"),
    ..Key::new(
        "upstream.base_url",
        None,
        BaseUrl,
        "The API. The environment sets it; in the sandbox it is the embedded API.",
    )
};

pub(super) static UPSTREAM_CA_FILE: Key<FilePath> = Key::new(
    "upstream.ca_file",
    None,
    FilePath,
    "PEM certificates that are trusted beside the system's roots.",
);

/// May hold a password, so it has no flag.
pub(super) static UPSTREAM_PROXY: Key<HttpProxy> = Key::new(
    "upstream.proxy",
    None,
    HttpProxy,
    "The HTTP proxy on the way to the API, for tokens and requests alike. Without it `HTTPS_PROXY` and `ALL_PROXY` are looked at.",
);

pub(super) static UPSTREAM_NO_PROXY: Key<List<NoProxy>> = Key::new(
    "upstream.no_proxy",
    Some("[]"),
    List(NoProxy),
    "Where the API is reached without the proxy. Without it `NO_PROXY` is looked at.",
);

pub(super) static UPSTREAM_CONNECT_TIMEOUT: Key<Time> = Key::new(
    "upstream.connect_timeout",
    Some(r#""5s""#),
    Time { min: SHORTEST_TIMEOUT, max: Duration::from_secs(5 * 60) },
    "For name lookup, TCP, a proxy and TLS together.",
);

pub(super) static UPSTREAM_RESPONSE_TIMEOUT: Key<Time> = Key::new(
    "upstream.response_timeout",
    Some(r#""60s""#),
    Time { min: SHORTEST_TIMEOUT, max: HOUR },
    "From the request's last byte to the answer's head.",
);

pub(super) static UPSTREAM_IDLE_TIMEOUT: Key<Time> = Key::new(
    "upstream.idle_timeout",
    Some(r#""60s""#),
    Time { min: SHORTEST_TIMEOUT, max: HOUR },
    "Between two pieces of a body, in either direction.",
);

pub(super) static UPSTREAM_HTTP2: Key<Choice<Http2>> = Key::new(
    "upstream.http2",
    Some(r#""auto""#),
    Choice(&[("auto", Http2::Auto), ("never", Http2::Never)]),
    "`auto` lets the API choose HTTP/2 (by ALPN); `never` speaks HTTP/1.1 only.",
);

pub(super) static UPSTREAM_SEND_API_KEY: Key<Switch> = Key::new(
    "upstream.send_api_key",
    Some("false"),
    Switch,
    "Whether each request also bears `X-LIQUID-API-KEY`, as the vendor's SDK has it.",
);

pub(super) static CREDENTIALS_API_KEY: Key<SecretText> = Key {
    shortcut: Some("LIQUID_API_KEY"),
    ..Key::new(
        "credentials.api.key",
        None,
        SecretText,
        "The API key. Staging and production need it or `credentials.api.key_file`.",
    )
};

pub(super) static CREDENTIALS_API_KEY_FILE: Key<FilePath> = Key {
    shortcut: Some("LIQUID_API_KEY_FILE"),
    credential: Some("api_key"),
    ..Key::new("credentials.api.key_file", None, FilePath, "A file that holds the API key and nothing else.")
};

pub(super) static CREDENTIALS_ORDERS_USER_ID: Key<UserId> = Key {
    shortcut: Some("LIQUID_ORDERS_USER_ID"),
    ..Key::new(
        "credentials.orders.user_id",
        None,
        UserId,
        "Who the Orders API's password belongs to. Only the Orders API needs it.",
    )
};

pub(super) static CREDENTIALS_ORDERS_PASSWORD: Key<SecretText> = Key {
    shortcut: Some("LIQUID_ORDERS_PASSWORD"),
    ..Key::new(
        "credentials.orders.password",
        None,
        SecretText,
        "The Orders API's password. With a user ID, it or `credentials.orders.password_file` is needed.",
    )
};

pub(super) static CREDENTIALS_ORDERS_PASSWORD_FILE: Key<FilePath> = Key {
    shortcut: Some("LIQUID_ORDERS_PASSWORD_FILE"),
    credential: Some("orders_password"),
    ..Key::new(
        "credentials.orders.password_file",
        None,
        FilePath,
        "A file that holds the Orders API's password and nothing else.",
    )
};

pub(super) static CREDENTIALS_ORDERS_PATHS: Key<List<PathPrefix>> = Key::new(
    "credentials.orders.paths",
    Some(r#"["/orders", "/api/orders"]"#),
    List(PathPrefix),
    "Paths that belong to the Orders API, each with all below it, by whole segments.",
);

pub(super) static TOKEN_WAIT_TIMEOUT: Key<Time> = Key::new(
    "token.wait_timeout",
    Some(r#""5s""#),
    Time { min: Duration::ZERO, max: Duration::from_secs(5 * 60) },
    "How long a request may wait for a token.",
);

pub(super) static TOKEN_REFRESH_RATIO: Key<Ratio> = Key::new(
    "token.refresh_ratio",
    Some("0.5"),
    Ratio { min: 0.05, max: 0.95 },
    "When in its life a token is renewed.",
);

pub(super) static TOKEN_IN_BAND: Key<Switch> = Key::new(
    "token.in_band",
    Some("false"),
    Switch,
    "Whether the new token is asked for inside an app's own JSON request (`refresh`) when the old one is near its end.",
);

pub(super) static REQUESTS_MAX_BODY: Key<Size> = Key::new(
    "requests.max_body",
    Some(r#""64MiB""#),
    Size { min: 1, max: 1 << 40 },
    "The largest body of a request.",
);

pub(super) static REQUESTS_MAX_IN_FLIGHT: Key<Count> = Key::new(
    "requests.max_in_flight",
    Some("1024"),
    Count { min: 1, max: 1_000_000 },
    "Requests that may be under way at once.",
);

pub(super) static REQUESTS_REPLAY_BUFFER: Key<Size> = Key::new(
    "requests.replay_buffer",
    Some(r#""64KiB""#),
    Size { min: 0, max: 16 << 20 },
    "The largest body that is kept for sending its request again after a 401. With 0 nothing is sent twice.",
);

pub(super) static REQUESTS_REPLAY_DENY: Key<List<MethodAndPath>> = Key::new(
    "requests.replay_deny",
    Some(r#"["POST /checkout/complete"]"#),
    List(MethodAndPath),
    "What is never sent twice, with all below each path, and below `/api` too.",
);

pub(super) static SHUTDOWN_DELAY: Key<Time> = Key::new(
    "shutdown.delay",
    Some(r#""0s""#),
    Time { min: Duration::ZERO, max: HOUR },
    "How long to go on accepting after SIGTERM.",
);

pub(super) static SHUTDOWN_DRAIN_TIMEOUT: Key<Time> = Key::new(
    "shutdown.drain_timeout",
    Some(r#""30s""#),
    Time { min: Duration::ZERO, max: HOUR },
    "How long requests in flight may take after that.",
);

pub(super) static LOG_FORMAT: Key<Choice<LogFormat>> = Key {
    flag: Some("--log-format"),
    ..Key::new(
        "log.format",
        Some(r#""auto""#),
        Choice(&[("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)]),
        "`auto` is text on a terminal and JSON elsewhere.",
    )
};

pub(super) static LOG_LEVEL: Key<Choice<LogLevel>> = Key {
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

pub(super) static LOG_ACCESS: Key<Choice<AccessLog>> = Key {
    flag: Some("--log-access"),
    ..Key::new(
        "log.access",
        Some(r#""errors""#),
        Choice(&[("all", AccessLog::All), ("errors", AccessLog::Errors), ("off", AccessLog::Off)]),
        "Which requests get a line: `errors` are those without success, and every answer of the proxy's own.",
    )
};

#[cfg(test)]
mod tests;

//! The one table of keys: files, variables, messages and documentation all take them from here.
//!
//! A default is written twice, here and in `config/default.toml` with its explanation; a test keeps
//! the two alike.

mod behaviour;
mod credentials;
mod listeners;
mod upstream;

use std::time::Duration;

use config::ValueKind;

pub(super) use self::behaviour::*;
pub(super) use self::credentials::*;
pub(super) use self::listeners::*;
pub(super) use self::upstream::*;

use super::Environment;
use super::kind::{Choice, FilePath, Kind, SecretText};

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

static KEYS: [&Key; 53] = [
    &ENVIRONMENT,
    &LISTEN_ADDRESS,
    &LISTEN_ALLOW_REMOTE,
    &LISTEN_INSECURE_REMOTE,
    &LISTEN_ALLOWED_HOSTS,
    &LISTEN_ALLOWED_ORIGINS,
    &LISTEN_CLIENT_TOKEN_FILE,
    &LISTEN_CLIENT_TOKEN_HEADER,
    &LISTEN_TLS_CERT_FILE,
    &LISTEN_TLS_KEY_FILE,
    &LISTEN_TLS_CLIENT_CA_FILE,
    &LISTEN_HEAD_TIMEOUT,
    &LISTEN_IDLE_TIMEOUT,
    &LISTEN_SEND_TIMEOUT,
    &LISTEN_MAX_CONNECTIONS,
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
    &REQUESTS_MAX_HEADERS,
    &REQUESTS_MAX_HEAD,
    &REQUESTS_MAX_URI,
    &REQUESTS_REPLAY_BUFFER,
    &REQUESTS_REPLAY_DENY,
    &REQUESTS_ALLOW,
    &REQUESTS_DENY,
    &REQUESTS_PRESETS,
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

#[cfg(test)]
mod tests;

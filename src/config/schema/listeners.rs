//! Where the proxy listens, and who may call.

use std::time::Duration;

use super::{HOUR, Key, SHORTEST_TIMEOUT};
use crate::config::kind::{
    AllowedHost, Count, FieldName, FilePath, List, ListenAddress, Mode, Origin, Switch, Time, Uid,
};

pub(in crate::config) static LISTEN_ADDRESS: Key<ListenAddress> = Key {
    flag: Some("--listen-address"),
    ..Key::new("listen.address", Some(r#""127.0.0.1:8000""#), ListenAddress, "Where apps reach the proxy.")
};

pub(in crate::config) static LISTEN_ALLOW_REMOTE: Key<Switch> = Key::new(
    "listen.allow_remote",
    Some("false"),
    Switch,
    "Whether `listen.address` and `admin.address` may be reachable from other machines.",
);

pub(in crate::config) static LISTEN_INSECURE_REMOTE: Key<Switch> = Key::new(
    "listen.insecure_remote",
    Some("false"),
    Switch,
    "Whether everyone who can reach `listen.address` from another machine may use the credential. It warns at every start.",
);

pub(in crate::config) static LISTEN_ALLOWED_HOSTS: Key<List<AllowedHost>> = Key::new(
    "listen.allowed_hosts",
    Some(r#"["localhost", "127.0.0.1", "[::1]", "0.0.0.0"]"#),
    List(AllowedHost),
    "The names in `Host` that are served, each with any port, beside the address that it listens on.",
);

pub(in crate::config) static LISTEN_ALLOWED_ORIGINS: Key<List<Origin>> = Key::new(
    "listen.allowed_origins",
    Some("[]"),
    List(Origin),
    "The origins of pages that may call; they get CORS headers. Requests of any other page are refused.",
);

pub(in crate::config) static LISTEN_CLIENT_TOKEN_FILE: Key<FilePath> = Key::new(
    "listen.client_token_file",
    None,
    FilePath,
    "A file that holds a secret which every request must bear.",
);

pub(in crate::config) static LISTEN_CLIENT_TOKEN_HEADER: Key<FieldName> = Key::new(
    "listen.client_token_header",
    Some(r#""X-Liquid-Client-Token""#),
    FieldName,
    "The header that bears it. It is not forwarded.",
);

pub(in crate::config) static LISTEN_TLS_CERT_FILE: Key<FilePath> = Key::new(
    "listen.tls.cert_file",
    None,
    FilePath,
    "A PEM file with the certificate that apps see, and those that lead to its authority. With it, apps speak TLS.",
);

pub(in crate::config) static LISTEN_TLS_KEY_FILE: Key<FilePath> =
    Key::new("listen.tls.key_file", None, FilePath, "A PEM file with the key of that certificate.");

pub(in crate::config) static LISTEN_TLS_CLIENT_CA_FILE: Key<FilePath> = Key::new(
    "listen.tls.client_ca_file",
    None,
    FilePath,
    "A PEM file with the authorities of the certificates that clients must have. Without it, clients need none.",
);

pub(in crate::config) static LISTEN_HEAD_TIMEOUT: Key<Time> = Key::new(
    "listen.head_timeout",
    Some(r#""10s""#),
    Time { min: SHORTEST_TIMEOUT, max: HOUR },
    "How long a client may take for a request's head, from its first byte.",
);

pub(in crate::config) static LISTEN_IDLE_TIMEOUT: Key<Time> = Key::new(
    "listen.idle_timeout",
    Some(r#""120s""#),
    Time { min: SHORTEST_TIMEOUT, max: Duration::from_secs(24 * 60 * 60) },
    "How long a connection is kept without a request, before the first one and between two.",
);

pub(in crate::config) static LISTEN_SEND_TIMEOUT: Key<Time> = Key::new(
    "listen.send_timeout",
    Some(r#""60s""#),
    Time { min: SHORTEST_TIMEOUT, max: HOUR },
    "How long a client may leave its answer waiting without taking a byte of it.",
);

pub(in crate::config) static LISTEN_MAX_CONNECTIONS: Key<Count> = Key::new(
    "listen.max_connections",
    Some("4096"),
    Count { min: 1, max: 1_000_000 },
    "Connections that apps may have open at once.",
);

pub(in crate::config) static LISTEN_UNIX_MODE: Key<Mode> =
    Key::new("listen.unix_mode", Some(r#""0600""#), Mode, "The mode of the apps' Unix socket.");

pub(in crate::config) static LISTEN_UNIX_ALLOWED_UIDS: Key<List<Uid>> = Key::new(
    "listen.unix_allowed_uids",
    Some("[]"),
    List(Uid),
    "Whose connections to the apps' Unix socket are served. Without any, its mode alone decides.",
);

pub(in crate::config) static ADMIN_ADDRESS: Key<ListenAddress> = Key {
    flag: Some("--admin-address"),
    ..Key::new(
        "admin.address",
        Some(r#""127.0.0.1:8001""#),
        ListenAddress,
        "Where health, metrics and status are served.",
    )
};

pub(in crate::config) static ADMIN_UNIX_MODE: Key<Mode> =
    Key::new("admin.unix_mode", Some(r#""0600""#), Mode, "The mode of the admin listener's Unix socket.");

pub(in crate::config) static ADMIN_UNIX_ALLOWED_UIDS: Key<List<Uid>> = Key::new(
    "admin.unix_allowed_uids",
    Some("[]"),
    List(Uid),
    "Whose connections to the admin listener's Unix socket are served. Without any, its mode alone decides.",
);

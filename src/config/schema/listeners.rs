//! Where the proxy listens, and who may call.

use super::Key;
use crate::config::kind::{List, ListenAddress, Mode, Switch, Uid};

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

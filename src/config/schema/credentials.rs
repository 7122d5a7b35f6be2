//! What is exchanged for tokens.

use super::Key;
use crate::config::kind::{FilePath, List, PathPrefix, SecretText, UserId};

pub(in crate::config) static CREDENTIALS_API_KEY: Key<SecretText> = Key {
    shortcut: Some("LIQUID_API_KEY"),
    ..Key::new(
        "credentials.api.key",
        None,
        SecretText,
        "The API key. Staging and production need it or `credentials.api.key_file`.",
    )
};

pub(in crate::config) static CREDENTIALS_API_KEY_FILE: Key<FilePath> = Key {
    shortcut: Some("LIQUID_API_KEY_FILE"),
    credential: Some("api_key"),
    ..Key::new("credentials.api.key_file", None, FilePath, "A file that holds the API key and nothing else.")
};

pub(in crate::config) static CREDENTIALS_ORDERS_USER_ID: Key<UserId> = Key {
    shortcut: Some("LIQUID_ORDERS_USER_ID"),
    ..Key::new(
        "credentials.orders.user_id",
        None,
        UserId,
        "Who the Orders API's password belongs to. Only the Orders API needs it.",
    )
};

pub(in crate::config) static CREDENTIALS_ORDERS_PASSWORD: Key<SecretText> = Key {
    shortcut: Some("LIQUID_ORDERS_PASSWORD"),
    ..Key::new(
        "credentials.orders.password",
        None,
        SecretText,
        "The Orders API's password. With a user ID, it or `credentials.orders.password_file` is needed.",
    )
};

pub(in crate::config) static CREDENTIALS_ORDERS_PASSWORD_FILE: Key<FilePath> = Key {
    shortcut: Some("LIQUID_ORDERS_PASSWORD_FILE"),
    credential: Some("orders_password"),
    ..Key::new(
        "credentials.orders.password_file",
        None,
        FilePath,
        "A file that holds the Orders API's password and nothing else.",
    )
};

pub(in crate::config) static CREDENTIALS_ORDERS_PATHS: Key<List<PathPrefix>> = Key::new(
    "credentials.orders.paths",
    Some(r#"["/orders", "/api/orders"]"#),
    List(PathPrefix),
    "Paths that belong to the Orders API, each with all below it, by whole segments.",
);

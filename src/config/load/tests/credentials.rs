//! Secrets in every layer, and credentials that are whole or none.

use std::path::Path;

use super::*;
use crate::config::Credentials;
use crate::secret::SecretSource;

const STAGING: (&str, &str) = ("LIQUID_ENVIRONMENT", "staging");
const SANDBOX: (&str, &str) = ("LIQUID_ENVIRONMENT", "sandbox");

#[test]
fn the_credential_comes_from_the_highest_layer_that_has_one() {
    let key_file = written("from-file\n");
    let path = key_file.path().to_str().unwrap();
    let in_file = |line: String| format!("[credentials.api]\n{line}\n");

    let loaded =
        outcome(&in_file("key = 'inline'".into()), &[STAGING, ("LIQUID_API_KEY_FILE", path)]).unwrap();
    assert!(
        matches!(loaded.config.credentials.api, Some(SecretSource::File(file)) if file == Path::new(path))
    );
    assert!(loaded.settings.iter().all(|setting| setting.key != "credentials.api.key"));

    // The file that lost may be missing.
    let loaded =
        outcome(&in_file("key_file = '/nonexistent'".into()), &[STAGING, ("LIQUID_API_KEY", "k")]).unwrap();
    assert_eq!(loaded.config.credentials.api.unwrap().to_string(), "LIQUID_API_KEY");

    let file = written(&format!("environment = 'staging'\n\n{}", in_file("key = 'inline'".into())));
    let loaded = load(&Sources { file: Some(file.path().to_owned()), ..Sources::default() }).unwrap();
    let api = loaded.config.credentials.api.unwrap();
    assert_eq!(api.to_string(), format!("{}:4", file.path().display()));
    assert_eq!(api.read().unwrap().expose(), "inline");
}

#[test]
fn a_credential_that_cannot_be_used_is_refused() {
    assert!(
        refusal("", &[STAGING]).starts_with("credentials.api.key must be given, or credentials.api.key_file")
    );
    assert_eq!(
        refusal("", &[STAGING, ("LIQUID_API_KEY", "a"), ("LIQUID_API_KEY_FILE", "/b")]),
        "credentials.api.key_file is given beside credentials.api.key (LIQUID_API_KEY); only one of them may be"
    );
    assert_eq!(
        refusal("credentials.api.key = \"can\\u0001ary\"", &[STAGING]),
        "credentials.api.key has a character that is not visible ASCII"
    );
    assert!(
        refusal("", &[STAGING, ("LIQUID_API_KEY_FILE", "/nonexistent")]).contains("cannot read /nonexistent")
    );
    let empty = written("\n");
    let path = empty.path().to_str().unwrap();
    assert_eq!(refusal("", &[STAGING, ("LIQUID_API_KEY_FILE", path)]), "credentials.api.key_file is empty");
    // An empty variable is no unset one, and hides nothing below it.
    assert_eq!(
        refusal("credentials.api.key = 'k'", &[STAGING, ("LIQUID_API_KEY", "")]),
        "credentials.api.key is empty"
    );
    // A sandbox needs none, but one that is given is checked.
    assert_eq!(
        refusal("", &[SANDBOX, ("LIQUID_API_KEY", "a b")]),
        "credentials.api.key has a character that is not visible ASCII"
    );
    assert!(outcome("", &[SANDBOX, ("LIQUID_API_KEY", "ab")]).unwrap().config.credentials.api.is_some());
}

#[test]
fn the_orders_credential_is_whole_or_none() {
    let orders =
        |given: &[(&str, &str)]| outcome("", &[&[SANDBOX], given].concat()).unwrap().config.credentials;
    assert!(orders(&[]).orders.is_none());
    let user_id = ("LIQUID_ORDERS_USER_ID", "user-1");
    let found = orders(&[user_id, ("LIQUID_ORDERS_PASSWORD", "p:1")]).orders.unwrap();
    assert_eq!(
        (found.user_id.as_str(), found.password.to_string().as_str()),
        ("user-1", "LIQUID_ORDERS_PASSWORD")
    );
    assert_eq!(found.password.read().unwrap().expose(), "p:1");

    let file = written("from-file\n");
    let password_file = ("LIQUID_ORDERS_PASSWORD_FILE", file.path().to_str().unwrap());
    let found = orders(&[user_id, password_file]).orders.unwrap();
    assert!(matches!(found.password, SecretSource::File(path) if path == file.path()));

    assert_eq!(
        refusal("", &[SANDBOX, user_id]),
        "credentials.orders.password must be given where credentials.orders.user_id is, \
         or credentials.orders.password_file (LIQUID_ORDERS_PASSWORD, LIQUID_ORDERS_PASSWORD_FILE)"
    );
    for password in [("LIQUID_ORDERS_PASSWORD", "p"), password_file] {
        assert_eq!(
            refusal("", &[SANDBOX, password]),
            "credentials.orders.user_id must be given where the Orders API's password is (LIQUID_ORDERS_USER_ID)"
        );
    }
}

#[test]
fn an_orders_credential_that_cannot_be_used_is_refused() {
    let user_id = ("LIQUID_ORDERS_USER_ID", "user-1");
    let in_file = "[credentials.orders]\npassword = 'inline'\n";
    let password = |given: (&str, &str)| {
        let loaded = outcome(in_file, &[SANDBOX, user_id, given]).unwrap();
        let names = loaded.settings.iter().filter(|setting| setting.key.contains("orders.password"));
        let names: Vec<_> = names.map(|setting| setting.key).collect();
        (loaded.config.credentials.orders.unwrap().password.to_string(), names)
    };
    let file = written("from-file\n");
    let path = file.path().to_str().unwrap();
    let wins = password(("LIQUID_ORDERS_PASSWORD_FILE", path));
    assert_eq!(wins, (path.to_owned(), vec!["credentials.orders.password_file"]));

    for (given, what) in [
        (vec![("LIQUID_ORDERS_PASSWORD", "")], "password is empty"),
        (vec![("LIQUID_ORDERS_PASSWORD_FILE", "/nonexistent")], "password_file cannot read /nonexistent"),
        (vec![("LIQUID_ORDERS_PASSWORD_FILE", "canary")], "it belongs in LIQUID_ORDERS_PASSWORD"),
        (
            vec![("LIQUID_ORDERS_PASSWORD", "p"), ("LIQUID_ORDERS_PASSWORD_FILE", path)],
            "password_file is given beside credentials.orders.password (LIQUID_ORDERS_PASSWORD); only one",
        ),
    ] {
        let told = refusal("", &[vec![SANDBOX, user_id], given].concat());
        assert!(told.contains(what) && !told.contains("canary"), "{told}");
    }
    let pair =
        refusal("", &[SANDBOX, ("LIQUID_ORDERS_USER_ID", "user:canary"), ("LIQUID_ORDERS_PASSWORD", "p")]);
    assert!(!pair.contains("canary"), "{pair}");
}

#[test]
fn systemd_is_asked_where_nobody_else_gives_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let (key, password) = (directory.path().join("api_key"), directory.path().join("orders_password"));
    std::fs::write(&key, "from-systemd\n").unwrap();
    std::fs::write(&password, "from-systemd\n").unwrap();
    let user_id = ("LIQUID_ORDERS_USER_ID", "user-1");
    let with = |given: &[(&str, &str)], file: &str| {
        let file = written(file);
        load(&Sources {
            file: Some(file.path().to_owned()),
            variables: variables(&[&[STAGING, user_id], given].concat()),
            credentials_directory: Some(directory.path().to_owned()),
            ..Sources::default()
        })
    };
    let secrets = |loaded: &Loaded| {
        let is_secret = |key: &str| key.starts_with("credentials.api.") || key.contains(".password");
        let settings = loaded.settings.iter().filter(|setting| is_secret(setting.key));
        settings.map(|setting| format!("{} {}", setting.key, setting.source)).collect::<Vec<_>>()
    };
    let loaded = with(&[], "").unwrap();
    assert_eq!(
        secrets(&loaded),
        [
            "credentials.api.key_file $CREDENTIALS_DIRECTORY",
            "credentials.orders.password_file $CREDENTIALS_DIRECTORY"
        ]
    );
    let Credentials { api, orders, .. } = loaded.config.credentials;
    assert!(matches!(api, Some(SecretSource::File(path)) if path == key));
    assert!(matches!(orders.unwrap().password, SecretSource::File(path) if path == password));

    // Whatever else gives a secret wins, and then the credential may be broken.
    std::fs::write(&key, "").unwrap();
    let told = secrets(&with(&[("LIQUID_ORDERS_PASSWORD", "p")], "credentials.api.key = 'k'").unwrap());
    assert!(told[0].starts_with("credentials.api.key /") && told[0].ends_with(":1"), "{told:?}");
    assert_eq!(told[1..], ["credentials.orders.password LIQUID_ORDERS_PASSWORD"]);
    let told = with(&[], "").unwrap_err().to_string();
    assert!(
        told.contains("credentials.api.key_file: is empty\n    from     $CREDENTIALS_DIRECTORY"),
        "{told}"
    );
}

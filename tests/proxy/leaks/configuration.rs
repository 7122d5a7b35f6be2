//! A secret in the wrong place of a configuration. What is wrong is told, and the value is not repeated.

use super::evidence::{Evidence, Scene};
use super::{CANARIES, CLIENT_TOKEN, KEY, ORDERS_PASSWORD, PROXY_PASSWORD, secrets};
use crate::support::daemon::Builder;

/// A configuration with one thing wrong, and what is expected to be told of it.
async fn refused(evidence: &mut Evidence, builder: &Builder, told: &str) {
    for command in ["check", "run"] {
        let (code, output, errors) = builder.run(&[command]).await;
        assert_eq!(code, 64, "{told}: {output}{errors}");
        assert!(errors.contains(told), "{told}: {errors}");
        evidence.add(format!("{command} with {told}"), output + &errors);
    }
}

#[tokio::test]
async fn a_secret_in_the_wrong_variable_is_not_repeated() {
    let mut evidence = Evidence::default();
    let scene = Scene::new();
    for (variable, value) in [
        // Its file's name.
        ("LIQUID_API_KEY_FILE", KEY.to_owned()),
        ("LIQUID_API_KEY_FILE", KEY.replace('/', "-")),
        ("LIQUID_API_KEY_FILE", format!("./{KEY}")),
        ("LIQUID_ORDERS_PASSWORD_FILE", ORDERS_PASSWORD.to_owned()),
        ("LIQUID_LISTEN__CLIENT_TOKEN_FILE", CLIENT_TOKEN.to_owned()),
        ("LIQUID_UPSTREAM__CA_FILE", KEY.to_owned()),
        ("LIQUID_CONFIG", KEY.to_owned()),
        // The API's URL.
        ("LIQUID_UPSTREAM__BASE_URL", KEY.to_owned()),
        ("LIQUID_UPSTREAM__BASE_URL", format!("https://{KEY}")),
        ("LIQUID_UPSTREAM__BASE_URL", format!("https://{KEY}@api.example")),
        ("LIQUID_UPSTREAM__BASE_URL", format!("https://api.example/{}", KEY.replace(['/', '?'], "-"))),
        ("LIQUID_UPSTREAM__BASE_URL", format!("https://api.example?key={KEY}")),
        ("LIQUID_UPSTREAM__BASE_URL", format!("https://api.example:{}", KEY.replace(['/', '?'], "-"))),
        // Any other.
        ("LIQUID_API_KEYS", KEY.to_owned()),
        ("LIQUID_KEY", KEY.to_owned()),
        ("LIQUID_CREDENTIALS__API", KEY.to_owned()),
        ("LIQUID_ENVIRONMENT", KEY.to_owned()),
        ("LIQUID_LISTEN__ADDRESS", KEY.to_owned()),
        ("LIQUID_LISTEN__ALLOWED_HOSTS", KEY.to_owned()),
        ("LIQUID_LISTEN__ALLOWED_ORIGINS", KEY.to_owned()),
        ("LIQUID_LISTEN__CLIENT_TOKEN_HEADER", CLIENT_TOKEN.to_owned()),
        ("LIQUID_LISTEN__UNIX_MODE", KEY.to_owned()),
        ("LIQUID_UPSTREAM__CONNECT_TIMEOUT", KEY.to_owned()),
        ("LIQUID_UPSTREAM__SEND_API_KEY", KEY.to_owned()),
        ("LIQUID_TOKEN__REFRESH_RATIO", KEY.to_owned()),
        ("LIQUID_REQUESTS__MAX_BODY", KEY.to_owned()),
        ("LIQUID_REQUESTS__MAX_IN_FLIGHT", KEY.to_owned()),
        ("LIQUID_REQUESTS__ALLOW", KEY.to_owned()),
        ("LIQUID_CREDENTIALS__ORDERS__PATHS", KEY.to_owned()),
        ("LIQUID_LOG__LEVEL", KEY.to_owned()),
        ("LIQUID_ORDERS_USER_ID", format!("user:{ORDERS_PASSWORD}")),
        // A proxy's.
        ("LIQUID_UPSTREAM__PROXY", format!("socks5://user:{PROXY_PASSWORD}@proxy.example")),
        ("LIQUID_UPSTREAM__NO_PROXY", format!("http://user:{PROXY_PASSWORD}@proxy.example")),
    ] {
        let builder = scene.builder("https://api.example");
        // As it is there, this is the one to be told of.
        let builder = if variable.ends_with("API_KEY_FILE") {
            builder.unset("credentials.api.key_file")
        } else {
            builder
        };
        let builder = match variable {
            "LIQUID_ENVIRONMENT" => builder.unset("environment"),
            "LIQUID_UPSTREAM__BASE_URL" => builder.unset("upstream.base_url"),
            "LIQUID_LISTEN__ADDRESS" => builder.unset("listen.address"),
            "LIQUID_LOG__LEVEL" => builder.unset("log.level"),
            _ => builder,
        };
        refused(&mut evidence, &builder.variable(variable, &value), variable).await;
    }
    // Slashes and question marks mean something in some of them.
    let plain: Vec<_> = CANARIES.map(|(name, canary)| (name, canary.replace(['/', '?'], "-"))).into();
    let plain = plain.iter().map(|(name, canary)| (*name, canary.as_str()));
    let secrets = crate::support::secrets::Secrets::new(CANARIES.into_iter().chain(plain));
    evidence.assert_none(&secrets);
}

#[tokio::test]
async fn a_secret_in_the_wrong_line_of_a_file_is_not_repeated() {
    let mut evidence = Evidence::default();
    let scene = Scene::new();
    for (text, told) in [
        (format!("[credentials.api]\nkey = {KEY}"), "is not TOML"),
        (format!("[credentials.api]\nkey = \"{KEY}"), "is not TOML"),
        (format!("{KEY}\n"), "is not TOML"),
        (format!("[credentials.api]\nkey = [\"{KEY}\"]"), "is a list"),
        (format!("[credentials.api]\nkey = \"{KEY} \u{e9}\""), "not visible ASCII"),
        (format!("[credentials.api]\nkeys = \"{KEY}\""), "no such key"),
        (format!("[credentials]\napi = \"{KEY}\""), "is a section"),
        (format!("[credentials.orders]\nuser_id = \"me\"\npasswords = \"{ORDERS_PASSWORD}\""), "no such key"),
        (format!("[upstream]\nproxy = \"http://user:{PROXY_PASSWORD}@proxy.example\""), "has a `/`"),
    ] {
        let file = scene.working_directory().join("liquid.toml");
        std::fs::write(&file, text).unwrap();
        let builder = scene.builder("https://api.example").unset("credentials.api.key_file");
        let builder = builder.variable("LIQUID_CONFIG", file.to_str().unwrap());
        refused(&mut evidence, &builder, told).await;
    }
    evidence.assert_none(&secrets(None));
}

/// What a file holds that is not what it should be is nobody's business either.
#[tokio::test]
async fn a_file_that_holds_something_else_is_not_repeated() {
    let mut evidence = Evidence::default();
    let scene = Scene::new();
    let builder = || scene.builder("https://api.example");
    for (key, content) in [
        ("credentials.api.key_file", format!("LIQUID_API_KEY={KEY}\nsecond line")),
        ("credentials.api.key_file", format!("{KEY}\u{0}")),
        ("listen.client_token_file", format!("{CLIENT_TOKEN} {CLIENT_TOKEN}")),
        ("upstream.ca_file", KEY.to_owned()),
        ("upstream.ca_file", format!("-----BEGIN CERTIFICATE-----\n{KEY}\n-----END CERTIFICATE-----\n")),
    ] {
        let builder = builder();
        let file = builder.file("wrong", &content);
        refused(&mut evidence, &builder.set(key, &file), key).await;
    }
    evidence.assert_none(&secrets(None));
}

mod credentials;
mod listeners;
mod outbound;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::{AccessLog, Config, Flags, Http2, Key, LogFormat, LogLevel, Rule, UnixAccess, keys};

fn written(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    file
}

fn variables(given: &[(&str, &str)]) -> Vec<(String, String)> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Loads from a file and variables; `Err` has a line for each problem.
fn outcome(file: &str, given: &[(&str, &str)]) -> Result<Loaded, Vec<String>> {
    let file = written(file);
    let sources =
        Sources { file: Some(file.path().to_owned()), variables: variables(given), ..Sources::default() };
    load(&sources).map_err(|Problems(problems)| {
        problems.iter().map(|problem| format!("{} {}", problem.key, problem.what)).collect()
    })
}

/// For what has to be fine but for one thing.
fn refusal(file: &str, given: &[(&str, &str)]) -> String {
    let problems = outcome(file, given).unwrap_err();
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    problem.clone()
}

#[test]
fn the_sandbox_needs_nothing_but_its_name() {
    let flags = Flags { environment: Some("sandbox".into()), ..Flags::default() };
    let config = load(&Sources { flags, ..Sources::default() }).unwrap().config;
    assert_eq!(config.environment, Environment::Sandbox);
    assert!(config.upstream.base_url.is_none() && config.credentials.api.is_none());
    assert!(config.credentials.orders.is_none());
    assert_eq!(config.credentials.orders_paths, ["/orders", "/api/orders"]);
    assert_eq!(config.listen.address.to_string(), "127.0.0.1:8000");
    assert_eq!(config.admin.address.to_string(), "127.0.0.1:8001");
    let private = UnixAccess { mode: 0o600, allowed_uids: vec![] };
    assert_eq!((&config.listen.unix, &config.admin.unix), (&private, &private));
    assert!(!config.listen.allow_remote && !config.upstream.send_api_key);
    assert_eq!(config.upstream.http2, Http2::Auto);
    assert_eq!(config.upstream.response_timeout, Duration::from_secs(60));
    assert_eq!(config.token.wait_timeout, Duration::from_secs(5));
    assert!(!config.token.in_band);
    assert_eq!(config.requests.max_body, 64 << 20);
    assert_eq!(config.requests.replay_buffer, 64 << 10);
    let complete = Rule { method: Some(http::Method::POST), prefix: "/checkout/complete".into() };
    assert_eq!(config.requests.replay_deny, [complete]);
    assert_eq!(config.shutdown.drain_timeout, Duration::from_secs(30));
    assert_eq!(config.log.format, LogFormat::Auto);
    assert_eq!(config.log.access, AccessLog::Errors);
}

#[test]
fn each_environment_brings_its_api() {
    for (name, url) in [
        ("staging", "https://staging.api.liquidcommerce.cloud/"),
        ("production", "https://api.liquidcommerce.cloud/"),
    ] {
        let loaded = outcome("", &[("LIQUID_ENVIRONMENT", name), ("LIQUID_API_KEY", "key-1")]).unwrap();
        assert_eq!(loaded.config.upstream.base_url.unwrap().to_string(), url);
        let setting = loaded.settings.iter().find(|setting| setting.key == "upstream.base_url").unwrap();
        assert_eq!(setting.source.to_string(), format!("config/{name}.toml (built in)"));
    }
}

#[test]
fn each_layer_wins_over_those_below_it() {
    let sandbox = "environment = 'sandbox'\n";
    let file = written(&format!("{sandbox}log.level = 'warn'\n"));
    let mut sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
    let level = |sources: &Sources| {
        let loaded = load(sources).unwrap();
        let setting = loaded.settings.into_iter().find(|setting| setting.key == "log.level").unwrap();
        (loaded.config.log.level, setting.source.to_string())
    };
    assert_eq!(level(&sources), (LogLevel::Warn, format!("{}:2", file.path().display())));
    sources.variables = variables(&[("LIQUID_LOG__LEVEL", "debug")]);
    assert_eq!(level(&sources), (LogLevel::Debug, "LIQUID_LOG__LEVEL".into()));
    sources.flags.log_level = Some("trace".into());
    assert_eq!(level(&sources), (LogLevel::Trace, "--log-level".into()));
    sources = Sources { file: Some(written(sandbox).path().to_owned()), ..Sources::default() };
    assert!(load(&sources).is_err(), "the file is gone");
    sources = Sources { variables: variables(&[("LIQUID_ENVIRONMENT", "sandbox")]), ..Sources::default() };
    assert_eq!(level(&sources), (LogLevel::Info, "config/default.toml (built in)".into()));
}

#[test]
fn the_highest_layer_chooses_the_environment_and_its_file() {
    let file = written("environment = 'staging'\ncredentials.api.key = 'key-1'\n");
    let mut sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
    let url = |sources: &Sources| load(sources).unwrap().config.upstream.base_url.map(|url| url.to_string());
    assert_eq!(url(&sources).unwrap(), "https://staging.api.liquidcommerce.cloud/");
    sources.variables = variables(&[("LIQUID_ENVIRONMENT", "production")]);
    assert_eq!(url(&sources).unwrap(), "https://api.liquidcommerce.cloud/");
    sources.flags.environment = Some("sandbox".into());
    assert_eq!(url(&sources), None);
}

#[test]
fn the_variable_names_a_file_too() {
    let file = written("environment = 'sandbox'\nrequests.max_in_flight = 7\n");
    let variables = variables(&[("LIQUID_CONFIG", file.path().to_str().unwrap())]);
    let config = load(&Sources { variables, ..Sources::default() }).unwrap().config;
    assert_eq!(config.requests.max_in_flight, 7);
}

#[test]
fn every_key_can_be_set_by_file_and_by_variable() {
    let (secret, ca) = (written("key-1\n"), rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap());
    let (ca_file, ca_key) = (written(&ca.cert.pem()), written(&ca.signing_key.serialize_pem()));
    // As a file has it.
    let value = |key: &Key| match key.key {
        "environment" => r#""staging""#.to_owned(),
        "upstream.base_url" => r#""https://example.com""#.to_owned(),
        "upstream.proxy" => r#""http://proxy.example:3128""#.to_owned(),
        "upstream.no_proxy" => r#"["10.0.0.0/8"]"#.to_owned(),
        "upstream.ca_file" | "listen.tls.cert_file" | "listen.tls.client_ca_file" => {
            format!("{:?}", ca_file.path())
        }
        "listen.tls.key_file" => format!("{:?}", ca_key.path()),
        "credentials.api.key" | "credentials.orders.password" => r#""key-2""#.to_owned(),
        "credentials.api.key_file" | "credentials.orders.password_file" | "listen.client_token_file" => {
            format!("{:?}", secret.path())
        }
        "credentials.orders.user_id" => r#""user-1""#.to_owned(),
        _ => key.default.unwrap().to_owned(),
    };
    let secrets = ["credentials.api.key", "credentials.orders.password"];
    let files = ["credentials.api.key_file", "credentials.orders.password_file"];
    for idle in [secrets, files] {
        let set: Vec<_> = keys().filter(|key| !idle.contains(&key.key)).collect();
        let lines = set.iter().map(|key| format!("{} = {}\n", key.key, value(key)));
        let loaded = outcome(&lines.collect::<String>(), &[]).unwrap();
        assert!(loaded.settings.iter().all(|setting| matches!(setting.source, Source::File { .. })));
        assert_eq!(loaded.settings.len(), set.len());

        let plain = |key: &Key| match value(key).as_str() {
            "[]" => "none".to_owned(),
            value => {
                let items = value.strip_prefix('[').and_then(|items| items.strip_suffix(']'));
                items.unwrap_or(value).replace('"', "")
            }
        };
        let variables = set.iter().map(|key| (key.variable(), plain(key))).collect();
        let loaded = load(&Sources { variables, ..Sources::default() }).unwrap();
        assert!(loaded.settings.iter().all(|setting| matches!(setting.source, Source::Variable(_))));
        assert_eq!(loaded.settings.len(), set.len());
    }
}

#[test]
fn a_list_replaces_the_one_below_it() {
    let paths = |file: &str, given: &[(&str, &str)]| {
        outcome(&format!("environment = 'sandbox'\n{file}"), given).unwrap().config.credentials.orders_paths
    };
    let file = "credentials.orders.paths = ['/v2/orders']";
    assert_eq!(paths(file, &[]), ["/v2/orders"]);
    assert_eq!(paths(file, &[("LIQUID_CREDENTIALS__ORDERS__PATHS", "/a, /b")]), ["/a", "/b"]);
    assert!(paths(file, &[("LIQUID_CREDENTIALS__ORDERS__PATHS", "none")]).is_empty());
    assert!(paths("credentials.orders.paths = []", &[]).is_empty());
}

#[test]
fn nothing_need_be_sent_twice_and_everything_may_be() {
    let sandbox = ("LIQUID_ENVIRONMENT", "sandbox");
    let none = ("LIQUID_REQUESTS__REPLAY_DENY", "none");
    let requests =
        outcome("", &[sandbox, none, ("LIQUID_REQUESTS__REPLAY_BUFFER", "0")]).unwrap().config.requests;
    assert!(requests.replay_deny.is_empty() && requests.replay_buffer == 0);
    let rules = "requests.replay_deny = ['* /checkout', 'POST /api/users']";
    let requests = outcome(rules, &[sandbox]).unwrap().config.requests;
    let prefixes: Vec<_> = requests.replay_deny.iter().map(|rule| rule.prefix.as_str()).collect();
    assert_eq!(prefixes, ["/checkout", "/users"]);
    assert_eq!(refusal("", &[sandbox, (none.0, "")]), "requests.replay_deny is empty");
}

#[test]
fn an_environment_must_be_given() {
    assert_eq!(refusal("", &[]), "environment must be given, for example by LIQUID_ENVIRONMENT");
    assert_eq!(refusal("environment = 1", &[]), "environment is a number where a text in quotes belongs");
    assert_eq!(refusal("environment = 'prod'", &[]), "environment is none of the values there are");
}

#[test]
fn a_configuration_full_of_mistakes_shows_all_of_them_at_once() {
    let loaded = load(&Sources {
        file: Some("src/config/testdata/broken.toml".into()),
        variables: variables(&[
            ("LIQUID_LISTEN__ADRESS", "127.0.0.1:8000"),
            ("LIQUID_LOG__LEVEL", ""),
            ("LIQUID_REQUESTS__MAX_IN_FLIGHT", "many"),
            ("LIQUID_TOKEN__WAIT_TIMEOUT", "5"),
            ("HOME", "/root"),
        ]),
        flags: Flags { log_format: Some("xml".into()), ..Flags::default() },
        ..Sources::default()
    });
    let told = loaded.unwrap_err().to_string() + "\n";
    assert_eq!(told, include_str!("../testdata/broken.txt"), "{told}");
    assert!(!told.contains("canary"), "{told}");
}

/// Lines that get past the parser now and then, and some that do not.
fn lines() -> impl Strategy<Value = String> {
    let name = prop::sample::select(
        keys().map(|key| key.key).chain(["log", "a.b", "\"listen.address\""]).collect::<Vec<_>>(),
    );
    let value = prop_oneof![
        "\"\\PC{0,20}\"",
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        Just("true".to_owned()),
        Just("{ address = 1979-05-27 }".to_owned()),
        "(\\[){0,3}\\PC{0,8}",
    ];
    prop_oneof![
        4 => (name, value).prop_map(|(name, value)| format!("{name} = {value}\n")),
        1 => "\\[{1,2}[a-z.]{0,8}\\]{1,2}\n",
        1 => any::<String>(),
    ]
}

fn names() -> impl Strategy<Value = String> {
    let known = keys().flat_map(|key| [key.variable()].into_iter().chain(key.shortcut.map(str::to_owned)));
    prop_oneof![4 => prop::sample::select(known.collect::<Vec<_>>()), 1 => "LIQUID_.{0,20}", 1 => any::<String>()]
}

proptest! {
    #[test]
    fn nothing_that_is_given_ends_in_a_panic(
        file in prop::collection::vec(lines(), 0..6),
        variables in prop::collection::vec((names(), any::<String>()), 0..6),
        flag in prop::option::of(any::<String>()),
    ) {
        let file = written(&file.concat());
        let flags = Flags { upstream_base_url: flag, ..Flags::default() };
        let outcome = load(&Sources { file: Some(file.path().to_owned()), variables, flags, ..Sources::default() });
        let told = match outcome {
            Ok(loaded) => loaded.to_string(),
            Err(problems) => {
                prop_assert!(!problems.0.is_empty());
                problems.to_string()
            }
        };
        prop_assert!(!told.chars().any(|c| c.is_control() && c != '\n'), "{told:?}");
    }

    #[test]
    fn a_secret_is_never_shown(
        before in "[^/\\pC]{0,3}",
        after in "[^/\\pC]{0,3}\n?",
        line in "(key|\"key\"|key_file|kay|password|password_file|credentials|x\\.key)? ?=? ?(\"|'|\\{|\\[)?",
        section in "api|orders",
        name in "LIQUID_((API_KEY|ORDERS_PASSWORD)(S|_FILE)?|CREDENTIALS__(API__KEY|ORDERS__PASSWORD)(_FILE)?)",
    ) {
        let secret = format!("{before}canary-9431{after}");
        let file = written(&format!("environment = 'staging'\n[credentials.{section}]\n{line}{secret}"));
        for variables in [vec![], vec![(name, secret.clone())]] {
            let outcome = load(&Sources { file: Some(file.path().to_owned()), variables, ..Sources::default() });
            let told = match outcome {
                Ok(loaded) => format!("{loaded} {loaded:?}"),
                // Not the key: a name is shown, whatever it is.
                Err(Problems(problems)) => {
                    problems.into_iter().map(|p| Problem { key: String::new(), ..p }.to_string()).collect()
                }
            };
            prop_assert!(!told.contains("canary-9431"), "{told}");
        }
    }
}

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::{AccessLog, Flags, Http2, LogFormat, LogLevel, keys};
use crate::secret::SecretSource;

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
        Sources { file: Some(file.path().to_owned()), variables: variables(given), flags: Flags::default() };
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
    assert_eq!(config.listen.address, "127.0.0.1:8000".parse().unwrap());
    assert_eq!(config.admin.address, "127.0.0.1:8001".parse().unwrap());
    assert!(!config.listen.allow_remote && !config.upstream.send_api_key);
    assert_eq!(config.upstream.http2, Http2::Auto);
    assert_eq!(config.upstream.response_timeout, Duration::from_secs(60));
    assert_eq!(config.token.wait_timeout, Duration::from_secs(5));
    assert_eq!(config.requests.max_body, 64 << 20);
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
    let (key_file, ca) = (written("key-1\n"), rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap());
    let ca_file = written(&ca.cert.pem());
    let value = |key: &str| match key {
        "environment" => "staging".to_owned(),
        "upstream.base_url" => "https://example.com".to_owned(),
        "upstream.ca_file" => ca_file.path().display().to_string(),
        "credentials.api.key" => "key-2".to_owned(),
        "credentials.api.key_file" => key_file.path().display().to_string(),
        _ => keys().find(|k| k.key == key).unwrap().default.unwrap().trim_matches('"').to_owned(),
    };
    for idle in ["credentials.api.key", "credentials.api.key_file"] {
        let set: Vec<_> = keys().filter(|key| key.key != idle).collect();
        let lines = set.iter().map(|key| match key.default {
            Some(default) => format!("{} = {default}\n", key.key),
            None => format!("{} = {:?}\n", key.key, value(key.key)),
        });
        let loaded = outcome(&lines.collect::<String>(), &[]).unwrap();
        assert!(loaded.settings.iter().all(|setting| matches!(setting.source, Source::File { .. })));
        assert_eq!(loaded.settings.len(), set.len());

        let variables = set.iter().map(|key| (key.variable(), value(key.key))).collect();
        let loaded = load(&Sources { variables, ..Sources::default() }).unwrap();
        assert!(loaded.settings.iter().all(|setting| matches!(setting.source, Source::Variable(_))));
        assert_eq!(loaded.settings.len(), set.len());
    }
}

#[test]
fn an_environment_must_be_given() {
    assert_eq!(refusal("", &[]), "environment must be given, for example by LIQUID_ENVIRONMENT");
    assert_eq!(refusal("environment = 1", &[]), "environment is a number where a text in quotes belongs");
    assert_eq!(refusal("environment = 'prod'", &[]), "environment is none of the values there are");
}

#[test]
fn the_credential_comes_from_the_highest_layer_that_has_one() {
    let key_file = written("from-file\n");
    let path = key_file.path().to_str().unwrap();
    let staging = ("LIQUID_ENVIRONMENT", "staging");
    let in_file = |line: String| format!("[credentials.api]\n{line}\n");

    let loaded =
        outcome(&in_file("key = 'inline'".into()), &[staging, ("LIQUID_API_KEY_FILE", path)]).unwrap();
    assert!(
        matches!(loaded.config.credentials.api, Some(SecretSource::File(file)) if file == Path::new(path))
    );
    assert!(loaded.settings.iter().all(|setting| setting.key != "credentials.api.key"));

    // The file that lost may be missing.
    let loaded =
        outcome(&in_file("key_file = '/nonexistent'".into()), &[staging, ("LIQUID_API_KEY", "k")]).unwrap();
    assert_eq!(loaded.config.credentials.api.unwrap().to_string(), "LIQUID_API_KEY");

    let file = written(&format!("environment = 'staging'\n\n{}", in_file("key = 'inline'".into())));
    let loaded = load(&Sources { file: Some(file.path().to_owned()), ..Sources::default() }).unwrap();
    let api = loaded.config.credentials.api.unwrap();
    assert_eq!(api.to_string(), format!("{}:4", file.path().display()));
    assert_eq!(api.read().unwrap().expose(), "inline");
}

#[test]
fn a_credential_that_cannot_be_used_is_refused() {
    let staging = ("LIQUID_ENVIRONMENT", "staging");
    assert!(
        refusal("", &[staging]).starts_with("credentials.api.key must be given, or credentials.api.key_file")
    );
    assert_eq!(
        refusal("", &[staging, ("LIQUID_API_KEY", "a"), ("LIQUID_API_KEY_FILE", "/b")]),
        "credentials.api.key_file is given beside credentials.api.key (LIQUID_API_KEY); only one of them may be"
    );
    assert_eq!(
        refusal("credentials.api.key = \"can\\u0001ary\"", &[staging]),
        "credentials.api.key has a character that is not visible ASCII"
    );
    assert!(
        refusal("", &[staging, ("LIQUID_API_KEY_FILE", "/nonexistent")]).contains("cannot read /nonexistent")
    );
    let empty = written("\n");
    let path = empty.path().to_str().unwrap();
    assert_eq!(refusal("", &[staging, ("LIQUID_API_KEY_FILE", path)]), "credentials.api.key_file is empty");
    // An empty variable is no unset one, and hides nothing below it.
    assert_eq!(
        refusal("credentials.api.key = 'k'", &[staging, ("LIQUID_API_KEY", "")]),
        "credentials.api.key is empty"
    );
    // A sandbox needs none, but one that is given is checked.
    let sandbox = ("LIQUID_ENVIRONMENT", "sandbox");
    assert_eq!(
        refusal("", &[sandbox, ("LIQUID_API_KEY", "a b")]),
        "credentials.api.key has a character that is not visible ASCII"
    );
    assert!(outcome("", &[sandbox, ("LIQUID_API_KEY", "ab")]).unwrap().config.credentials.api.is_some());
}

#[test]
fn listeners_stay_on_this_machine_unless_told_otherwise() {
    let sandbox = ("LIQUID_ENVIRONMENT", "sandbox");
    for key in ["listen.address", "admin.address"] {
        let file = format!("{key} = '0.0.0.0:9000'\n");
        assert!(refusal(&file, &[sandbox]).starts_with(&format!("{key} could be reached")));
        assert!(outcome(&file, &[sandbox, ("LIQUID_LISTEN__ALLOW_REMOTE", "true")]).is_ok());
    }
    assert_eq!(
        refusal("admin.address = 'localhost:8000'", &[sandbox]),
        "admin.address is taken by listen.address"
    );
    let free = "listen.address = 'localhost:0'\nadmin.address = 'localhost:0'";
    assert!(outcome(free, &[sandbox]).is_ok());
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
        let outcome = load(&Sources { file: Some(file.path().to_owned()), variables, flags });
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
        line in "(key|\"key\"|key_file|kay|credentials|x\\.key)? ?=? ?(\"|'|\\{|\\[)?",
        name in "LIQUID_(API_KEY|API_KEYS|CREDENTIALS__API__KEY|CREDENTIALS__API__KEY_FILE)",
    ) {
        let secret = format!("{before}canary-9431{after}");
        let file = written(&format!("environment = 'staging'\n[credentials.api]\n{line}{secret}"));
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

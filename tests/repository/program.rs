//! What the program understands: settings, commands, flags, defaults. The one place in this suite that
//! says so; every other check asks here.

/// Variables that stand for a key but are not spelled like it, and the one that names a file.
const SHORTCUTS: [&str; 3] = ["LIQUID_CONFIG", "LIQUID_API_KEY", "LIQUID_API_KEY_FILE"];

/// A flag, and whether a value follows it.
type Flag = (&'static str, bool);

/// Flags that every command takes.
const EVERYWHERE: [Flag; 3] = [("--config", true), ("--help", false), ("--version", false)];

/// Every key of the configuration, as `section.key`.
///
/// Stands in for `liquid_auth_proxy::config::keys()`.
pub(crate) fn known_keys() -> Vec<String> {
    [
        "environment",
        "listen.address",
        "listen.allow_remote",
        "admin.address",
        "upstream.base_url",
        "upstream.ca_file",
        "upstream.connect_timeout",
        "upstream.response_timeout",
        "upstream.idle_timeout",
        "upstream.http2",
        "upstream.send_api_key",
        "credentials.api.key",
        "credentials.api.key_file",
        "token.wait_timeout",
        "token.refresh_ratio",
        "requests.max_body",
        "requests.max_in_flight",
        "shutdown.delay",
        "shutdown.drain_timeout",
        "log.format",
        "log.level",
        "log.access",
    ]
    .map(String::from)
    .into()
}

/// Every variable that the program reads: the shortcuts, and one for each key.
pub(crate) fn known_variables() -> Vec<String> {
    let spelled = |key: &String| format!("LIQUID_{}", key.replace('.', "__").to_uppercase());
    known_keys().iter().map(spelled).chain(SHORTCUTS.map(String::from)).collect()
}

/// Every command with the flags of its own.
///
/// Stands in for what the command line's parser knows.
fn known_commands() -> [(&'static str, &'static [Flag]); 5] {
    [
        ("run", &[]),
        ("sandbox", &[]),
        ("check", &[("--connect", false)]),
        ("healthcheck", &[]),
        ("wait", &[("--max", true)]),
    ]
}

/// How long a stop may take with the built-in defaults, in seconds: `shutdown.delay` and
/// `shutdown.drain_timeout` together.
///
/// Stands in for the values in `config/default.toml`.
pub(crate) fn default_stop_seconds() -> u64 {
    30
}

/// What is wrong with a call of the program by these arguments, its own name not among them.
pub(crate) fn call_fault(arguments: &[String]) -> Option<String> {
    let mut command: Option<(&str, &[Flag])> = None;
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        if argument == "--" {
            return match command {
                Some(("wait", _)) => None,
                _ => Some("only `wait` takes a command after `--`".into()),
            };
        }
        if argument.starts_with('-') {
            let (name, value) = argument.split_once('=').map_or((argument, None), |(n, v)| (n, Some(v)));
            let own = command.map_or(&[][..], |(_, flags)| flags);
            let Some((_, takes_value)) = EVERYWHERE.iter().chain(own).find(|(flag, _)| *flag == name) else {
                return Some(format!("no flag {name}"));
            };
            if *takes_value && value.is_none() && rest.next().is_none() {
                return Some(format!("{name} lacks its value"));
            }
        } else if command.is_some() {
            return Some(format!("unexpected argument {argument:?}"));
        } else {
            command = known_commands().into_iter().find(|(name, _)| *name == argument);
            if command.is_none() {
                return Some(format!("no command {argument:?}"));
            }
        }
    }
    None
}

#[test]
fn calls_are_told_apart() {
    let fault = |line: &str| call_fault(&line.split_whitespace().map(String::from).collect::<Vec<_>>());
    for right in [
        "",
        "run",
        "--config a.toml run",
        "check --connect --config=a.toml",
        "wait --max 30s",
        "wait -- sh -c true",
    ] {
        assert_eq!(fault(right), None, "{right}");
    }
    for wrong in
        ["start", "run --conect", "run --connect", "check extra", "wait --max", "run -- sh", "--max 3s wait"]
    {
        assert!(fault(wrong).is_some(), "{wrong}");
    }
}

//! What the program understands: settings, commands, flags, defaults. The one place in this suite that
//! says so; every other check asks here.

use std::collections::BTreeMap;

use clap::Command;
use liquid_auth_proxy::{cli, config};

/// The variable that names the file of settings; it stands for no key.
const FILE_VARIABLE: &str = "LIQUID_CONFIG";

/// The flags of a command, and whether a value follows each.
type Flags = BTreeMap<String, bool>;

/// Every key of the configuration, as `section.key`.
pub(crate) fn known_keys() -> Vec<String> {
    config::keys().map(|key| key.key.to_owned()).collect()
}

/// Every variable that the program reads: one for each key, the shortcuts, and the file's.
pub(crate) fn known_variables() -> Vec<String> {
    let shortcuts = config::keys().filter_map(|key| key.shortcut).map(String::from);
    config::keys().map(config::Key::variable).chain(shortcuts).chain([FILE_VARIABLE.into()]).collect()
}

/// How long a stop may take with the built-in defaults, in seconds: `shutdown.delay` and
/// `shutdown.drain_timeout` together.
pub(crate) fn default_stop_seconds() -> u64 {
    let sources = config::Sources {
        flags: config::Flags { environment: Some("sandbox".into()), ..Default::default() },
        ..Default::default()
    };
    let shutdown = config::load(&sources).expect("the defaults are right").config.shutdown;
    (shutdown.delay + shutdown.drain_timeout).as_secs()
}

fn flags(command: &Command) -> Flags {
    let of = |argument: &clap::Arg| {
        Some((format!("--{}", argument.get_long()?), argument.get_action().takes_values()))
    };
    command.get_arguments().filter_map(of).collect()
}

/// Flags that every command takes.
fn flags_of_all(program: &Command) -> Flags {
    let mut flags = flags(program);
    flags.insert("--help".into(), false);
    flags.insert("--version".into(), false);
    flags
}

/// What is wrong with a call of the program by these arguments, its own name not among them.
pub(crate) fn call_fault(arguments: &[String]) -> Option<String> {
    let program = cli::command();
    let of_all = flags_of_all(&program);
    let mut command: Option<&Command> = None;
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        if argument == "--" {
            let takes_one =
                command.is_some_and(|command| command.get_positionals().any(clap::Arg::is_last_set));
            return (!takes_one).then(|| "no command is taken after `--`".into());
        }
        if argument.starts_with('-') {
            let (name, value) = argument.split_once('=').map_or((argument, None), |(n, v)| (n, Some(v)));
            let own = command.map(flags).unwrap_or_default();
            let Some(takes_value) = of_all.get(name).or_else(|| own.get(name)) else {
                return Some(format!("no flag {name}"));
            };
            if *takes_value && value.is_none() && rest.next().is_none() {
                return Some(format!("{name} lacks its value"));
            }
        } else if command.is_some() {
            return Some(format!("unexpected argument {argument:?}"));
        } else {
            command = program.find_subcommand(argument);
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

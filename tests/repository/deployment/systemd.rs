//! The systemd units: hardened, and patient enough for the drain.

mod sockets;

use std::process::{Command, Output};

use super::{BINARY, Faults, altered, seconds};
use crate::program::default_stop_seconds;
use crate::{assert_caught, assert_none, read};

/// Options that a service which writes no file and opens no low port can all have.
const HARDENING: [&str; 24] = [
    "CapabilityBoundingSet=",
    "DynamicUser=yes",
    "LimitCORE=0",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "NoNewPrivileges=yes",
    "PrivateDevices=yes",
    "PrivateTmp=yes",
    "PrivateUsers=yes",
    "ProcSubset=pid",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHome=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "ProtectSystem=strict",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
];

fn faults(text: &str) -> Vec<String> {
    let settings: Vec<&str> = text.lines().filter(|line| !line.starts_with(['#', '['])).collect();
    let value = |name: &str| -> Option<&str> {
        settings.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    };
    let mut faults = Faults::default();
    let mut wants = |setting: &str, fault: &str| faults.unless(settings.contains(&setting), fault);

    wants(&format!("ExecStart={BINARY} run"), "ExecStart is not the program");
    wants("Type=exec", "a binary that cannot be executed would pass for a start");
    wants("LoadCredential=api_key:/etc/liquid-auth-proxy/api_key", "the key is no credential");
    wants("Restart=on-failure", "a crash is final");
    wants("RestartPreventExitStatus=64", "a wrong configuration is tried again and again");
    wants("KillMode=mixed", "SIGTERM goes to more than the main process, or SIGKILL to less than all");
    wants("KillSignal=SIGTERM", "a stop does not begin with a drain");
    for option in HARDENING {
        wants(option, &format!("{option} is missing"));
    }

    faults.unless(!text.contains("LIQUID_API_KEY="), "the key is in a variable");
    let stop = value("TimeoutStopSec").and_then(seconds).unwrap_or_default();
    faults.unless(stop > default_stop_seconds(), "TimeoutStopSec is shorter than the drain");
    let optional = value("EnvironmentFile").is_some_and(|file| file.starts_with('-'));
    faults.unless(optional, "a start without a file of variables fails");
    faults.0
}

#[test]
fn the_unit_is_as_closed_as_it_says() {
    assert_none(&faults(&read("deploy/systemd/liquid-auth-proxy.service")));
}

/// What `check` says with a unit's variables and credentials, as systemd would hand them over. The part of
/// the unit that is not active holds what may be added: `all` puts it in force.
fn checked(text: &str, all: bool) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    let mut program = Command::new(env!("CARGO_BIN_EXE_liquid-auth-proxy"));
    program.arg("check").env_clear().env("CREDENTIALS_DIRECTORY", directory.path());
    for line in text.lines().map(|line| if all { line.trim_start_matches('#') } else { line }) {
        if let Some((name, value)) = line.strip_prefix("Environment=").and_then(|line| line.split_once('=')) {
            program.env(name, value);
        } else if let Some((name, _)) =
            line.strip_prefix("LoadCredential=").and_then(|line| line.split_once(':'))
        {
            std::fs::write(directory.path().join(name), "secret-1").expect("a file");
        }
    }
    if all {
        program.env("LIQUID_ORDERS_USER_ID", "user-1");
    }
    program.output().expect("the program")
}

#[test]
fn the_program_finds_the_units_credentials() {
    let unit = read("deploy/systemd/liquid-auth-proxy.service");
    for (all, expected) in [(false, 1), (true, 2)] {
        let output = checked(&unit, all);
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(told.matches("# $CREDENTIALS_DIRECTORY").count(), expected, "{told}");
    }
    let other = altered(&unit, "LoadCredential=api_key:", "LoadCredential=apikey:");
    let output = checked(&other, false);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
}

#[test]
fn a_looser_unit_is_caught() {
    let unit = read("deploy/systemd/liquid-auth-proxy.service");
    for (from, to, part) in [
        ("ExecStart=/usr/local/bin/", "ExecStart=/opt/", "ExecStart"),
        ("Type=exec", "Type=simple", "pass for a start"),
        ("LoadCredential=", "#LoadCredential=", "no credential"),
        ("Environment=LIQUID_ENVIRONMENT=", "Environment=LIQUID_API_KEY=", "in a variable"),
        ("Restart=on-failure", "Restart=no", "final"),
        ("RestartPreventExitStatus=64\n", "", "again and again"),
        ("KillMode=mixed", "KillMode=control-group", "main process"),
        ("KillSignal=SIGTERM", "KillSignal=SIGKILL", "drain"),
        ("TimeoutStopSec=45s", "TimeoutStopSec=30s", "shorter than the drain"),
        ("EnvironmentFile=-", "EnvironmentFile=", "a file of variables"),
    ] {
        assert_caught(&faults(&altered(&unit, from, to)), part);
    }
    for option in HARDENING {
        let line = format!("\n{option}\n");
        assert_caught(&faults(&altered(&unit, &line, "\n")), option);
    }
}

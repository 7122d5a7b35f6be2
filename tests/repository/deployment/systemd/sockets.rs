//! The socket units: nobody gets in who is not meant to, and the program knows whose each socket is.

use liquid_auth_proxy::config::{Activation, Flags, Inherited, Sources, load};

use super::super::{Faults, altered};
use crate::{assert_caught, assert_none, read};

const APP: &str = "deploy/systemd/liquid-auth-proxy.socket";
const ADMIN: &str = "deploy/systemd/liquid-auth-proxy-admin.socket";

/// What the program makes of one socket with this name.
fn inherited(name: &str) -> Option<Inherited> {
    let activation = Activation { count: Some("1".into()), names: Some(name.into()) };
    let flags = Flags { environment: Some("sandbox".into()), ..Flags::default() };
    load(&Sources { activation, flags, ..Sources::default() }).ok().map(|loaded| loaded.inherited)
}

fn faults(text: &str, wanted: Inherited) -> Vec<String> {
    let settings: Vec<&str> = text.lines().filter(|line| !line.starts_with(['#', '['])).collect();
    let value = |name: &str| -> &str {
        settings.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
    };
    let mut faults = Faults::default();
    faults.unless(inherited(value("FileDescriptorName")) == Some(wanted), "the program takes it for another");
    faults.unless(value("ListenStream").starts_with("/run/liquid-auth-proxy/"), "it is no Unix socket");
    let mode = u32::from_str_radix(value("SocketMode"), 8).unwrap_or(0o777);
    faults.unless(mode & 0o007 == 0, "every user of the machine may connect");
    let has_members = mode & 0o070 == 0 || !value("SocketGroup").is_empty();
    faults.unless(has_members, "its group is root's: nobody but root is in it");
    faults.unless(value("Accept") == "no", "each connection starts a process");
    faults.unless(value("RemoveOnStop") == "yes", "it stays when nobody listens any more");
    faults.unless(value("WantedBy") == "sockets.target", "it is not there after a start of the machine");
    let is_admins = wanted.admin.is_some();
    let starts_the_proxy = value("Service") == "liquid-auth-proxy.service";
    faults.unless(starts_the_proxy == is_admins, "it is for another service");
    faults.0
}

fn units() -> [(String, Inherited); 2] {
    let app = Inherited { app: Some(0), admin: None };
    let admin = Inherited { app: None, admin: Some(0) };
    [(read(APP), app), (read(ADMIN), admin)]
}

#[test]
fn the_sockets_are_as_closed_as_they_say() {
    for (unit, wanted) in units() {
        assert_none(&faults(&unit, wanted));
    }
}

#[test]
fn a_looser_socket_is_caught() {
    for (unit, wanted) in units() {
        for (from, to, part) in [
            ("FileDescriptorName=", "FileDescriptorName=x", "takes it for another"),
            ("ListenStream=/run", "ListenStream=8000/run", "no Unix socket"),
            ("SocketMode=", "SocketMode=0666 ", "every user"),
            ("SocketMode=", "#SocketMode=", "every user"),
            ("Accept=no", "Accept=yes", "starts a process"),
            ("RemoveOnStop=yes", "RemoveOnStop=no", "nobody listens"),
            ("WantedBy=sockets", "WantedBy=timers", "start of the machine"),
        ] {
            assert_caught(&faults(&altered(&unit, from, to), wanted), part);
        }
    }
    let [(app, for_apps), (admin, for_operators)] = units();
    assert_caught(&faults(&altered(&app, "SocketGroup=", "#SocketGroup="), for_apps), "but root");
    assert_caught(&faults(&altered(&admin, "Service=", "#Service="), for_operators), "another service");
}

use super::*;
use crate::config::Address;

const SANDBOX: (&str, &str) = ("LIQUID_ENVIRONMENT", "sandbox");

#[test]
fn listeners_stay_on_this_machine_unless_told_otherwise() {
    for key in ["listen.address", "admin.address"] {
        let file = format!("{key} = '0.0.0.0:9000'\n");
        assert!(refusal(&file, &[SANDBOX]).starts_with(&format!("{key} could be reached")));
        assert!(outcome(&file, &[SANDBOX, ("LIQUID_LISTEN__ALLOW_REMOTE", "true")]).is_ok());
    }
    assert_eq!(
        refusal("admin.address = 'localhost:8000'", &[SANDBOX]),
        "admin.address is taken by listen.address"
    );
    let free = "listen.address = 'localhost:0'\nadmin.address = 'localhost:0'";
    assert!(outcome(free, &[SANDBOX]).is_ok());
}

#[test]
fn each_listener_may_be_a_unix_socket_with_users_of_its_own() {
    let file = "listen = { address = 'unix:/run/a', unix_mode = '0666', unix_allowed_uids = [1000, 0] }";
    let variables = [
        SANDBOX,
        ("LIQUID_ADMIN__ADDRESS", "unix:/run/b"),
        ("LIQUID_ADMIN__UNIX_MODE", "0660"),
        ("LIQUID_ADMIN__UNIX_ALLOWED_UIDS", "0, 1001"),
    ];
    let Config { listen, admin, .. } = outcome(file, &variables).unwrap().config;
    assert_eq!(listen.address, Address::Unix("/run/a".into()));
    assert_eq!(listen.unix, UnixAccess { mode: 0o666, allowed_uids: vec![1000, 0] });
    assert_eq!(admin.address, Address::Unix("/run/b".into()));
    assert_eq!(admin.unix, UnixAccess { mode: 0o660, allowed_uids: vec![0, 1001] });

    let same = [SANDBOX, ("LIQUID_ADMIN__ADDRESS", "unix:/run/a")];
    assert_eq!(refusal(file, &same), "admin.address is taken by listen.address");
}

#[test]
fn users_are_not_asked_for_where_nobody_knows_them() {
    for section in ["listen", "admin"] {
        let file = format!("{section}.unix_allowed_uids = [1000]");
        let refusal = refusal(&file, &[SANDBOX]);
        assert!(
            refusal.starts_with(&format!("{section}.unix_allowed_uids needs a Unix socket")),
            "{refusal}"
        );
    }
}

/// `0600` without quotes is no TOML, and as another number it would be another mode.
#[test]
fn a_mode_is_no_number() {
    for mode in ["600", "0o600"] {
        let refusal = refusal(&format!("listen.unix_mode = {mode}"), &[SANDBOX]);
        assert_eq!(refusal, "listen.unix_mode is a number where a text in quotes belongs");
    }
}

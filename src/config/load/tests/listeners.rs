use super::*;
use crate::config::Address;

const REMOTE: (&str, &str) = ("LIQUID_LISTEN__ALLOW_REMOTE", "true");

const SANDBOX: (&str, &str) = ("LIQUID_ENVIRONMENT", "sandbox");

#[test]
fn listeners_stay_on_this_machine_unless_told_otherwise() {
    for key in ["listen.address", "admin.address"] {
        let file = format!("{key} = '0.0.0.0:9000'\n");
        assert!(refusal(&file, &[SANDBOX]).starts_with(&format!("{key} could be reached")));
    }
    let admin = outcome("admin.address = '0.0.0.0:9000'", &[SANDBOX, REMOTE]).unwrap().config;
    assert!(!admin.listen.is_open_at(&admin.listen.address));
    assert_eq!(
        refusal("admin.address = 'localhost:8000'", &[SANDBOX]),
        "admin.address is taken by listen.address"
    );
    let free = "listen.address = 'localhost:0'\nadmin.address = 'localhost:0'";
    assert!(outcome(free, &[SANDBOX]).is_ok());
}

#[test]
fn who_may_come_from_elsewhere_must_say_who_he_is() {
    let file = "listen.address = '0.0.0.0:9000'";
    assert!(
        refusal(file, &[SANDBOX, REMOTE]).starts_with("listen.address would let everyone who can reach it")
    );
    let insecure =
        outcome(file, &[SANDBOX, REMOTE, ("LIQUID_LISTEN__INSECURE_REMOTE", "true")]).unwrap().config;
    assert!(insecure.listen.is_open_at(&insecure.listen.address));

    let mut token = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut token, b"let-me-in\n").unwrap();
    let token = ("LIQUID_LISTEN__CLIENT_TOKEN_FILE", token.path().to_str().unwrap());
    let secure = outcome(file, &[SANDBOX, REMOTE, token]).unwrap().config.listen;
    assert!(!secure.is_open_at(&secure.address));
    assert_eq!(secure.client_token.unwrap().header, "x-liquid-client-token");
    let gone = ("LIQUID_LISTEN__CLIENT_TOKEN_FILE", "/nowhere/token");
    assert!(
        refusal(file, &[SANDBOX, REMOTE, gone])
            .starts_with("listen.client_token_file cannot read /nowhere/token")
    );
}

#[test]
fn a_preset_is_rules() {
    let file = "requests = { presets = ['catalog-read-only', 'no-checkout'], allow = ['GET /users'], deny = ['* /users/1'] }";
    let requests = outcome(file, &[SANDBOX]).unwrap().config.requests;
    let prefixes = |rules: &[Rule]| rules.iter().map(|rule| rule.prefix.clone()).collect::<Vec<_>>();
    assert_eq!(prefixes(&requests.allow), ["/users", "/catalog/search", "/catalog/availability"]);
    assert_eq!(prefixes(&requests.deny), ["/users/1", "/checkout"]);
    assert_eq!(
        refusal("requests.presets = ['no-chekout']", &[SANDBOX]),
        "requests.presets item 1 is none of the values there are"
    );
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

#[test]
fn tls_is_whole_and_for_ports() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (written(&made.cert.pem()), written(&made.signing_key.serialize_pem()));
    let other = written(&other.signing_key.serialize_pem());
    let at = |file: &tempfile::NamedTempFile| file.path().to_str().unwrap().to_owned();
    let (cert, key, other) = (at(&cert), at(&key), at(&other));
    let file = |address: &str, keys: &[(&str, &str)]| {
        let keys: Vec<_> = keys.iter().map(|(name, path)| format!("{name} = '{path}'\n")).collect();
        format!("listen.address = '{address}'\n[listen.tls]\n{}", keys.concat())
    };
    let whole = [("cert_file", cert.as_str()), ("key_file", &key)];
    assert!(outcome(&file("127.0.0.1:9000", &whole), &[SANDBOX]).is_ok());
    for (address, keys, why) in [
        ("127.0.0.1:9000", &whole[..1], "listen.tls.key_file must be given where listen.tls.cert_file is"),
        ("127.0.0.1:9000", &whole[1..], "listen.tls.cert_file must be given where listen.tls.key_file is"),
        ("unix:/run/app.sock", &whole, "listen.tls.cert_file needs a port"),
        ("127.0.0.1:9000", &[whole[0], ("key_file", &other)], "listen.tls.key_file is not the key of"),
        ("127.0.0.1:9000", &[("cert_file", &key), whole[1]], "listen.tls.cert_file holds no PEM certificate"),
    ] {
        let told = refusal(&file(address, keys), &[SANDBOX]);
        assert!(told.starts_with(why), "{told}");
    }
    // Without certificates of their own, clients are nobody.
    let remote = file("0.0.0.0:9000", &whole);
    assert!(refusal(&remote, &[SANDBOX, REMOTE]).starts_with("listen.address would let everyone"));
    let clients = ("LIQUID_LISTEN__TLS__CLIENT_CA_FILE", cert.as_str());
    let listen = outcome(&remote, &[SANDBOX, REMOTE, clients]).unwrap().config.listen;
    assert!(!listen.is_open_at(&listen.address));
}

//! `check`: the configuration as it is understood, and whether the API can be used with it.

use liquid_auth_proxy::sandbox::{Sandbox, Settings};

use crate::support::daemon::{Builder, KEY, run_to_end};
use crate::support::secrets::Secrets;

async fn over_tls() -> Sandbox {
    let settings = Settings { api_key: KEY.into(), tls: Some(Default::default()), ..Settings::default() };
    Sandbox::start(settings).await.unwrap()
}

fn assert_no_key(texts: &[&str]) {
    let secrets = Secrets::new([("the key", KEY)]);
    for text in texts {
        secrets.assert_absent("what was printed", text);
    }
}

#[tokio::test]
async fn prints_every_setting_and_no_secret() {
    let variables = [("LIQUID_ENVIRONMENT", "staging"), ("LIQUID_API_KEY", KEY)];
    let (code, printed, errors) = run_to_end(&["check", "--log-level", "debug"], &variables).await;
    assert_eq!((code, errors.as_str()), (0, ""));
    for (setting, source) in [
        ("environment = \"staging\"", "# LIQUID_ENVIRONMENT"),
        ("base_url = \"https://staging.api.liquidcommerce.cloud\"", "# config/staging.toml (built in)"),
        ("key = <redacted>", "# LIQUID_API_KEY"),
        ("level = \"debug\"", "# --log-level"),
        ("wait_timeout = \"5s\"", "# config/default.toml (built in)"),
    ] {
        let line = printed.lines().find(|line| line.starts_with(setting));
        assert!(line.is_some_and(|line| line.ends_with(source)), "{setting} {source} is not in\n{printed}");
    }
    assert_no_key(&[&printed]);
}

#[tokio::test]
async fn connects_and_tells_what_it_found() {
    let sandbox = over_tls().await;
    sandbox.handle().set_clock_offset_ms(5_000_000);
    let builder = Builder::new(&sandbox.base_url()).trust(sandbox.ca_pem().unwrap());
    let (code, printed, errors) = builder.run(&["check", "--connect"]).await;
    assert_eq!((code, errors.as_str()), (0, ""), "{printed}");
    let told = |name: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} is not in\n{printed}")).trim().to_owned()
    };
    assert_eq!(told("api "), format!("{}/", sandbox.base_url()));
    assert!(told("resolved").contains("127.0.0.1"), "{printed}");
    assert!(told("authenticated").starts_with("in "), "{printed}");
    assert_eq!(told("token lifetime"), "1day");
    assert_eq!(told("next refresh"), "after 12h");
    let skew = told("clock skew");
    let seconds: f64 = skew.split(' ').next().unwrap().parse().unwrap();
    assert!((seconds - 5000.0).abs() < 60.0, "{skew}");
    assert_eq!(sandbox.handle().calls().len(), 1, "it authenticates once");
    Secrets::of_sandbox(&sandbox.handle()).assert_absent("what was printed", &printed);
}

#[tokio::test]
async fn a_refused_key_is_told() {
    let sandbox = over_tls().await;
    sandbox.handle().set_api_key("another-key");
    let builder = Builder::new(&sandbox.base_url()).trust(sandbox.ca_pem().unwrap());
    let source = builder.key_file();
    let (code, printed, errors) = builder.run(&["check", "--connect"]).await;
    assert_eq!(code, 69);
    let refused = format!("the API refused the API key from {} (401)", source.display());
    assert!(errors.contains(&refused), "{errors}");
    assert_no_key(&[&printed, &errors]);
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_told_and_gets_nothing() {
    let (sandbox, other) = (over_tls().await, over_tls().await);
    let builder = Builder::new(&sandbox.base_url()).trust(other.ca_pem().unwrap());
    let (code, _, errors) = builder.run(&["check", "--connect"]).await;
    assert_eq!(code, 69);
    assert!(errors.contains("certificate"), "{errors}");
    assert_eq!(sandbox.handle().calls().len(), 0);
}

#[tokio::test]
async fn nobody_there_is_told() {
    let builder = Builder::new("http://127.0.0.1:1");
    let (code, printed, errors) = builder.run(&["check", "--connect"]).await;
    assert_eq!(code, 69);
    assert!(errors.contains("cannot connect to the authentication endpoint: Connection refused"), "{errors}");
    assert!(printed.contains("resolved       127.0.0.1"), "{printed}");
}

//! The commands as people and scripts use them: what they print, and the exit code.

mod check;
mod ready;

use std::net::TcpListener;
use std::process::{Command, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::daemon::{KEY, command, output, run_to_end};
use crate::support::secrets::Secrets;
use crate::support::within_limit;

#[tokio::test]
async fn help_and_version_go_to_standard_output() {
    let (code, help, errors) = run_to_end(&["--help"], &[]).await;
    assert_eq!((code, errors.as_str()), (0, ""));
    for word in [
        "run",
        "sandbox",
        "check",
        "healthcheck",
        "wait",
        "status",
        "--config",
        "LIQUID_API_KEY_FILE",
        "64",
        "69",
    ] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
    // Text that was broken by hand and then again by the terminal's width leaves words alone on a line.
    let alone = help.lines().find(|line| !line.is_empty() && !line.starts_with(' ') && line.len() < 10);
    assert_eq!(alone.filter(|line| !line.ends_with(':')), None, "{help}");

    let (code, version, _) = run_to_end(&["--version"], &[]).await;
    assert_eq!(
        (code, version),
        (0, concat!("liquid-auth-proxy ", env!("CARGO_PKG_VERSION"), "\n").to_owned())
    );
    for name in ["run", "sandbox", "check", "healthcheck", "wait", "status"] {
        let (code, help, _) = run_to_end(&[name, "--help"], &[]).await;
        assert!(code == 0 && help.contains("Usage: liquid-auth-proxy"), "{name}: {help}");
    }
}

#[tokio::test]
async fn a_wrong_command_line_is_64() {
    for (arguments, named) in [
        (&["run", "--colour"][..], "--colour"),
        (&["serve"], "serve"),
        (&["wait", "--max", "soon"], "soon"),
        (&["healthcheck", "extra"], "extra"),
    ] {
        let (code, out, errors) = run_to_end(arguments, &[]).await;
        assert_eq!((code, out.as_str()), (64, ""), "{errors}");
        assert!(errors.contains(named), "{errors}");
    }
}

/// The ports are taken: a proxy that tried them would say so, and exit 69.
#[tokio::test]
async fn everything_that_is_wrong_is_told_in_one_go_before_a_port_is_opened() {
    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [listen, admin] = taken.each_ref().map(|socket| socket.local_addr().unwrap().to_string());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("proxy.toml");
    std::fs::write(&file, "[shutdown]\ndrain_timout = \"3s\"\n\n[requests]\nmax_body = \"huge\"\n").unwrap();
    let secret = "a-misplaced-secret-3f9a";
    let variables = [
        ("LIQUID_CONFIG", file.to_str().unwrap()),
        ("LIQUID_LISTEN__ADDRESS", &listen),
        ("LIQUID_ADMIN__ADDRESS", &admin),
        ("LIQUID_ENVIRONMENT", "stagging"),
        ("LIQUID_TOKEN__REFRESH_RATIO", "7"),
        ("LIQUID_TOKEN__WAIT_TIMEOUT", "soon"),
        ("LIQUID_UPSTREAM__BASE_URL", "http://api.example"),
        ("LIQUID_API_KEYS", secret),
        ("LIQUID_API_KEY_FILE", "/nonexistent/key"),
    ];
    for command in ["run", "check"] {
        let (code, out, errors) = run_to_end(&[command, "--log-level", "loud"], &variables).await;
        assert_eq!((code, out.as_str()), (64, ""), "{errors}");
        assert!(errors.starts_with("the configuration has 9 problems:\n"), "{errors}");
        for (key, source, hint) in [
            ("shutdown.drain_timout: no such key", "proxy.toml:2", "nearest  shutdown.drain_timeout"),
            ("requests.max_body: ", "proxy.toml:5", "value    \"huge\""),
            ("environment: is none of", "LIQUID_ENVIRONMENT", "nearest  staging"),
            ("token.refresh_ratio: ", "LIQUID_TOKEN__REFRESH_RATIO", "value    7"),
            ("token.wait_timeout: ", "LIQUID_TOKEN__WAIT_TIMEOUT", "value    \"soon\""),
            ("upstream.base_url: ", "LIQUID_UPSTREAM__BASE_URL", "in the clear"),
            ("LIQUID_API_KEYS: names no key", "", "nearest  LIQUID_API_KEY"),
            ("credentials.api.key_file: cannot read", "LIQUID_API_KEY_FILE", "/nonexistent/key"),
            ("log.level: is none of", "--log-level", "`debug`"),
        ] {
            let problem = errors.split("\n\n").find(|problem| problem.contains(key));
            let problem = problem.unwrap_or_else(|| panic!("{key} is not in\n{errors}"));
            assert!(problem.contains(source) && problem.contains(hint), "{problem}");
        }
        Secrets::new([("the misplaced secret", secret)]).assert_absent("the message", &errors);
    }
}

#[tokio::test]
async fn a_key_file_that_holds_no_key_is_64() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("api_key");
    for (content, told) in [
        (&b""[..], "is empty"),
        (b" \n", "is empty"),
        (b"two words", "not visible ASCII"),
        (b"k\xff\xfey", "not visible ASCII"),
        (&[b'k'; 9000], "is longer than 8192 bytes"),
    ] {
        std::fs::write(&file, content).unwrap();
        let variables = [("LIQUID_ENVIRONMENT", "staging"), ("LIQUID_API_KEY_FILE", file.to_str().unwrap())];
        let (code, _, errors) = run_to_end(&["run"], &variables).await;
        assert!(code == 64 && errors.contains(told), "{code}: {errors}");
    }
    let directory = directory.path().to_str().unwrap();
    let variables = [("LIQUID_ENVIRONMENT", "staging"), ("LIQUID_API_KEY_FILE", directory)];
    let (code, _, errors) = run_to_end(&["run"], &variables).await;
    assert!(code == 64 && errors.contains("credentials.api.key_file"), "{code}: {errors}");
}

#[tokio::test]
async fn staging_without_a_key_is_64() {
    // Without a command it runs, too.
    for arguments in [&["run"][..], &[]] {
        let (code, _, errors) = run_to_end(arguments, &[("LIQUID_ENVIRONMENT", "staging")]).await;
        assert!(code == 64 && errors.contains("LIQUID_API_KEY"), "{code}: {errors}");
    }
}

/// What a newcomer does first: start it, copy the line, see products.
#[tokio::test]
async fn the_sandboxs_banner_has_a_line_that_works() {
    let mut sandbox = command();
    sandbox.args(["sandbox", "--listen-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0"]);
    sandbox.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut sandbox = tokio::process::Command::from(sandbox).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(sandbox.stdout.take().unwrap()).lines();
    let mut banner = Vec::new();
    let line = loop {
        let line = within_limit("the banner comes", lines.next_line()).await.unwrap().expect("a line of it");
        if line.trim_start().starts_with("curl ") {
            break line;
        }
        banner.push(line);
    };
    let value = |name: &str| {
        let line = banner.iter().find_map(|line| line.trim_start().strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {banner:?}")).trim().to_owned()
    };
    assert_eq!(banner[0], concat!("liquid-auth-proxy ", env!("CARGO_PKG_VERSION")));
    assert_eq!(value("environment"), "sandbox");
    assert!(line.contains(&value("apps")), "{line}");

    let mut shell = Command::new("sh");
    shell.args(["-c", line.trim()]).env("no_proxy", "*");
    let (code, answer, errors) = output(shell).await;
    assert_eq!(code, 0, "{line}: {errors}");
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert!(!answer["products"].as_array().unwrap().is_empty(), "{answer}");

    let admin = value("admin").replace("http://", "");
    let (code, _, errors) = run_to_end(&["healthcheck", "--admin-address", &admin], &[]).await;
    assert_eq!(code, 0, "{errors}");
}

/// A secret in an argument is seen by everyone on the machine, so none is taken there.
#[tokio::test]
async fn no_flag_takes_a_secret() {
    for flag in ["--api-key", "--credentials-api-key", "--key"] {
        let (code, ..) = run_to_end(&["run", flag, KEY], &[]).await;
        assert_eq!(code, 64, "{flag}");
    }
}

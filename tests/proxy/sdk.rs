//! The vendor's SDK, unmodified, through the proxy to an API over TLS.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use liquid_auth_proxy::proxy::PLACEHOLDER;
use liquid_auth_proxy::sandbox::{Call, Sandbox, Settings};
use serde_json::Value;

use crate::support::daemon::{Builder, KEY, output};
use crate::support::secrets::Secrets;

/// How many steps the session has. Written down, so that none can go missing.
const STEPS: usize = 20;

/// What the SDK holds for its API key.
const APPS_KEY: &str = "any-string-at-all";

async fn session(base_url: &str) -> Value {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk");
    assert!(
        suite.join("node_modules/@liquidcommerce/cloud-sdk").is_dir(),
        "the vendor's SDK is not installed: run `make test`, which does `npm ci` in tests/sdk",
    );
    let mut node = Command::new("node");
    node.arg("session.mjs").current_dir(suite).env("BASE_URL", base_url).env("API_KEY", APPS_KEY);
    let (code, report, errors) = output(node).await;
    let report: Value = serde_json::from_str(&report).unwrap_or_else(|error| panic!("{error}: {errors}"));
    let steps = report["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["ok"] == true), "{steps:#?}\n{errors}");
    assert_eq!((code, steps.len()), (0, STEPS), "{errors}");
    report
}

fn is_authentication(call: &Call) -> bool {
    call.path_and_query.contains("authentication")
}

#[tokio::test]
async fn goes_through_a_whole_session_and_never_holds_a_secret() {
    let settings = Settings {
        api_key: KEY.into(),
        orders_accept_api_token: false,
        tls: Some(Default::default()),
        ..Settings::default()
    };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).orders().trust(sandbox.ca_pem().unwrap()).ready().await;
    let report = session(&daemon.url("")).await;

    let handle = sandbox.handle();
    let (tokens, calls) = (handle.tokens(), handle.calls());
    assert_eq!((handle.authentications(), handle.order_authentications()), (1, 1));
    assert_eq!(tokens.len(), 3, "one of each credential, and one refreshed in band");
    assert!(calls.iter().filter(|call| !is_authentication(call)).count() >= STEPS - 2);
    for call in &calls {
        let authorization = call.headers.get("authorization").map(|value| value.to_str().unwrap());
        let key = call.headers.get("x-liquid-api-key").map(|value| value.to_str().unwrap());
        if is_authentication(call) {
            let basic = authorization.is_some_and(|value| value.starts_with("Basic "));
            assert_eq!(basic, call.path_and_query.contains("order"));
            assert_eq!(key, if basic { None } else { Some(KEY) });
        } else {
            let token = authorization.and_then(|value| value.strip_prefix("Bearer ")).unwrap();
            assert!(tokens.iter().any(|known| known == token), "{}", call.path_and_query);
            assert_eq!(key, None);
        }
        let seen = format!("{:?}{:?}", call.headers, call.body);
        assert!(!seen.contains(PLACEHOLDER) && !seen.contains(APPS_KEY), "{seen}");
    }

    let received = report["received"].as_array().unwrap();
    let placeholders = received.iter().filter(|one| one["body"].as_str().unwrap().contains(PLACEHOLDER));
    assert!(placeholders.count() >= 3, "init, refresh and orders bear a token");
    let secrets = Secrets::of_sandbox(&handle);
    secrets.assert_absent("what the SDK received", report.to_string());
    for one in received {
        secrets.assert_absent(one["url"].as_str().unwrap(), one["body"].as_str().unwrap());
    }

    // The same search over the same report must find what is planted in it.
    let mut planted = report.clone();
    planted["received"][7]["headers"][0][1] = STANDARD.encode(format!("x{}", tokens[1])).into();
    assert_eq!(secrets.found(planted.to_string().as_bytes()).first(), Some(&"a token, base64"));
    planted["received"][7]["headers"][0][1] = format!("session={KEY}").into();
    assert!(secrets.found(planted.to_string().as_bytes()).contains(&"the key, plain"));
}

/// Without the proxy the same report does hold the tokens: this is what a leak would look like.
#[tokio::test]
async fn without_the_proxy_the_search_finds_every_token() {
    let settings = Settings { api_key: APPS_KEY.into(), ..Settings::default() };
    let (user, password) = ("any-user".to_owned(), "any-password".to_owned());
    let settings = Settings { orders_user_id: user, orders_password: password, ..settings };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let report = session(&sandbox.base_url()).await.to_string();
    let tokens = sandbox.handle().tokens();
    assert!(tokens.len() >= 3);
    for token in &tokens {
        assert!(!Secrets::new([("a token", token.as_str())]).found(report.as_bytes()).is_empty());
    }
}

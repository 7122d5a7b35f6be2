//! The first promise: neither the key nor a token is in anything that the proxy shows, at any log level.

use std::time::Duration;

use liquid_auth_proxy::proxy::PLACEHOLDER;
use liquid_auth_proxy::sandbox::{Fault, FaultKind, Sandbox, Scope, Settings};
use rustix::process::Signal;

use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::eventually;
use crate::support::secrets::Secrets;

/// What an app sends that is nobody's business either.
const APPS_OWN: &str = "apps-own-secret-7d21";

/// Everything that an app sees of an answer.
async fn seen(request: reqwest::RequestBuilder) -> (u16, String) {
    let answer = request
        .header("x-liquid-api-key", APPS_OWN)
        .header("cookie", format!("session={APPS_OWN}"))
        .bearer_auth(APPS_OWN)
        .send()
        .await
        .unwrap();
    let (status, headers) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
    (status, headers + &answer.text().await.unwrap())
}

/// What a process shows of itself to everyone on the machine, and what the proxy tells operators.
async fn shown(daemon: &Daemon) -> Vec<(String, String)> {
    let mut shown = vec![("log".to_owned(), daemon.log())];
    for path in ["/readyz", "/status", "/metrics"] {
        shown.push((path.to_owned(), daemon.admin(path).await.1));
    }
    let cmdline = std::fs::read(format!("/proc/{}/cmdline", daemon.pid())).unwrap();
    shown.push(("cmdline".to_owned(), String::from_utf8(cmdline).unwrap()));
    shown
}

fn trace(sandbox: &Sandbox) -> Builder {
    Builder::new(&sandbox.base_url()).orders().set("log.level", "trace").set("log.access", "all")
}

#[tokio::test]
async fn a_whole_life_shows_none() {
    let life = Duration::from_secs(2);
    let settings = Settings { api_key: KEY.into(), token_lifetime: life, ..Settings::default() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let handle = sandbox.handle();
    // Each request bears the key too, as the vendor's SDK does it.
    let mut daemon = trace(&sandbox).set("upstream.send_api_key", "true").ready().await;
    let client = client();
    let mut answers = Vec::new();
    let mut expect = |status: u16, (got, answer): (u16, String)| {
        assert_eq!(got, status, "{answer}");
        answers.push(answer);
    };

    let search = client.post(daemon.url("/catalog/search")).body(format!(r#"{{"search":"{APPS_OWN}"}}"#));
    expect(200, seen(search).await);
    let refresh = || client.post(daemon.url("/cart/update")).body(r#"{"id":"","refresh":true}"#);
    expect(200, seen(refresh()).await);
    expect(200, seen(client.get(daemon.url("/authentication"))).await);
    expect(200, seen(client.post(daemon.url("/order-authentication"))).await);
    expect(403, seen(client.put(daemon.url("/authentication"))).await);
    expect(404, seen(client.get(daemon.url(&format!("/users/fetch/nobody?token={APPS_OWN}")))).await);
    handle.revoke_all();
    expect(200, seen(client.get(daemon.url("/orders?startDate=2026-01-01"))).await);

    // The key is rotated away, and the API repeats whatever it is sent.
    let renewed = handle.tokens().len();
    eventually("the token is renewed", async || (handle.tokens().len() > renewed).then_some(())).await;
    handle.set_api_key("another-key");
    let echo = Fault { kind: FaultKind::EchoKey, times: None };
    handle.set_fault(Scope::Authentication, Some(echo));
    let refused = async || (daemon.admin("/readyz").await.0 == 503).then_some(());
    eventually("the key is refused", refused).await;
    expect(502, seen(refresh()).await);
    expect(502, seen(client.get(daemon.url("/api/authentication"))).await);

    let mut shown = shown(&daemon).await;
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await.code(), Some(0));
    shown.push(("the whole log".to_owned(), daemon.log()));
    let secrets = Secrets::of_sandbox(&handle);
    assert!(handle.tokens().len() >= 3);
    for (place, text) in &shown {
        secrets.assert_absent(place, text);
        Secrets::new([("the app's own", APPS_OWN)]).assert_absent(place, text);
    }
    assert!(answers.iter().any(|answer| answer.contains(PLACEHOLDER)));
    for answer in answers {
        secrets.assert_absent("an answer", answer);
    }
    // The search was worth it: the log did tell of all this.
    let log = daemon.log();
    for told in
        ["asking for a token", "token renewed", "\"forced\":true", "credential_rejected", "/cart/update"]
    {
        assert!(log.contains(told), "{told} is not in\n{log}");
    }
    // And it would have found a token in such a line.
    let line = format!(r#"{{"message":"sent","authorization":"Bearer {}"}}"#, handle.tokens()[0]);
    assert!(secrets.found(line.as_bytes()).contains(&"a token, plain"));
}

#[tokio::test]
async fn a_key_in_a_variable_is_not_shown_either() {
    let sandbox = Sandbox::start(Settings { api_key: KEY.into(), ..Settings::default() }).await.unwrap();
    let daemon =
        trace(&sandbox).unset("credentials.api.key_file").set("credentials.api.key", KEY).ready().await;
    let (status, answer) = seen(client().get(daemon.url("/users/fetch/nobody"))).await;
    assert_eq!(status, 404);
    let secrets = Secrets::of_sandbox(&sandbox.handle());
    secrets.assert_absent("the answer", answer);
    for (place, text) in shown(&daemon).await {
        secrets.assert_absent(&place, text);
    }
    assert_eq!(daemon.status().await["credentials"][0]["source"], "LIQUID_CREDENTIALS__API__KEY");
}

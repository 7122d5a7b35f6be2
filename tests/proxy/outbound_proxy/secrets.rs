//! The proxy's credentials are for the proxy: nothing that ours shows holds them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;

use super::{PASSWORD, USER, builder, sandbox, search, with_credentials};
use crate::support::eventually;
use crate::support::http_proxy::{Conduct, HttpProxy};
use crate::support::secrets::Secrets;

pub(super) fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// The user is searched for too: it is half of what a guess needs.
pub(super) fn of_proxy() -> Secrets {
    Secrets::new([("the proxy's user", USER), ("the proxy's password", PASSWORD)])
}

#[tokio::test]
async fn a_life_with_good_and_bad_days_shows_none() {
    let api = sandbox(super::API).await;
    let proxy = HttpProxy::start(Conduct::Tunnel(api.address())).await;
    let builder = builder(&api)
        .set("log.level", "trace")
        .set("log.access", "all")
        .set("upstream.connect_timeout", "500ms")
        .variable("HTTPS_PROXY", &with_credentials(&proxy));
    let (code, printed, errors) = builder.run(&["check"]).await;
    assert_eq!(code, 0, "{errors}");
    let mut shown = vec![("check".to_owned(), printed + &errors)];
    let mut daemon = builder.ready().await;
    // No connection to the API is kept, so that each request asks the proxy.
    let mut statuses = Vec::new();
    for conduct in [
        Conduct::Answer(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
        Conduct::Answer(b"HTTP/1.1 403 Forbidden\r\n\r\n"),
        Conduct::Answer(b"garbage\r\n\r\n"),
        Conduct::Hang(b""),
        Conduct::Tunnel(api.address()),
    ] {
        proxy.set(conduct);
        let answer = search(&daemon).await;
        statuses.push(answer.status.as_u16());
        shown.push((format!("{conduct:?}"), format!("{:?} {}", answer.headers, answer.text())));
    }
    assert_eq!(statuses, [502, 502, 502, 502, 200]);
    // And the way to a token has its own words for it.
    proxy.set(Conduct::Answer(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"));
    let refresh = crate::support::daemon::client().post(format!("http://{}/refresh", daemon.admin_address()));
    let refreshed = refresh.send().await.unwrap();
    shown.push(("/refresh".to_owned(), format!("{refreshed:?}") + &refreshed.text().await.unwrap()));
    eventually("the renewal has failed", async || daemon.log().contains("answered 407").then_some(())).await;
    for path in ["/readyz", "/status", "/metrics"] {
        shown.push((path.to_owned(), daemon.admin(path).await.1));
    }
    let cmdline = std::fs::read(format!("/proc/{}/cmdline", daemon.pid())).unwrap();
    shown.push(("cmdline".to_owned(), String::from_utf8(cmdline).unwrap()));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await.code(), Some(0));
    shown.push(("the whole log".to_owned(), daemon.log()));

    let secrets = of_proxy();
    for (place, text) in &shown {
        secrets.assert_absent(place, text);
    }
    // The search was worth it: all of this was told of, by the proxy's name.
    let told: String = shown.into_iter().map(|(_, text)| text).collect();
    assert!(told.matches(&proxy.address().to_string()).count() > 8, "{told}");
    // And it would have found them.
    let leaks = [with_credentials(&proxy), base64(&format!("{USER}:{PASSWORD}"))];
    assert!(leaks.iter().all(|leak| !secrets.found(leak.as_bytes()).is_empty()));
}

#[tokio::test]
async fn a_value_that_is_wrong_is_named_and_not_shown() {
    let api = sandbox(super::API).await;
    for (name, value) in [
        ("HTTPS_PROXY", format!("https://{USER}:{PASSWORD}@proxy.example:3128")),
        ("all_proxy", format!("socks5h://{USER}:{PASSWORD}@proxy.example:1080")),
        ("LIQUID_UPSTREAM__PROXY", format!("http://{USER}:{PASSWORD}#@proxy.example:3128")),
        ("LIQUID_UPSTREAM__PROXY", format!("http://{USER}:{PASSWORD}@proxy.example:port")),
        ("LIQUID_UPSTREAM__NO_PROXY", format!("http://{USER}:{PASSWORD}@proxy.example:3128")),
        ("LIQUID_UPSTREAM__PROXI", format!("http://{USER}:{PASSWORD}@proxy.example:3128")),
    ] {
        let builder = builder(&api).variable(name, &value);
        for command in ["check", "run"] {
            let (code, printed, errors) = builder.run(&[command]).await;
            assert_eq!(code, 64, "{name}");
            assert!(errors.contains(name) && errors.contains("allowed"), "{errors}");
            of_proxy().assert_absent(name, printed + &errors);
        }
    }
}

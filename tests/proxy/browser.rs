//! What pages in a real browser get done: those of other sites nothing, whatever they try; those of allowed
//! origins what they ask for.

mod chromium;
mod site;

use std::time::Duration;

use liquid_auth_proxy::sandbox::{FaultKind, LimitHeaders, Sandbox, Scope};
use serde_json::Value;

use self::chromium::Chromium;
use self::site::Site;
use crate::support::daemon::{Builder, Daemon};
use crate::support::seen::{calls, fault, settings};

const OWN_ANSWERS: &str = "liquid_proxy_own_answers_total";

/// Runs each of `tries` (JavaScript, a promise each) and writes what came of it into the page.
fn script(tries: &[(&str, &str)]) -> String {
    let tries: String = tries.iter().map(|(name, code)| format!("'{name}': () => {code},\n")).collect();
    include_str!("browser/page.html").replace("/* tries */", &tries)
}

async fn refused(daemon: &Daemon, code: &str) -> f64 {
    daemon.metric(&format!("{OWN_ANSWERS}{{code=\"{code}\"}}")).await
}

/// A proxy with a page that may call: `http://friend.example` at the site's port.
async fn proxy(site: &Site) -> (Sandbox, Daemon) {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url())
        .set("listen.allowed_origins", &site.origin("friend.example"))
        .ready()
        .await;
    (sandbox, daemon)
}

/// All that a page can do to make a browser send a request elsewhere.
fn attacks(target: &str, admin: &str) -> Vec<(&'static str, String)> {
    let post = "method: 'POST', body: '{\"search\":\"gin\"}'";
    let json = "headers: {'content-type': 'application/json'}";
    vec![
        ("fetch", format!("fetch('{target}/users/fetch/1').then(told)")),
        ("fetch that sends", format!("fetch('{target}/catalog/search', {{{post}}}).then(told)")),
        ("fetch that asks first", format!("fetch('{target}/catalog/search', {{{post}, {json}}}).then(told)")),
        (
            "fetch with PUT",
            format!("fetch('{target}/cart/update', {{method: 'PUT', body: '{{}}'}}).then(told)"),
        ),
        ("blind fetch", format!("fetch('{target}/users/fetch/2', {{mode: 'no-cors'}}).then(told)")),
        (
            "blind fetch that sends",
            format!("fetch('{target}/cart/update', {{mode: 'no-cors', {post}}}).then(told)"),
        ),
        ("XMLHttpRequest", format!("xhr('{target}/users/fetch/3')")),
        ("image", format!("element('img', {{src: '{target}/users/fetch/4'}})")),
        ("script", format!("element('script', {{src: '{target}/users/fetch/5'}})")),
        ("style sheet", format!("element('link', {{rel: 'stylesheet', href: '{target}/users/fetch/6'}})")),
        ("frame", format!("element('iframe', {{src: '{target}/users/fetch/7'}})")),
        ("form", format!("form('{target}/checkout/complete', 'text/plain')")),
        ("form with fields", format!("form('{target}/cart/update', 'application/x-www-form-urlencoded')")),
        ("video", format!("element('video', {{src: '{target}/users/fetch/8'}})")),
        ("events", format!("socket(new EventSource('{target}/users/fetch/9'))")),
        ("web socket", format!("socket(new WebSocket('{}/x'))", target.replace("http:", "ws:"))),
        ("beacon", format!("Promise.resolve(String(navigator.sendBeacon('{target}/cart/update', '{{}}')))")),
        ("status of operators", format!("fetch('{admin}/status').then(told)")),
        (
            "refresh of operators",
            format!("fetch('{admin}/refresh', {{method: 'POST', mode: 'no-cors'}}).then(told)"),
        ),
    ]
}

/// What a page may learn of a request that got it nothing: that it failed, or nothing at all.
fn assert_nothing_learnt(tried: &Value, count: usize) {
    let tried = tried.as_object().unwrap();
    assert_eq!(tried.len(), count, "{tried:#?}");
    for (name, outcome) in tried {
        let outcome = outcome.as_str().unwrap();
        let is_nothing = outcome.starts_with("failed") || matches!(outcome, "opaque" | "loaded" | "true");
        assert!(is_nothing, "{name}: {outcome}");
    }
}

#[tokio::test]
async fn pages_of_other_sites_get_nothing_done() {
    let mut site = Site::start().await;
    let (sandbox, daemon) = proxy(&site).await;
    let authentications = sandbox.handle().authentications();
    let admin = format!("http://{}", daemon.admin_address());
    let mut sent = 0;
    // By its address and by its name; from another site, and from another port of the same host.
    for (target, page) in [
        (daemon.url(""), "evil.example"),
        (format!("http://localhost:{}", daemon.address().port()), "evil.example"),
        (daemon.url(""), "127.0.0.1"),
        (format!("http://localhost:{}", daemon.address().port()), "localhost"),
    ] {
        let tries = attacks(&target, &admin);
        let tries: Vec<_> = tries.iter().map(|(name, code)| (*name, code.as_str())).collect();
        site.serve("/page", &script(&tries));
        let tried = Chromium::new().visit(&site.url(page, "/page")).await.results();
        assert_nothing_learnt(&tried, tries.len());
        sent += tries.len();
        assert!(calls(&sandbox.handle()).is_empty(), "{page}: {:?}", calls(&sandbox.handle()));
    }
    assert_eq!(sandbox.handle().authentications(), authentications);
    // They did arrive: the browser did not hold them back. Of each page's, two are for the operators' listener,
    // the web socket is refused for what it is, and the beacon may be late.
    let refused = refused(&daemon, "origin_not_allowed").await;
    assert!(refused >= (sent - 4 * 4) as f64, "{refused} of {sent}");
}

#[tokio::test]
async fn a_link_of_another_site_leads_to_a_refusal() {
    let mut site = Site::start().await;
    let (sandbox, daemon) = proxy(&site).await;
    let target = daemon.url("/users/fetch/1");
    site.serve("/link", &format!("<meta http-equiv=refresh content=\"0; url={target}\">"));
    let page = Chromium::new().visit(&site.url("evil.example", "/link")).await;
    assert!(page.dom.contains("may not use this proxy"), "{}", page.dom);
    assert!(calls(&sandbox.handle()).is_empty(), "{:?}", calls(&sandbox.handle()));
    // A URL that somebody types is no page's.
    let page = Chromium::new().visit(&target).await;
    assert!(page.dom.contains("404"), "{}", page.dom);
    assert!(!calls(&sandbox.handle()).is_empty());
}

/// Its page comes from elsewhere, and then its name leads to the proxy: for the browser that is one origin.
#[tokio::test]
async fn a_rebound_name_gets_nothing_done() {
    let mut site = Site::start().await;
    let (sandbox, daemon) = proxy(&site).await;
    site.lead_elsewhere_to(daemon.address());
    let json =
        "{method: 'POST', headers: {'content-type': 'application/json'}, body: '{\"search\":\"gin\"}'}";
    let search = format!("fetch('/catalog/search', {json}).then(told)");
    site.serve(
        "/page",
        &script(&[
            ("get", "fetch('/users/fetch/1').then(told)"),
            ("search", &search),
            ("authentication", "fetch('/authentication').then(told)"),
        ]),
    );
    let tried = Chromium::new().visit(&site.url("rebind.example", "/page")).await.results();
    for name in ["get", "search", "authentication"] {
        let answer: Value = serde_json::from_str(tried[name].as_str().unwrap()).unwrap();
        assert_eq!(
            (&answer["status"], &answer["code"]),
            (&421.into(), &"host_not_allowed".into()),
            "{tried}"
        );
    }
    // A browser asks again, and for an icon.
    assert!(refused(&daemon, "host_not_allowed").await >= 3.0);

    // The proxy itself as the page, by such a name.
    let url = format!("http://rebind.example:{}/users/fetch/1", daemon.address().port());
    let page = Chromium::new().visit(&url).await;
    assert!(page.dom.contains("this request is not for this proxy"), "{}", page.dom);
    assert!(calls(&sandbox.handle()).is_empty(), "{:?}", calls(&sandbox.handle()));
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_sees_what_it_asked_for() {
    let mut site = Site::start().await;
    let (sandbox, daemon) = proxy(&site).await;
    let limited = FaultKind::RateLimited(LimitHeaders::RateLimitReset, Duration::from_secs(7));
    sandbox.handle().set_fault(Scope::Path("/cart".into()), fault(limited));
    let target = daemon.url("");
    let json =
        "{method: 'POST', headers: {'content-type': 'application/json'}, body: '{\"search\":\"gin\"}'}";
    let tries = [
        ("search", format!("fetch('{target}/catalog/search', {json}).then(told)")),
        ("limited", format!("fetch('{target}/cart/update', {json}).then(told)")),
        ("own", format!("fetch('{target}/orders').then(told)")),
        ("token", format!("fetch('{target}/authentication').then(told)")),
    ];
    let tries: Vec<_> = tries.iter().map(|(name, code)| (*name, code.as_str())).collect();
    site.serve("/page", &script(&tries));
    let tried = Chromium::new().visit(&site.url("friend.example", "/page")).await.results();
    let told = |name: &str| -> Value {
        let told = tried[name].as_str().unwrap();
        serde_json::from_str(told).unwrap_or_else(|_| panic!("{name}: {told}"))
    };
    assert_eq!(told("search")["status"], 200);
    assert!(told("search")["body"].as_str().unwrap().contains("products"), "{tried}");
    let limited = told("limited");
    assert_eq!(limited["status"], 429);
    assert!(matches!(limited["retryAfter"].as_str(), Some("6" | "7" | "8")), "{limited}");
    assert_eq!(told("own")["code"], "credential_not_configured");
    assert_eq!(told("token")["status"], 200);
    assert!(!tried.to_string().contains(&sandbox.handle().tokens()[0]));

    // It is that page's leave and no other's.
    let tried = Chromium::new().visit(&site.url("evil.example", "/page")).await.results();
    assert_nothing_learnt(&tried, tries.len());
}

//! 429s of the API: they pass as they are, and always say when to come back.

use std::time::{Duration, SystemTime};

use liquid_auth_proxy::sandbox::{Fault, FaultKind, LimitHeaders, RateLimit, Sandbox, Scope, Settings};
use sfv::BareItem;

use crate::support::client::Answer;
use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::own_answer::proxy_status;

const WAIT: Duration = Duration::from_secs(30);
const PATH: &str = "/catalog/search";

async fn proxy() -> (Sandbox, Daemon) {
    let sandbox = Sandbox::start(Settings { api_key: KEY.into(), ..Settings::default() }).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).ready().await;
    (sandbox, daemon)
}

async fn search(daemon: &Daemon) -> Answer {
    Answer::of(client().post(daemon.url(PATH)).body("{}").send().await.unwrap()).await
}

/// The answer to a request that the API limits, with what it says about when to come back.
async fn limited(headers: LimitHeaders, derived: bool) -> Answer {
    let (sandbox, daemon) = proxy().await;
    let fault = Fault { kind: FaultKind::RateLimited(headers, WAIT), times: None };
    sandbox.handle().set_fault(Scope::Path(PATH.into()), Some(fault));
    let answer = search(&daemon).await;

    assert_eq!(answer.status, 429);
    assert!(answer.header("x-liquid-proxy-error").is_empty(), "it is the API's answer");
    let envelope: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(envelope["statusCode"], 429);
    assert_eq!(envelope["metadata"]["path"], format!("/api{PATH}"));

    let counted = async |label: &str| {
        daemon.metric(&format!(r#"liquid_proxy_rate_limits_passed_total{{retry_after="{label}"}}"#)).await
    };
    let expected = if derived { (0.0, 1.0) } else { (1.0, 0.0) };
    assert_eq!((counted("given").await, counted("derived").await), expected);
    assert_eq!(sandbox.handle().calls_to(PATH), 1, "it was not sent twice");
    answer
}

/// The seconds in `Retry-After`, which the proxy must have derived from what it names.
fn derived_from(answer: &Answer, details: &str) -> u64 {
    assert_eq!(proxy_status(answer, "details"), BareItem::String(details.to_owned().try_into().unwrap()));
    let [seconds] = answer.header("retry-after")[..] else { panic!("{answer:?}") };
    seconds.parse().unwrap()
}

#[tokio::test]
async fn a_time_in_seconds_is_left_alone() {
    let answer = limited(LimitHeaders::RetryAfterSeconds, false).await;
    assert_eq!(answer.header("retry-after"), ["30"]);
    assert!(answer.header("proxy-status").is_empty());
}

#[tokio::test]
async fn a_date_is_left_alone() {
    let answer = limited(LimitHeaders::RetryAfterDate, false).await;
    let [date] = answer.header("retry-after")[..] else { panic!("{answer:?}") };
    assert!(httpdate::parse_http_date(date).unwrap() > SystemTime::now());
    assert!(answer.header("proxy-status").is_empty());
}

#[tokio::test]
async fn seconds_are_taken_from_rate_limit_reset() {
    let answer = limited(LimitHeaders::RateLimitReset, true).await;
    assert_eq!(answer.header("ratelimit-limit"), ["100"]);
    assert_eq!(answer.header("ratelimit-remaining"), ["0"]);
    assert_eq!(answer.header("ratelimit-reset"), ["30"]);
    assert_eq!(derived_from(&answer, "Retry-After derived from RateLimit-Reset"), 30);
}

#[tokio::test]
async fn seconds_are_taken_from_a_point_in_time() {
    let answer = limited(LimitHeaders::XRateLimitReset, true).await;
    assert_eq!(answer.header("x-ratelimit-limit"), ["100"]);
    assert_eq!(answer.header("x-ratelimit-remaining"), ["0"]);
    let [reset] = answer.header("x-ratelimit-reset")[..] else { panic!("{answer:?}") };
    assert!(reset.parse::<u64>().unwrap() > 1_700_000_000);
    // How much of the 30 s is left depends on how long the answer took.
    let seconds = derived_from(&answer, "Retry-After derived from X-RateLimit-Reset");
    assert!((1..=31).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn seconds_are_taken_from_the_structured_field() {
    let answer = limited(LimitHeaders::RateLimitField, true).await;
    assert_eq!(answer.header("ratelimit"), [r#""default";r=0;t=30"#]);
    assert_eq!(derived_from(&answer, "Retry-After derived from RateLimit"), 30);
}

#[tokio::test]
async fn where_the_api_says_nothing_there_is_a_default() {
    let answer = limited(LimitHeaders::None, true).await;
    assert!(derived_from(&answer, "Retry-After set to a default: the API gave none") >= 1);
}

#[tokio::test]
async fn requests_within_the_limit_pass() {
    let (sandbox, daemon) = proxy().await;
    sandbox.handle().set_rate_limit(Some(RateLimit {
        scope: Scope::Path(PATH.into()),
        requests: 2,
        per: Duration::from_secs(3600),
        headers: LimitHeaders::RetryAfterSeconds,
    }));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(search(&daemon).await.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
}

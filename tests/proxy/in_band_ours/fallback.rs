//! Whether or not the next token comes in band, one comes.

use std::time::Instant;

use super::*;

const LIFE: Duration = Duration::from_secs(8);

/// Longer than any wait for a single condition: this is several lives long.
const SEVERAL_LIVES: Duration = Duration::from_secs(90);

async fn start(life: Duration) -> (Sandbox, Daemon) {
    let sandbox = Sandbox::start(Settings { token_lifetime: life, ..settings() }).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).set("token.in_band", "true").ready().await;
    (sandbox, daemon)
}

#[tokio::test]
async fn while_suitable_requests_come_the_authentication_endpoint_is_not_asked() {
    let (sandbox, daemon) = start(LIFE).await;
    let (client, url, started) = (client(), daemon.url("/catalog/search"), Instant::now());
    let mut seen = Vec::new();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    while sandbox.handle().tokens().len() < 4 {
        assert!(started.elapsed() < SEVERAL_LIVES, "{} tokens", sandbox.handle().tokens().len());
        pace.tick().await;
        let search = client.post(&url).header("content-type", "application/json").body(r#"{"search":"gin"}"#);
        let answer = Answer::of(search.send().await.unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!answer.text().contains(r#""auth""#), "{}", answer.text());
        seen.push(format!("{:?}{}", answer.headers, answer.text()));
    }
    assert_eq!(sandbox.handle().authentications(), 1);
    let taken = async || (attempts(&daemon, "api", "in_band").await == 3.0).then_some(());
    eventually("the last token is taken", taken).await;

    let calls = calls(&sandbox.handle());
    let asking = calls.iter().filter(|call| call.body == r#"{"refresh":true,"search":"gin"}"#).count();
    let plain = calls.iter().filter(|call| call.body == r#"{"search":"gin"}"#).count();
    assert_eq!((asking, asking + plain), (3, calls.len()), "one request for each token");
    assert!(calls.iter().all(|call| call.status == 200));
    let secrets = Secrets::of_sandbox(&sandbox.handle());
    secrets.assert_absent("what the app received", seen.concat());
    secrets.assert_absent("the log", daemon.log());
}

#[tokio::test]
async fn without_a_suitable_request_the_authentication_endpoint_is_asked() {
    let (sandbox, daemon) = start(Duration::from_secs(3)).await;
    let renewed = async || {
        let asked = client().get(daemon.url("/users/fetch/nobody")).send();
        let status = within_limit("an answer comes", asked).await.unwrap().status();
        assert_eq!(status, 404, "a request failed");
        (sandbox.handle().authentications() == 4).then_some(())
    };
    eventually("the token is renewed three times", renewed).await;
    assert_eq!(attempts(&daemon, "api", "in_band").await, 0.0);
    assert!(sandbox.handle().calls().iter().all(|call| call.status != 401));
}

#[tokio::test]
async fn with_nobody_there_the_authentication_endpoint_is_asked() {
    let (sandbox, _daemon) = start(Duration::from_secs(3)).await;
    let renewed = async || (sandbox.handle().authentications() == 3).then_some(());
    eventually("the token is renewed twice", renewed).await;
}

/// An API that does not understand the wish is asked three times, and then at its authentication endpoint.
#[tokio::test]
async fn with_answers_that_hold_no_token_the_authentication_endpoint_is_asked() {
    let upstream = Upstream::with_tokens_of(LIFE).await;
    let daemon = Builder::new(&upstream.base_url()).set("token.in_band", "true").ready().await;
    let mut bench = Bench { upstream, daemon };
    let mut asking = 0;
    while bench.upstream.authentications() == 1 {
        let (mut client, call, body) = bench.suitable().await;
        asking += usize::from(body == ASKING);
        call.last_answer("200 OK", "", r#"{"products":[]}"#).await;
        let seen = client.answer().await;
        assert_eq!((seen.status.as_u16(), seen.text()), (200, r#"{"products":[]}"#));
    }
    assert_eq!(asking, 3);
    assert_eq!(attempts(&bench.daemon, "api", "in_band").await, 0.0);
}

#[tokio::test]
async fn unless_it_is_wished_nothing_is_put_in() {
    let upstream = Upstream::with_tokens_of(Duration::from_secs(4)).await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    let mut bench = Bench { upstream, daemon };
    while bench.upstream.authentications() < 3 {
        let (mut client, call, body) = bench.suitable().await;
        assert_eq!(body, PLAIN);
        call.last_answer("200 OK", "", "{}").await;
        client.answer().await;
    }
}

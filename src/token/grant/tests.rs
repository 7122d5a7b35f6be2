use proptest::prelude::*;

use super::*;
use crate::token::clock::Clock;

/// The local clock, Unix milliseconds: that of the documented sample.
const LOCAL: u64 = 1_731_590_739_955;

fn at(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms)
}

fn times(date: Option<SystemTime>, now: SystemTime) -> Times {
    Times { requested: Clock::default().now(), date, now }
}

fn parse(body: &str) -> Result<Grant, GrantError> {
    Grant::from_answer(body.as_bytes(), times(None, at(LOCAL)))
}

fn envelope(timestamp: &str, exp: &str) -> String {
    format!(
        r#"{{"statusCode":200,"message":"OK","metadata":{{"languages":["en"],{timestamp}"timezone":"UTC",
        "requestId":"reqid_1","path":"/api/authentication","version":"1.7.0"}},
        "data":{{"token":"tok-1","type":"ACCESS_TOKEN"{exp}}}}}"#
    )
}

fn lifetime(body: &str) -> u64 {
    parse(body).unwrap().lifetime.as_secs()
}

#[test]
fn the_documented_sample() {
    let answer = parse(&envelope(r#""timestamp":1731590739955,"#, r#","exp":1731674132795"#)).unwrap();
    assert_eq!(answer.token.expose(), "tok-1");
    assert_eq!(answer.expires_at_ms, 1_731_674_132_795);
    assert_eq!(answer.lifetime, Duration::from_millis(83_392_840));
    assert_eq!(answer.skew_ms, Some(0));
}

#[test]
fn the_three_shapes_of_the_orders_answer() {
    let in_ten_minutes = LOCAL + 600_000;
    assert_eq!(lifetime(&format!(r#"{{"token":"t","type":"ORDER_API","exp":{in_ten_minutes}}}"#)), 600);
    assert_eq!(lifetime(r#"{"accessToken":"t","tokenType":"Bearer","expiresIn":3600}"#), 3600);
    assert_eq!(lifetime(&envelope(r#""timestamp":1731590739955,"#, r#","exp":600"#)), 600);
}

#[test]
fn exp_in_seconds_is_told_from_milliseconds_by_its_size() {
    assert_eq!(lifetime(&envelope("", r#","exp":1731591339"#)), 599);
    assert_eq!(lifetime(&envelope("", r#","exp":1731591339955"#)), 600);
    assert_eq!(lifetime(&envelope("", r#","exp":600"#)), 600);
    assert_eq!(lifetime(&envelope("", r#","exp":700.9"#)), 700);
    // A billion seconds, and a hundred billion milliseconds: where the units change.
    assert_eq!(lifetime(&envelope("", r#","exp":999999999"#)), 31 * 86_400);
    assert_eq!(parse(&envelope("", r#","exp":1000000000"#)).unwrap_err(), GrantError::Ended);
    assert_eq!(lifetime(&envelope("", r#","exp":99999999999"#)), 31 * 86_400);
    assert_eq!(parse(&envelope("", r#","exp":100000000000"#)).unwrap_err(), GrantError::Ended);
}

#[test]
fn the_life_is_the_servers_whatever_the_local_clock_says() {
    for local in [LOCAL - 86_400_000, LOCAL, LOCAL + 86_400_000] {
        let body = envelope(r#""timestamp":1731590739955,"#, r#","exp":1731590799955"#);
        let answer = Grant::from_answer(body.as_bytes(), times(None, at(local))).unwrap();
        assert_eq!(answer.lifetime, Duration::from_secs(60));
        assert_eq!(answer.skew_ms, Some(LOCAL.cast_signed() - local.cast_signed()));
    }
}

#[test]
fn without_a_timestamp_the_date_header_stands_in_and_then_the_local_clock() {
    let body = envelope("", r#","exp":1731590799955"#);
    let by_date = Grant::from_answer(body.as_bytes(), times(Some(at(LOCAL + 20_000)), at(LOCAL))).unwrap();
    assert_eq!(by_date.lifetime, Duration::from_secs(40));
    assert_eq!(by_date.skew_ms, Some(20_000));
    let by_local = Grant::from_answer(body.as_bytes(), times(None, at(LOCAL))).unwrap();
    assert_eq!(by_local.lifetime, Duration::from_secs(60));
    assert_eq!(by_local.skew_ms, None);
}

#[test]
fn a_missing_or_absurd_end_does_no_harm() {
    assert_eq!(lifetime(&envelope("", "")), 600);
    assert_eq!(lifetime(&envelope("", r#","exp":null"#)), 600);
    assert_eq!(lifetime(&envelope("", r#","exp":99999999999999999"#)), 31 * 86_400);
    let absurd = parse(&envelope("", r#","exp":9223372036854775807"#)).unwrap();
    assert_eq!(absurd.expires_at_ms, LOCAL + 31 * 86_400_000, "apps are told when it really ends");
    assert_eq!(lifetime(&envelope("", r#","exp":1e300"#)), 600);
    assert_eq!(lifetime(&envelope("", r#","exp":18446744073709551616"#)), 600, "no u64 any more");
    assert_eq!(parse(&envelope("", r#","exp":0"#)).unwrap_err(), GrantError::Ended);
    assert_eq!(parse(&envelope("", r#","exp":0.0"#)).unwrap_err(), GrantError::Ended);
    assert_eq!(parse(&envelope("", r#","exp":-5"#)).unwrap_err(), GrantError::Ended);
    assert_eq!(parse(&envelope("", r#","exp":1731590000000"#)).unwrap_err(), GrantError::Ended);
}

#[test]
fn a_refresh_in_band_is_read_from_auth() {
    let body = r#"{"statusCode":200,"metadata":{"timestamp":1731590739955},"cart":{"id":"c"},
        "auth":{"token":"fresh","type":"ACCESS_TOKEN","exp":1731590799955}}"#;
    let grant = Grant::from_in_band(body.as_bytes(), times(None, at(LOCAL))).unwrap();
    assert_eq!(grant.token.expose(), "fresh");
    assert_eq!(grant.lifetime, Duration::from_secs(60));
    let without = Grant::from_in_band(br#"{"data":{"token":"other"}}"#, times(None, at(LOCAL)));
    assert_eq!(without.unwrap_err(), GrantError::NoToken);
}

#[test]
fn members_that_do_not_matter_may_be_as_they_like() {
    for body in [
        r#"{"metadata":7,"data":{"token":"t","exp":600,"extra":[1]},"token":1}"#,
        r#"{"metadata":{"timestamp":"2024-11-14"},"data":{"token":"t","exp":"600"}}"#,
        r#"{"data":[],"token":"t","exp":600}"#,
        r#"{"token":"t","accessToken":"t","exp":600,"expiresIn":600}"#,
        r#"{"metadata":{"timestamp":1731590739},"token":"t","exp":1731591339955}"#,
    ] {
        assert_eq!(lifetime(body), 600, "{body}");
    }
    let body = r#"{"data":{"exp":"12/27","token":{}},"auth":{"token":"fresh","exp":600}}"#;
    let grant = Grant::from_in_band(body.as_bytes(), times(None, at(LOCAL))).unwrap();
    assert_eq!(grant.token.expose(), "fresh");
}

#[test]
fn what_is_no_answer() {
    for (body, expected) in [
        ("", GrantError::Empty),
        (" \n", GrantError::Empty),
        ("<html></html>", GrantError::NotJson),
        (r#"{"data":{"token":"t","#, GrantError::NotJson),
        ("[]", GrantError::NotJson),
        ("null", GrantError::NotJson),
        (r#"{"data":{"token":7}}"#, GrantError::NoToken),
        ("{}", GrantError::NoToken),
        (r#"{"data":{"token":""}}"#, GrantError::NoToken),
        (r#"{"data":null}"#, GrantError::NoToken),
        (r#"{"data":{"token":"a\r\nb"}}"#, GrantError::UnusableToken),
    ] {
        assert_eq!(parse(body).unwrap_err(), expected, "{body:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_fail_badly(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Grant::from_answer(&body, times(None, at(LOCAL)));
    }

    #[test]
    fn no_numbers_make_it_fail_badly(timestamp in any::<i128>(), exp in any::<f64>(), local in any::<u32>()) {
        let body = envelope(&format!(r#""timestamp":{timestamp},"#), &format!(r#","exp":{exp}"#));
        if let Ok(answer) = Grant::from_answer(body.as_bytes(), times(None, at(u64::from(local)))) {
            prop_assert!(answer.lifetime <= MAX_LIFETIME);
        }
    }
}

#[test]
fn all_texts_of_an_answer_are_wiped() {
    let mut answer =
        serde_json::json!({ "data": { "token": "canary", "more": ["canary", { "x": "canary" }] }, "n": 1 });
    wipe(&mut answer);
    assert_eq!(answer, serde_json::json!({ "data": { "token": "", "more": ["", { "x": "" }] }, "n": 1 }));
}

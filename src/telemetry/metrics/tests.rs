use super::*;

#[test]
fn what_was_counted_is_in_the_text() {
    let metrics = Metrics::new("sandbox");
    metrics.request_started();
    metrics.head_ready(&Method::POST, StatusCode::OK, Duration::from_millis(20));
    metrics.request_ended(Duration::from_millis(30), Some(BrokenOff::Client));
    metrics.authentication("api", "ok");
    let times = TokenTimes {
        expires_at_ms: 1_731_674_132_795,
        remaining: Duration::from_secs(9),
        age: Duration::from_secs(1),
    };
    metrics.token("api", Some(times));

    let text = metrics.encode().unwrap();
    for line in [
        r#"liquid_proxy_requests_total{method="POST",status="200"} 1"#,
        r#"liquid_proxy_request_head_seconds_bucket{le="0.025"} 1"#,
        r#"liquid_proxy_requests_broken_off_total{by="client"} 1"#,
        r#"liquid_proxy_authentication_attempts_total{credential="api",outcome="ok"} 1"#,
        r#"liquid_proxy_token_expiry_timestamp_seconds{credential="api"} 1731674132.795"#,
        "liquid_proxy_requests_in_flight 0",
    ] {
        assert!(text.contains(line), "{line} is missing in:\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));

    metrics.token("api", None);
    assert!(!metrics.encode().unwrap().contains("token_age_seconds{"));
}

#[test]
fn invented_methods_share_one_label() {
    let metrics = Metrics::new("sandbox");
    for name in ["BREW", "PROPFIND"] {
        let method = Method::from_bytes(name.as_bytes()).unwrap();
        metrics.head_ready(&method, StatusCode::OK, Duration::ZERO);
    }
    let text = metrics.encode().unwrap();
    assert!(text.contains(r#"requests_total{method="other",status="200"} 2"#), "{text}");
}

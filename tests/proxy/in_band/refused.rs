//! What may hold the token and cannot be searched does not get to the app.

use super::{ASKING, Bench, FRESH, Seen, answer};

fn assert_refused(seen: &Seen, case: &str) {
    assert_eq!(seen.status, 502, "{case}");
    assert_eq!(seen.headers["x-liquid-proxy-error"], "upstream_protocol_error", "{case}");
    assert!(!seen.headers.contains_key("set-cookie"), "{case}");
}

#[tokio::test]
async fn what_is_not_json_but_may_hold_it() {
    let mut bench = Bench::new().await;
    let answer = answer();
    let utf16: Vec<u8> = answer.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [
        format!("<p>your token: {FRESH}</p>").as_bytes(),
        &answer.as_bytes()[..answer.len() - 1],
        &answer.as_bytes()[..answer.find(FRESH).unwrap() + 9],
        format!("{answer}{answer}").as_bytes(),
        format!("[{answer}]").as_bytes(),
        format!(r#"{{"auth":"token {FRESH}"}}"#).as_bytes(),
        format!(r#"{{"auth":{{"token":["{FRESH}"]}}}}"#).as_bytes(),
        &utf16,
    ] {
        let seen = bench.refreshed("set-cookie: a=b\r\n", body).await;
        assert_refused(&seen, &String::from_utf8_lossy(body));
    }
}

#[tokio::test]
async fn what_breaks_off() {
    let mut bench = Bench::new().await;
    let body = answer();
    let cut = body.find(FRESH).unwrap() + FRESH.len() + 1;
    let length = format!("content-length: {}\r\n", body.len());
    let chunk = format!("{:x}\r\n{body}\r\n", body.len());
    for (headers, sent) in
        [(length.as_str(), &body.as_bytes()[..cut]), ("transfer-encoding: chunked\r\n", chunk.as_bytes())]
    {
        let seen = Seen::of(bench.exchange(ASKING, headers, sent).await).await;
        assert_refused(&seen, headers);
        bench.assert_nothing_leaks(&seen);
    }
}

#[tokio::test]
async fn what_is_larger_than_the_limit() {
    let mut bench = Bench::new().await;
    let filler = "x".repeat(4 * 1024 * 1024);
    let body = format!(r#"{{"auth":{{"token":"{FRESH}"}},"filler":"{filler}"}}"#);
    let seen = bench.refreshed("", body.as_bytes()).await;
    assert_refused(&seen, "too large");
    // A small answer may become a large one.
    let bomb = zstd::encode_all(body.as_bytes(), 0).unwrap();
    let seen = bench.refreshed("content-encoding: zstd\r\n", &bomb).await;
    assert_refused(&seen, "too large once decoded");
}

#[tokio::test]
async fn what_is_in_a_coding_that_nobody_knows() {
    let mut bench = Bench::new().await;
    for coding in ["snappy", "compress", "gzip, snappy"] {
        let headers = format!("content-encoding: {coding}\r\n");
        let seen = bench.refreshed(&headers, answer().as_bytes()).await;
        assert_refused(&seen, coding);
    }
}

/// An app must see why its request failed, also when it asked for a token.
#[tokio::test]
async fn a_gateways_error_page_passes() {
    let mut bench = Bench::new().await;
    let page = "<html><h1>503 Service Unavailable</h1></html>";
    bench.refreshed("content-type: text/html\r\n", page.as_bytes()).await.assert_is(page);
}

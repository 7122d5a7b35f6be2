//! An app knows nothing of the wish in its request: whatever the API makes of it, the app gets its answer.

use super::*;

const UNKNOWN: &str = r#"{"statusCode":400,"message":"property refresh should not exist"}"#;

async fn taken(bench: &Bench) {
    let taken = async || (credential(&bench.daemon, "api").await["generation"] == 2).then_some(());
    eventually("the new token is taken", taken).await;
}

#[tokio::test]
async fn an_api_that_refuses_the_wish_gets_the_request_as_the_app_sent_it() {
    for status in ["400 Bad Request", "422 Unprocessable Entity"] {
        let mut bench = Bench::new().await;
        let (mut client, call) = bench.asking().await;
        call.last_answer(status, "", UNKNOWN).await;
        let mut second = bench.upstream.call().await;
        assert_eq!(second.header("content-length"), [PLAIN.len().to_string()]);
        assert_eq!(second.body(PLAIN.len()).await, PLAIN.as_bytes());
        second.last_answer("200 OK", "etag: \"7\"\r\n", r#"{"products":[]}"#).await;
        let seen = client.answer().await;
        assert_eq!((seen.status.as_u16(), seen.text()), (200, r#"{"products":[]}"#));
        assert_eq!(seen.header("etag"), ["\"7\""]);

        for _ in 0..5 {
            let (mut client, call, body) = bench.suitable().await;
            assert_eq!(body, PLAIN, "it is not asked again");
            call.last_answer("200 OK", "", "{}").await;
            client.answer().await;
        }
        assert_eq!(bench.upstream.authentications(), 1, "there is time until the mandatory window");
    }
}

#[tokio::test]
async fn a_request_that_is_wrong_by_itself_is_refused_once_more() {
    let mut bench = Bench::new().await;
    let (mut client, call) = bench.asking().await;
    call.last_answer("422 Unprocessable Entity", "", r#"{"statusCode":5487,"message":"first"}"#).await;
    let second = bench.upstream.call().await;
    second.last_answer("422 Unprocessable Entity", "", r#"{"statusCode":5487,"message":"second"}"#).await;
    let seen = client.answer().await;
    assert_eq!((seen.status.as_u16(), seen.text()), (422, r#"{"statusCode":5487,"message":"second"}"#));
    let (mut client, call) = bench.asking().await;
    call.last_answer("200 OK", "", &fresh()).await;
    client.answer().await;
    taken(&bench).await;
}

#[tokio::test]
async fn a_401_says_nothing_of_the_wish() {
    let mut bench = Bench::new().await;
    let (mut client, call) = bench.asking().await;
    call.last_answer("401 Unauthorized", "x-word: the-apis-own\r\n", "{}").await;
    // The issuer gives the same token again: there is no other to send it with.
    let seen = client.answer().await;
    assert_eq!((seen.status.as_u16(), seen.header("x-word")), (401, vec!["the-apis-own"]));
}

#[tokio::test]
async fn a_token_in_an_answer_without_success_is_taken_and_removed() {
    let mut bench = Bench::new().await;
    let (mut client, call) = bench.asking().await;
    let answer = format!(
        r#"{{"statusCode":5487,"auth":{{"token":"{FRESH}","type":"ACCESS_TOKEN","exp":4102444800000}},"message":"no"}}"#
    );
    call.last_answer("409 Conflict", "", &answer).await;
    let seen = client.answer().await;
    assert_eq!((seen.status.as_u16(), seen.text()), (409, r#"{"statusCode":5487,"message":"no"}"#));
    taken(&bench).await;
}

#[tokio::test]
async fn auth_goes_whatever_it_holds() {
    let mut bench = Bench::new().await;
    for (answer, left) in [
        (r#"{"auth":null,"a":1}"#, r#"{"a":1}"#),
        (r#"{"a":1,"auth":{"jwt":"secret-4c1b7a"}}"#, r#"{"a":1}"#),
        (r#"{"a":1,"auth":["secret-4c1b7a"]}"#, r#"{"a":1}"#),
    ] {
        let (mut client, call) = bench.asking().await;
        call.last_answer("200 OK", "", answer).await;
        assert_eq!(client.answer().await.text(), left);
    }
}

#[tokio::test]
async fn a_large_answer_is_the_apps_all_the_same() {
    let mut bench = Bench::new().await;
    let (mut client, call) = bench.asking().await;
    let large = "x".repeat(9 * 1024 * 1024);
    let answer = format!(r#"{{"a":"{large}","auth":{{"token":"{FRESH}","exp":4102444800000}}}}"#);
    let sending = tokio::spawn(async move { call.last_answer("200 OK", "", &answer).await });
    let seen = client.answer().await;
    sending.await.unwrap();
    assert!(seen.status == 200 && seen.text() == format!(r#"{{"a":"{large}"}}"#));
    taken(&bench).await;
}

#[tokio::test]
async fn codings_that_could_not_be_searched_are_not_asked_for() {
    let mut bench = Bench::new().await;
    let (mut client, call) = bench.asking().await;
    call.last_answer("200 OK", "", "{}").await;
    client.answer().await;
    let json = "content-type: application/json\naccept-encoding: compress, br";
    let lines = format!("POST /a HTTP/1.1\n{json}\ncontent-length: 2");
    let (mut client, mut call) = bench.asked(&lines, "{}").await;
    assert_eq!(call.header("accept-encoding"), ["gzip"]);
    assert_eq!(call.body(16).await, br#"{"refresh":true}"#);
    call.last_answer("200 OK", "", &fresh()).await;
    assert_eq!(client.answer().await.status, 200);
    taken(&bench).await;

    let (mut client, call) = bench.asked(&lines, "{}").await;
    assert_eq!(call.header("accept-encoding"), ["compress, br"], "the app's own, when nothing is asked");
    call.last_answer("200 OK", "", "{}").await;
    client.answer().await;
}

/// No member of a JSON object stands in these: they are the app's, as they are.
#[tokio::test]
async fn what_is_no_object_is_the_apps() {
    let mut bench = Bench::new().await;
    for (kind, body) in [
        ("application/json", &br#"[{"name":"Jack \"JD\" Daniel","token":1}]"#[..]),
        ("text/csv", b"id,card_token\n1,2\n"),
        ("application/pdf", b"%PDF-1.7 \xe2\xe3\xcf\xd3 token"),
    ] {
        let (mut client, mut call) = bench.asking().await;
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
        call.send(head.as_bytes()).await;
        call.send(body).await;
        let seen = client.answer().await;
        assert_eq!((seen.status.as_u16(), seen.body), (200, body.to_vec()), "{kind}");
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_goes_on_as_it_comes() {
    let mut bench = Bench::new().await;
    let (mut client, mut call) = bench.asking().await;
    call.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await;
    assert_eq!(client.answer_head().await.status, 200);
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        call.send(event.as_bytes()).await;
        assert_eq!(client.chunk().await.unwrap(), event.as_bytes());
    }
}

#[tokio::test]
async fn no_token_gets_by_in_an_odd_answer() {
    let mut bench = Bench::new().await;
    let (mut client, call) = bench.asking().await;
    let odd = format!(
        r#"{{"auth":{{"token":"{FRESH}","refreshToken":"another-one-0123456789"}},"data":{{"session":"{FRESH}"}}}}"#
    );
    call.last_answer("200 OK", "", &odd).await;
    let seen = client.answer().await;
    assert!(seen.status == 200 && !seen.text().contains(FRESH), "{}", seen.text());
    taken(&bench).await;

    let mut bench = Bench::new().await;
    let (mut client, mut call) = bench.asking().await;
    let mut latin1 = format!(r#"{{"auth":{{"token":"{FRESH}"}},"name":"caf"#).into_bytes();
    latin1.extend_from_slice(b"\xe9\"}");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", latin1.len());
    call.send(&[head.as_bytes(), &latin1].concat()).await;
    let seen = client.answer().await;
    assert_eq!(seen.status, 502);
    assert!(!String::from_utf8_lossy(&seen.body).contains(FRESH));
}

/// What the API thinks of the wish comes before what it thinks of the token.
#[tokio::test]
async fn a_request_that_goes_plainly_may_be_rejected_like_any_other() {
    let mut bench = Bench::new().await;
    let (mut client, call) = bench.asking().await;
    call.last_answer("400 Bad Request", "", UNKNOWN).await;
    let second = bench.upstream.call().await;
    second.last_answer("401 Unauthorized", "", "{}").await;
    assert_eq!(client.answer().await.status, 401);
    assert_eq!(bench.upstream.authentications(), 2, "it is tried with another token");
    let (mut client, call) = bench.asking().await;
    call.last_answer("200 OK", "", &fresh()).await;
    assert_eq!(client.answer().await.status, 200, "a 401 says nothing of the wish");
}

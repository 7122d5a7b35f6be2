use bytes::Bytes;
use http_body_util::BodyExt;

use super::*;
use crate::token::clock::Clock;

const LIMIT: Duration = Duration::from_secs(10);
const TOKEN: &str = r#"{"a":1,"auth":{"token":"0123456789abcdef","exp":4102444800000}}"#;
const PLAIN: &str = r#"{"a":1}"#;

/// What becomes of an answer.
#[derive(Debug)]
struct Seen {
    status: u16,
    headers: HeaderMap,
    body: String,
    grant: Option<Grant>,
}

async fn masked(
    asked: Asked,
    method: Method,
    (status, headers, body): (u16, &[(&'static str, &str)], &str),
) -> Result<Seen, Refusal> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let response = response.body(Body::full(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
    let requested = Clock::default().now();
    let question = Question { method: &method, path: "/cart/update", asked, requested };
    let Masked { response, grant } = mask(response, question, LIMIT, &SearchMemory::default()).await?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Ok(Seen { status: head.status.as_u16(), headers: head.headers, body, grant })
}

async fn by_app(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Seen, Refusal> {
    masked(Asked::ByApp, Method::POST, (status, headers, body)).await
}

async fn by_us(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Seen, Refusal> {
    masked(Asked::ByUs, Method::POST, (status, headers, body)).await
}

#[tokio::test]
async fn the_app_gets_what_it_expects() {
    let seen = by_app(200, &[], TOKEN).await.unwrap();
    assert_eq!(seen.body, TOKEN.replace("0123456789abcdef", PLACEHOLDER));
    assert_eq!(seen.headers[CONTENT_LENGTH], seen.body.len().to_string());
    assert!(seen.grant.is_some());
    let seen = by_us(200, &[], TOKEN).await.unwrap();
    assert_eq!((seen.body.as_str(), seen.grant.is_some()), (PLAIN, true));
    let seen = by_us(200, &[], PLAIN).await.unwrap();
    assert_eq!((seen.body.as_str(), seen.grant.is_some()), (PLAIN, false));
}

/// The server's clock counts where the answer tells it in no other way.
#[tokio::test]
async fn the_date_of_the_answer_is_the_servers_clock() {
    let seen = by_app(200, &[("date", "Thu, 31 Dec 2099 23:00:00 GMT")], TOKEN).await.unwrap();
    assert_eq!(seen.grant.unwrap().lifetime, Duration::from_secs(3600));
}

#[tokio::test]
async fn an_answer_without_a_body_is_not_searched() {
    let length = ("content-length", "99");
    for (method, status) in
        [(Method::HEAD, 200), (Method::POST, 204), (Method::POST, 304), (Method::HEAD, 206)]
    {
        let seen = masked(Asked::ByApp, method, (status, &[length], "")).await.unwrap();
        assert_eq!((seen.status, &seen.headers[CONTENT_LENGTH]), (status, &HeaderValue::from_static("99")));
    }
    assert_eq!(by_app(200, &[length], "").await.unwrap().headers[CONTENT_LENGTH], "0");
}

#[tokio::test]
async fn a_part_of_an_answer_does_not_pass() {
    assert!(by_app(206, &[], PLAIN).await.is_err());
    assert!(by_app(200, &[("content-range", "bytes 0-6/99")], PLAIN).await.is_err());
    assert!(by_us(200, &[("content-range", "bytes 0-6/99")], PLAIN).await.is_err());
    // Of a range that is not there it tells the length of the whole (RFC 9110, section 15.5.17).
    let seen = by_app(416, &[("content-range", "bytes */99")], PLAIN).await.unwrap();
    assert_eq!((seen.status, seen.body.as_str()), (416, PLAIN));
    assert!(seen.headers.contains_key(CONTENT_RANGE));
}

#[tokio::test]
async fn what_never_ends_is_not_waited_for_if_the_app_does_not_ask() {
    let stream = [("content-type", "Text/Event-Stream; charset=utf-8"), ("etag", "x")];
    let seen = by_us(200, &stream, TOKEN).await.unwrap();
    assert_eq!((seen.body.as_str(), seen.grant.is_some()), (TOKEN, false), "it was not looked at");
    assert!(!by_app(200, &stream, TOKEN).await.unwrap().body.contains("0123456789abcdef"));
    assert_eq!(by_us(200, &[("content-type", "text/plain")], TOKEN).await.unwrap().body, PLAIN);
}

#[tokio::test]
async fn what_tells_of_the_bytes_goes_with_them() {
    let tells = ["etag", "content-md5", "digest", "content-digest", "repr-digest"].map(|name| (name, "x"));
    let told = |seen: &Seen| OF_THE_BYTES.iter().filter(|name| seen.headers.contains_key(*name)).count();
    assert_eq!(told(&by_app(200, &tells, PLAIN).await.unwrap()), tells.len(), "they are the API's");
    assert_eq!(told(&by_app(200, &tells, TOKEN).await.unwrap()), 0);
    assert_eq!(told(&by_us(200, &tells, TOKEN).await.unwrap()), 0);
    let coded: Vec<_> = tells.into_iter().chain([("content-encoding", "identity")]).collect();
    assert_eq!(told(&by_app(200, &coded, PLAIN).await.unwrap()), 0, "without its coding it is another one");
}

#[tokio::test]
async fn an_answer_without_success_keeps_its_status_whatever_it_holds() {
    let page = "<h1>token</h1>";
    for status in [400, 500] {
        assert_eq!(by_app(status, &[], page).await.unwrap().body, page, "a page for people");
        let seen = by_app(status, &[("x-word", "its own"), ("content-encoding", "gzip")], "{\"token\":")
            .await
            .unwrap();
        assert_eq!((seen.status, &seen.headers["x-word"]), (status, &HeaderValue::from_static("its own")));
        let envelope: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
        assert_eq!(
            (&envelope["statusCode"], &envelope["metadata"]["path"]),
            (&status.into(), &"/cart/update".into())
        );
        assert!(envelope["message"].as_str().unwrap().contains("token"), "{envelope}");
        assert!(!seen.headers.contains_key(CONTENT_ENCODING) && seen.headers.contains_key("proxy-status"));
        let seen = by_app(status, &[], TOKEN).await.unwrap();
        assert!(!seen.body.contains("0123456789abcdef") && seen.grant.is_some());
    }
    for status in [200, 302] {
        assert!(by_app(status, &[], page).await.is_err(), "an answer with success is none for people");
        assert!(by_app(status, &[], "{\"token\":").await.is_err());
    }
}

//! Answers that no API should give: what is not plainly HTTP does not pass, and whatever came, the next
//! request gets its own answer.

mod bodies;
mod excess;
mod heads;
mod redirects;

use crate::support::client::Client;
use crate::support::daemon::{Builder, Daemon};
use crate::support::own_answer;
use crate::support::upstream::Upstream;

/// What an API does with a request, and what the client must see of it.
struct Row {
    /// How the request begins.
    method: &'static str,
    /// What is sent in answer to it, byte by byte.
    answer: Vec<u8>,
    /// Whether the API then closes the connection.
    closes: bool,
    sees: Sees,
}

/// What the client sees.
#[derive(Debug, Clone, Copy)]
enum Sees {
    /// An answer with this status and body. The connection to the API may go on.
    Whole(u16, &'static str),
    /// An answer with this status and body, while the connection to the API must not go on.
    Last(u16, &'static str),
    /// Our 502, with this reason, while the connection to the API must not go on.
    Refused(&'static str),
    /// The same, of an answer that can be told from the next one.
    Declined(&'static str),
    /// A head with this status, the begin of a body, and a connection that closes too soon.
    BrokenOff(u16, &'static str),
}

impl Row {
    /// An answer to GET by an API that keeps the connection.
    fn new(answer: impl AsRef<[u8]>, sees: Sees) -> Self {
        Self { method: "GET", answer: answer.as_ref().to_owned(), closes: false, sees }
    }

    fn to(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    fn closed(self) -> Self {
        Self { closes: true, ..self }
    }
}

async fn proxy() -> (Upstream, Daemon) {
    let upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    (upstream, daemon)
}

/// Runs each row, and behind each a request with an answer as it should be.
async fn check(rows: impl IntoIterator<Item = Row>) {
    let (mut upstream, daemon) = proxy().await;
    for (number, row) in rows.into_iter().enumerate() {
        let shown = String::from_utf8_lossy(&row.answer[..row.answer.len().min(200)]).into_owned();
        eprintln!("{number}: {} {shown:?} → {:?}", row.method, row.sees);
        let head = format!("{} /row HTTP/1.1\nHost: localhost\nConnection: close", row.method);
        let client = Client::request(&daemon, &head).await;
        let mut call = upstream.call().await;
        call.send(&row.answer).await;
        let kept = if row.closes {
            drop(call);
            None
        } else {
            Some(call)
        };
        see(client, row.method, row.sees).await;

        let path = format!("/next-{number}");
        let mut client = Client::request(&daemon, &format!("GET {path} HTTP/1.1\nHost: localhost")).await;
        let next = match (kept, row.sees) {
            (Some(call), Sees::Whole(..) | Sees::Declined(_)) => tokio::select! {
                next = upstream.call() => next,
                Some(next) = call.next() => next,
            },
            (Some(call), _) => {
                let next = upstream.call().await;
                call.closed().await;
                next
            }
            (None, _) => upstream.call().await,
        };
        assert_eq!(next.line(), format!("GET {path} HTTP/1.1"));
        next.last_answer("200 OK", "", &path).await;
        let answer = client.answer().await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, path.as_str()));
    }
    assert!(!upstream.has_calls(), "a request was sent twice");
}

async fn see(mut client: Client, method: &str, sees: Sees) {
    match sees {
        Sees::Whole(status, body) | Sees::Last(status, body) => {
            let has_body = method != "HEAD" && !matches!(status, 204 | 304);
            let answer = if has_body { client.answer().await } else { client.answer_head().await };
            assert_eq!((answer.status.as_u16(), answer.text()), (status, body), "{answer:?}");
            assert!(answer.header("x-liquid-proxy-error").is_empty());
            assert_eq!(client.until_closed().await, b"", "more than one answer");
        }
        Sees::Refused(_) | Sees::Declined(_) if method == "HEAD" => {
            let head = client.answer_head().await;
            assert_eq!(head.status, 502);
            assert_eq!(head.header("x-liquid-proxy-error"), ["upstream_protocol_error"]);
            assert_eq!(client.until_closed().await, b"", "a body");
        }
        Sees::Refused(reason) | Sees::Declined(reason) => {
            let answer = client.answer().await;
            let message =
                own_answer::check(&answer, "upstream_protocol_error", "http_protocol_error", "/row");
            assert_eq!(message, format!("the API's answer cannot be passed on: {reason}"));
            assert_eq!(client.until_closed().await, b"", "more than one answer");
        }
        Sees::BrokenOff(status, begin) => {
            let head = client.answer_head().await;
            assert_eq!(head.status.as_u16(), status);
            let body = String::from_utf8(client.until_closed().await).unwrap();
            match head.header("content-length")[..] {
                [length] => {
                    assert_eq!(body, begin);
                    assert!(body.len() < length.parse().unwrap(), "{length}: {body:?}");
                }
                _ => assert!(body.contains(begin) && !body.ends_with("0\r\n\r\n"), "{body:?}"),
            }
        }
    }
}

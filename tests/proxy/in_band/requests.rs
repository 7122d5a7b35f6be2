//! Whether a request asks for a refresh is told from its bytes, however they come.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Bench, FRESH, Seen, answer, masked};
use crate::support::within_limit;

/// Sends `pieces` as chunks, each once the API has got the one before it; returns head and body of the
/// answer as they came.
async fn chunked(bench: &mut Bench, pieces: &[&[u8]]) -> (String, String) {
    let mut stream = TcpStream::connect(bench.daemon.address()).await.unwrap();
    let head = "POST /cart/update HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut call, mut sent) = (None, 0);
    for piece in pieces {
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        stream.write_all(&chunk).await.unwrap();
        if call.is_none() {
            call = Some(bench.upstream.call().await);
        }
        sent += piece.len();
        // At least so many bytes: the chunks' own lengths come on top.
        call.as_mut().unwrap().body(sent).await;
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut call = call.unwrap();
    call.body_until(b"0\r\n\r\n").await;
    let body = answer();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    call.send(format!("{head}{body}").as_bytes()).await;

    let mut seen = String::new();
    within_limit("the answer ends", stream.read_to_string(&mut seen)).await.unwrap();
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn a_refresh_that_is_cut_by_chunks() {
    let mut bench = Bench::new().await;
    for pieces in [
        &[&br#"{"id":"c-1","ref"#[..], br#"resh":true}"#][..],
        &[br#"{"id":"c-1","r"#, b"e", b"f", b"r", b"e", b"s", b"h", br#"":true}"#],
        &[br#"{"id":"c-1","\u00"#, br#"72efresh":true}"#],
    ] {
        let (head, body) = chunked(&mut bench, pieces).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(body, masked(&answer()));
    }
}

#[tokio::test]
async fn a_refresh_at_the_end_of_a_large_request() {
    let mut bench = Bench::new().await;
    let filler = format!(r#"{{"items":"{}","#, "x".repeat(1024 * 1024));
    let (_, body) = chunked(&mut bench, &[filler.as_bytes(), br#""refr"#, br#"esh":true}"#]).await;
    assert_eq!(body, masked(&answer()));
    assert!(!bench.daemon.log().contains(FRESH));
}

/// Read whole, an answer could neither be larger than the limit nor begin before it ends.
#[tokio::test]
async fn without_a_refresh_the_answer_streams() {
    let mut bench = Bench::new().await;
    let url = bench.daemon.url("/catalog/search");
    let asking = tokio::spawn(super::client().post(url).body(r#"{"search":"gin"}"#).send());
    let mut call = bench.upstream.call().await;
    call.body(16).await;
    let length = 5 * 1024 * 1024;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\nfirst");
    call.send(head.as_bytes()).await;

    let mut answer = asking.await.unwrap().unwrap();
    let first = within_limit("the first piece comes", answer.chunk()).await.unwrap().unwrap();
    assert_eq!(&first[..], b"first", "it came before the rest was sent");
    let rest = vec![b'x'; length - first.len()];
    let mut sending = call.into_stream();
    let sending = tokio::spawn(async move { sending.write_all(&rest).await });
    let seen = within_limit("the rest comes", Seen::of(answer)).await;
    sending.await.unwrap().unwrap();
    assert_eq!(seen.body.len(), length - first.len());
    assert_eq!(seen.headers["content-length"], length.to_string());
}

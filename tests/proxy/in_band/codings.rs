//! However an answer is coded on its way, the token in it is found.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::{ASKING, Bench, Seen, answer, masked};

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn brotli(body: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    brotli::BrotliCompress(&mut &*body, &mut coded, &Default::default()).unwrap();
    coded
}

/// What RFC 9110, section 8.4.1.2, calls `deflate`.
fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// What some servers send as `deflate` all the same.
fn raw_deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 0).unwrap()
}

type Encode = fn(&[u8]) -> Vec<u8>;

/// Names are case-insensitive and `x-gzip` is gzip (RFC 9110, section 8.4.1).
const CODINGS: [(&str, Encode); 7] = [
    ("gzip", gzip),
    ("x-gzip", gzip),
    ("GZip", gzip),
    ("br", brotli),
    ("deflate", zlib),
    ("zstd", zstd),
    ("identity", <[u8]>::to_vec),
];

#[tokio::test]
async fn each_coding_is_taken_off() {
    let mut bench = Bench::new().await;
    for (coding, encode) in CODINGS {
        let headers = format!("content-encoding: {coding}\r\ncontent-type: application/json\r\n");
        let seen = bench.refreshed(&headers, &encode(answer().as_bytes())).await;
        seen.assert_is(&masked(&answer()));
    }
}

#[tokio::test]
async fn a_coding_that_is_not_what_it_says_is_not_passed() {
    let mut bench = Bench::new().await;
    let plain = answer().into_bytes();
    let (gzip, mut cut) = (gzip(&plain), gzip(&plain));
    cut.truncate(gzip.len() / 2);
    for (coding, body) in [
        ("gzip", &plain),
        ("gzip", &cut),
        ("br", &gzip),
        ("zstd", &plain),
        ("deflate", &raw_deflate(&plain)),
        ("gzip, br", &gzip),
        // As if the second were not there, the decoder would take off the first.
        ("br\r\ncontent-encoding: gzip", &brotli(&gzip)),
    ] {
        let headers = format!("content-encoding: {coding}\r\n");
        let seen = bench.refreshed(&headers, body).await;
        assert_eq!(seen.status, 502, "{coding}");
        assert_eq!(seen.headers["x-liquid-proxy-error"], "upstream_protocol_error");
    }
}

#[tokio::test]
async fn a_coding_that_is_not_told_is_not_passed() {
    let mut bench = Bench::new().await;
    for (coding, encode) in CODINGS.iter().filter(|(coding, _)| *coding != "identity") {
        let seen = bench.refreshed("", &encode(answer().as_bytes())).await;
        assert_eq!(seen.status, 502, "{coding}");
    }
}

#[tokio::test]
async fn chunks_are_put_together() {
    let mut bench = Bench::new().await;
    for coded in [answer().into_bytes(), gzip(answer().as_bytes())] {
        let mut body = Vec::new();
        for piece in coded.chunks(7) {
            body.extend(format!("{:x}\r\n", piece.len()).into_bytes());
            body.extend(piece);
            body.extend(b"\r\n");
        }
        body.extend(b"0\r\n\r\n");
        let coding = if coded.starts_with(b"{") { "" } else { "content-encoding: gzip\r\n" };
        let headers = format!("{coding}transfer-encoding: chunked\r\n");
        let seen = Seen::of(bench.exchange(ASKING, &headers, &body).await).await;
        seen.assert_is(&masked(&answer()));
        bench.assert_nothing_leaks(&seen);
    }
}

#[tokio::test]
async fn without_a_length_the_end_of_the_connection_is_the_end() {
    let mut bench = Bench::new().await;
    let seen = Seen::of(bench.exchange(ASKING, "", answer().as_bytes()).await).await;
    seen.assert_is(&masked(&answer()));
    bench.assert_nothing_leaks(&seen);
}

/// Nobody asked for a token: the answer's bytes are the app's business.
#[tokio::test]
async fn without_a_refresh_a_coded_answer_passes_as_it_is() {
    let mut bench = Bench::new().await;
    let coded = gzip(br#"{"products":[]}"#);
    let headers = format!("content-encoding: gzip\r\ncontent-length: {}\r\n", coded.len());
    let seen = Seen::of(bench.exchange(r#"{"search":"gin"}"#, &headers, &coded).await).await;
    assert_eq!((&seen.body, seen.headers["content-encoding"].as_bytes()), (&coded, &b"gzip"[..]));
}

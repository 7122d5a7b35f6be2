//! HTTP/2 with prior knowledge (RFC 9113): what its frames can say and lines cannot. Towards the API it all
//! becomes lines.

use super::frames::{self, Field, PSEUDO};
use super::row::Row;

const PATH: Field<'static> = (":path", "/MARK");

/// A GET with these headers behind those that every request has.
fn get(fields: &[Field<'_>]) -> Vec<u8> {
    frames::request(&[&PSEUDO[..], &[PATH], fields].concat())
}

/// A request with these instead of them.
fn with(fields: &[Field<'_>]) -> Vec<u8> {
    frames::request(&[fields, &[("x-mark", "MARK")]].concat())
}

/// A POST with these headers, in pieces.
fn post(fields: &[Field<'_>], rest: &[Vec<u8>]) -> Vec<u8> {
    let pseudo = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), PATH];
    [frames::head(&[&pseudo[..], fields].concat()), rest.concat()].concat()
}

pub fn rows() -> Vec<Row> {
    [pseudo(), odd_targets(), hosts(), fields(), bodies(), frames_out_of_order()]
        .concat()
        .into_iter()
        .map(Row::http2)
        .collect()
}

fn pseudo() -> Vec<Row> {
    let [method, scheme, authority] = PSEUDO;
    let refused = |name, fields: &[Field<'_>]| Row::refused(name, with(fields));
    vec![
        Row::passes("h2 GET", get(&[("x", "y")]), "GET /MARK [x: y]"),
        refused("h2 unknown pseudo header", &[method, scheme, authority, PATH, (":host", "x")]),
        refused("h2 pseudo header of answers", &[method, scheme, authority, PATH, (":status", "200")]),
        refused("h2 two paths", &[method, scheme, authority, PATH, (":path", "/MARK-b")]),
        refused("h2 two methods", &[method, (":method", "POST"), scheme, authority, PATH]),
        refused("h2 two authorities", &[method, scheme, authority, authority, PATH]),
        refused("h2 two schemes", &[method, scheme, scheme, authority, PATH]),
        refused("h2 no method", &[scheme, authority, PATH]),
        refused("h2 no scheme", &[method, authority, PATH]),
        refused("h2 no path", &[method, scheme, authority]),
        refused("h2 nothing", &[]),
        refused("h2 pseudo header behind others", &[method, scheme, authority, ("a", "b"), PATH]),
        refused("h2 pseudo header in capitals", &[method, scheme, authority, (":Path", "/MARK")]),
        refused("h2 pseudo header that is a colon", &[method, scheme, authority, PATH, (":", "x")]),
        refused("h2 method that is empty", &[(":method", ""), scheme, authority, PATH]),
        refused("h2 method with a space", &[(":method", "GET /evil HTTP/1.1"), scheme, authority, PATH]),
        refused(
            "h2 method with lines",
            &[(":method", "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET"), scheme, authority, PATH],
        ),
        refused("h2 scheme that is none", &[method, (":scheme", "ht tp"), authority, PATH]),
        refused("h2 scheme with a request", &[method, (":scheme", "http://evil.example/?"), authority, PATH]),
        Row::own("h2 scheme ftp", with(&[method, (":scheme", "ftp"), authority, PATH]), 400),
        Row::own("h2 CONNECT", with(&[(":method", "CONNECT"), authority]), 403),
        refused(
            "h2 CONNECT with a protocol",
            &[(":method", "CONNECT"), (":protocol", "websocket"), scheme, authority, PATH],
        ),
        Row::own("h2 TRACE", with(&[(":method", "TRACE"), scheme, authority, PATH]), 403),
    ]
}

fn odd_targets() -> Vec<Row> {
    let [method, scheme, authority] = PSEUDO;
    let refused = [
        ("h2 path without a slash", "MARK"),
        ("h2 path that is empty", ""),
        ("h2 path that is a URL", "http://evil.example/MARK"),
        ("h2 path with a space", "/MARK HTTP/1.1"),
        ("h2 path with lines", "/MARK HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
        ("h2 path with an LF", "/MARK\nX: y"),
        ("h2 path with a NUL", "/MARK\0"),
        ("h2 path with a tab", "/MARK\t"),
        ("h2 path with DEL", "/MARK\u{7f}"),
        ("h2 path that is a query", "?MARK"),
        ("h2 GET *", "*"),
    ];
    let rows =
        refused.map(|(name, path)| Row::refused(name, with(&[method, scheme, authority, (":path", path)])));
    let options = with(&[(":method", "OPTIONS"), scheme, authority, (":path", "*")]);
    let options = Row::passes("h2 OPTIONS *", options, "OPTIONS * [x-mark: MARK]");
    let fragment = with(&[method, scheme, authority, (":path", "/MARK#b")]);
    let fragment = Row::passes("h2 path with a fragment", fragment, "GET /MARK [x-mark: MARK]");
    rows.into_iter().chain([options, fragment]).collect()
}

fn hosts() -> Vec<Row> {
    let [method, scheme, _] = PSEUDO;
    let at = |authority: &str, more: &[Field<'_>]| {
        with(&[&[method, scheme, (":authority", authority), PATH], more].concat())
    };
    let own = |name, bytes: Vec<u8>| Row::own(name, bytes, 421);
    let arrives = "GET /MARK [x-mark: MARK]";
    vec![
        Row::passes("h2 Host like the authority", at("localhost", &[("host", "localhost")]), arrives),
        Row::passes(
            "h2 Host without an authority",
            with(&[method, scheme, PATH, ("host", "localhost")]),
            arrives,
        ),
        own("h2 authority of another", at("evil.example", &[])),
        own("h2 authority of another with our Host", at("evil.example", &[("host", "localhost")])),
        own("h2 our authority with another Host", at("localhost", &[("host", "evil.example")])),
        own("h2 Host twice", at("localhost", &[("host", "localhost"), ("host", "localhost")])),
        own("h2 no authority and no Host", with(&[method, scheme, PATH])),
        Row::own("h2 authority with a user", at("user@localhost", &[]), 421),
        Row::refused("h2 authority that is empty", at("", &[])),
        Row::refused("h2 authority with a path", at("localhost/x", &[])),
        Row::refused("h2 authority with lines", at("localhost\r\nX: y", &[])),
    ]
}

fn fields() -> Vec<Row> {
    let refused = [
        ("h2 name in capitals", "X-Upper", "a"),
        ("h2 name with a space", "x y", "a"),
        ("h2 name with a colon", "x:y", "a"),
        ("h2 name with lines", "x\r\ny", "a"),
        ("h2 name that is empty", "", "a"),
        ("h2 name with a NUL", "x\0", "a"),
        ("h2 value with lines", "x", "a\r\nHost: evil.example"),
        ("h2 value with an LF", "x", "a\nb"),
        ("h2 value with a CR", "x", "a\rb"),
        ("h2 value with a NUL", "x", "a\0b"),
        ("h2 value with a request", "x", "a\r\n\r\nGET /evil HTTP/1.1\r\n\r\n"),
        ("h2 Connection", "connection", "close"),
        ("h2 Connection: Authorization", "connection", "authorization"),
        ("h2 Transfer-Encoding", "transfer-encoding", "chunked"),
        ("h2 Keep-Alive", "keep-alive", "timeout=5"),
        ("h2 Proxy-Connection", "proxy-connection", "close"),
        ("h2 Upgrade", "upgrade", "websocket"),
        ("h2 TE: gzip", "te", "gzip"),
        ("h2 length that is odd", "content-length", "+5"),
        ("h2 length without a body", "content-length", "5"),
    ];
    let refused = refused.into_iter().map(|(name, field, value)| Row::refused(name, get(&[(field, value)])));
    let passes = [
        Row::passes(
            "h2 TE: trailers",
            get(&[("te", "trailers")]),
            "GET /MARK [connection: te; te: trailers]",
        ),
        Row::passes(
            "h2 Authorization",
            get(&[("authorization", "Bearer theirs"), ("authorization", "x")]),
            "GET /MARK",
        ),
        Row::passes("h2 key", get(&[("x-liquid-api-key", "theirs")]), "GET /MARK"),
        Row::passes(
            "h2 crumbs",
            get(&[("cookie", "a=b"), ("cookie", "c=d")]),
            "GET /MARK [cookie: a=b; c=d]",
        ),
    ];
    refused.chain(passes).collect()
}

fn bodies() -> Vec<Row> {
    let length = |length: &'static str| [("content-length", length)];
    let smuggled = "0\r\n\r\nGET /MARK-smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let trailers = |fields: &[Field<'_>]| [frames::piece("hello"), frames::request(fields)];
    let refused = |name, bytes: Vec<u8>| Row::refused(name, bytes);
    vec![
        Row::passes(
            "h2 length",
            post(&length("5"), &[frames::data("hello")]),
            "POST /MARK [content-length: 5] hello",
        ),
        Row::passes(
            "h2 no length",
            post(&[], &[frames::data("hello")]),
            "POST /MARK [transfer-encoding: chunked] hello",
        ),
        Row::passes(
            "h2 body that is the end and a request",
            post(&[], &[frames::data(smuggled)]),
            &format!("POST /MARK [transfer-encoding: chunked] {}", smuggled.as_bytes().escape_ascii()),
        ),
        Row::passes(
            "h2 trailers that would be ours",
            post(
                &[("trailer", "authorization, x-liquid-api-key, x-sum")],
                &trailers(&[("authorization", "a"), ("x-liquid-api-key", "b"), ("x-sum", "1")]),
            ),
            "POST /MARK [trailer: authorization, x-liquid-api-key, x-sum; transfer-encoding: chunked] hello {x-sum: 1}",
        ),
        Row::passes(
            "h2 length with zeros before it",
            post(&length("005"), &[frames::data("hello")]),
            "POST /MARK [content-length: 5] hello",
        ),
        Row::passes(
            "h2 length twice, equal",
            post(&[length("5"), length("5")].concat(), &[frames::data("hello")]),
            "POST /MARK [content-length: 5] hello",
        ),
        refused("h2 length as a list, equal", post(&length("5, 5"), &[frames::data("hello")])),
        refused("h2 length that is too short", post(&length("3"), &[frames::data("hello")])),
        refused("h2 length of 0 and a body", post(&length("0"), &[frames::data("hello")])),
        refused("h2 length that is too long", post(&length("50"), &[frames::data("hello")])),
        refused(
            "h2 length twice, different",
            post(&[length("5"), length("6")].concat(), &[frames::data("hello")]),
        ),
        refused("h2 length with a plus", post(&length("+5"), &[frames::data("hello")])),
        refused("h2 length as a list", post(&length("5, 6"), &[frames::data("hello")])),
        refused("h2 length that is empty", post(&length(""), &[frames::data("hello")])),
        // The library leaves such a header out, and tells nobody.
        Row::passes(
            "h2 trailers with a path",
            post(&[("trailer", "path")], &trailers(&[(":path", "/evil")])),
            "POST /MARK [trailer: path; transfer-encoding: chunked] hello",
        ),
        refused("h2 trailers with lines", post(&[("trailer", "x")], &trailers(&[("x", "a\r\nHost: x")]))),
    ]
}

fn frames_out_of_order() -> Vec<Row> {
    let [method, scheme, authority] = PSEUDO;
    let head = [method, scheme, authority, PATH];
    let rest = |fields: &[Field<'_>], stream| {
        frames::frame(frames::CONTINUATION, frames::END_HEADERS, stream, &frames::block(fields))
    };
    let refused = |name, bytes: Vec<u8>| Row::refused(name, bytes);
    vec![
        Row::passes(
            "h2 headers in two frames",
            [frames::unfinished(&head[..2]), rest(&[authority, PATH], frames::STREAM)].concat(),
            "GET /MARK",
        ),
        refused("h2 headers that another stream goes on", [frames::unfinished(&head), rest(&[], 5)].concat()),
        refused("h2 data of no request", frames::data("hello")),
        refused(
            "h2 table that is too large",
            frames::frame(1, 5, frames::STREAM, b"\x3f\xff\xff\xff\xff\x0f"),
        ),
        refused("h2 field of no table", frames::frame(1, 5, frames::STREAM, b"\xff\xff\x7f")),
        refused("h2 string longer than its frame", frames::frame(1, 5, frames::STREAM, b"\x00\x7f\xff\x7f")),
        refused("h2 Huffman code that ends badly", frames::frame(1, 5, frames::STREAM, b"\x00\x81\xff\x00")),
        refused("h2 frame that is too large", frames::frame(1, 5, frames::STREAM, &[0; 20_000])),
        refused("h2 stream 0", frames::frame(1, 5, 0, &frames::block(&head))),
    ]
}

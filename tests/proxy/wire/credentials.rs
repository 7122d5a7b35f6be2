//! Credentials of the client's own, and headers that try to take ours away. What every row must have, one
//! `Host` and one `Authorization` of ours, is checked for all of them.

use super::row::Row;

/// A GET with these lines.
fn get(lines: &str) -> String {
    format!("GET /MARK HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n")
}

pub fn rows() -> Vec<Row> {
    let plain = [
        ("Authorization of the client's", "Authorization: Bearer theirs"),
        ("Authorization in odd case", "aUTHORIZATION: Bearer theirs"),
        ("Authorization twice", "Authorization: Bearer theirs\r\nAuthorization: Basic eDp5"),
        ("Authorization in three cases", "authorization: a\r\nAUTHORIZATION: b\r\nAuthorization: c"),
        ("Authorization that is empty", "Authorization:"),
        ("Authorization of odd bytes", "Authorization: Bearer \u{ff}\u{e9}"),
        ("Authorization of many bytes", &format!("Authorization: {}", "a".repeat(8000))),
        ("key of the client's", "X-LIQUID-API-KEY: theirs"),
        ("key in odd case", "x-Liquid-aPi-kEY: theirs"),
        ("key twice", "X-LIQUID-API-KEY: theirs\r\nx-liquid-api-key: another"),
        ("Proxy-Authorization", "Proxy-Authorization: Basic eDp5"),
        ("Connection: Authorization", "Connection: Authorization"),
        ("Connection: Authorization and one", "Connection: authorization\r\nAuthorization: Bearer theirs"),
        ("Connection: key and Host", "Connection: X-LIQUID-API-KEY, Host\r\nX-LIQUID-API-KEY: theirs"),
        ("Connection: Host", "Connection: Host, close"),
        (
            "Connection in many lines",
            "Connection: authorization\r\nConnection: host\r\nConnection: x\r\nX: y",
        ),
        ("Connection of commas", "Connection: ,,, ,Authorization,"),
        ("Connection of itself", "Connection: Connection, Authorization"),
        ("Connection of odd letters", "Connection: \u{ff}, a b, Authorization"),
        ("Connection of many names", &format!("Connection: {}Authorization", "x,".repeat(2000))),
        (
            "what belongs to a connection",
            "Keep-Alive: a\r\nProxy-Connection: b\r\nTE: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: c",
        ),
    ];
    let plain = plain.into_iter().map(|(name, lines)| match lines.contains("close") {
        true => Row::passes(name, get(lines), "GET /MARK").last(),
        false => Row::passes(name, get(lines), "GET /MARK"),
    });
    let others = [
        Row::passes(
            "Authorization with an underscore",
            get("Authorization_: a"),
            "GET /MARK [authorization_: a]",
        ),
        Row::passes(
            "Authorization with an X before it",
            get("X-Authorization: a"),
            "GET /MARK [x-authorization: a]",
        ),
        Row::passes("Cookie twice", get("Cookie: a=b\r\nCookie: c=d"), "GET /MARK [cookie: a=b; c=d]"),
        Row::passes(
            "Connection: cookie",
            get("Connection: cookie\r\nCookie: a=b\r\nX: y"),
            "GET /MARK [x: y]",
        ),
        Row::passes(
            "TE: trailers",
            get("TE: trailers\r\nConnection: TE"),
            "GET /MARK [connection: te; te: trailers]",
        ),
        Row::passes(
            "TE: trailers and Connection: Authorization",
            get("TE: trailers\r\nConnection: TE, Authorization"),
            "GET /MARK [connection: te; te: trailers]",
        ),
        Row::refused("Authorization with a space before its colon", get("Authorization : Bearer theirs")),
        Row::refused("Authorization in a fold", get("X: y\r\n Authorization: Bearer theirs")),
        Row::own(
            "placeholder for a token",
            "GET /api/authentication HTTP/1.1\r\nHost: localhost\r\nX: MARK\r\n\r\n",
            200,
        ),
        Row::own(
            "placeholder for a token, escaped",
            "GET /MARK/..;/%61pi//authentication HTTP/1.1\r\nHost: localhost\r\n\r\n",
            200,
        ),
    ];
    plain.chain(others).collect()
}

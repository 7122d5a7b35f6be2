//! The API, and the way to it.

use std::time::Duration;

use super::{HOUR, Key, SHORTEST_TIMEOUT};
use crate::config::Http2;
use crate::config::kind::{BaseUrl, Choice, FilePath, HttpProxy, List, NoProxy, Switch, Time};

pub(in crate::config) static UPSTREAM_BASE_URL: Key<BaseUrl> = Key {
    flag: Some("--upstream-base-url"),
    ..Key::new(
        "upstream.base_url",
        None,
        BaseUrl,
        "The API. The environment sets it; in the sandbox it is the embedded API.",
    )
};

pub(in crate::config) static UPSTREAM_CA_FILE: Key<FilePath> = Key::new(
    "upstream.ca_file",
    None,
    FilePath,
    "PEM certificates that are trusted beside the system's roots.",
);

/// May hold a password, so it has no flag.
pub(in crate::config) static UPSTREAM_PROXY: Key<HttpProxy> = Key::new(
    "upstream.proxy",
    None,
    HttpProxy,
    "The HTTP proxy on the way to the API, for tokens and requests alike. Without it `HTTPS_PROXY` and `ALL_PROXY` are looked at.",
);

pub(in crate::config) static UPSTREAM_NO_PROXY: Key<List<NoProxy>> = Key::new(
    "upstream.no_proxy",
    Some("[]"),
    List(NoProxy),
    "Where the API is reached without the proxy. Without it `NO_PROXY` is looked at.",
);

pub(in crate::config) static UPSTREAM_CONNECT_TIMEOUT: Key<Time> = Key::new(
    "upstream.connect_timeout",
    Some(r#""5s""#),
    Time { min: SHORTEST_TIMEOUT, max: Duration::from_secs(5 * 60) },
    "For name lookup, TCP, a proxy and TLS together.",
);

pub(in crate::config) static UPSTREAM_RESPONSE_TIMEOUT: Key<Time> = Key::new(
    "upstream.response_timeout",
    Some(r#""60s""#),
    Time { min: SHORTEST_TIMEOUT, max: HOUR },
    "From the request's last byte to the answer's head.",
);

pub(in crate::config) static UPSTREAM_IDLE_TIMEOUT: Key<Time> = Key::new(
    "upstream.idle_timeout",
    Some(r#""60s""#),
    Time { min: SHORTEST_TIMEOUT, max: HOUR },
    "Between two pieces of a body, in either direction.",
);

pub(in crate::config) static UPSTREAM_HTTP2: Key<Choice<Http2>> = Key::new(
    "upstream.http2",
    Some(r#""auto""#),
    Choice(&[("auto", Http2::Auto), ("never", Http2::Never)]),
    "`auto` lets the API choose HTTP/2 (by ALPN); `never` speaks HTTP/1.1 only.",
);

pub(in crate::config) static UPSTREAM_SEND_API_KEY: Key<Switch> = Key::new(
    "upstream.send_api_key",
    Some("false"),
    Switch,
    "Whether each request also bears `X-LIQUID-API-KEY`, as the vendor's SDK has it.",
);

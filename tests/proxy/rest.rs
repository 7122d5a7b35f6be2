//! Connections that nobody asks anything.

mod begins;

use crate::support::daemon::{Builder, Daemon};
use crate::support::upstream::Upstream;

const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn proxy(settings: &[(&str, &str)]) -> (Upstream, Daemon) {
    let upstream = Upstream::start().await;
    let builder = Builder::new(&upstream.base_url());
    let builder = settings.iter().fold(builder, |builder, (key, value)| builder.set(key, value));
    (upstream, builder.ready().await)
}

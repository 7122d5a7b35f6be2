//! How much, how many, how long: what exceeds a limit is answered by the proxy.

mod sizes;
mod times;
mod unreachable;

use crate::support::client::Client;
use crate::support::daemon::{Builder, Daemon};
use crate::support::upstream::Upstream;

/// A proxy with some keys of its configuration set.
async fn proxy(settings: &[(&str, &str)]) -> (Upstream, Daemon) {
    let upstream = Upstream::start().await;
    let builder = Builder::new(&upstream.base_url());
    let builder = settings.iter().fold(builder, |builder, (key, value)| builder.set(key, value));
    (upstream, builder.ready().await)
}

async fn get(daemon: &Daemon) -> Client {
    Client::request(daemon, "GET /x HTTP/1.1\nHost: localhost").await
}

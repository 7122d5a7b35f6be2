//! How much, how many, how long: what exceeds a limit is answered by the proxy.

mod connections;
mod drain;
mod floods;
mod heads;
mod readers;
mod sizes;
mod times;
mod unreachable;

use crate::support::client::Client;
use crate::support::daemon::{Builder, Daemon};
use crate::support::eventually;
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

/// Waits until so many connections were closed for this reason.
async fn closed(daemon: &Daemon, reason: &str, count: u32) {
    let name = format!(r#"liquid_proxy_connections_closed_total{{reason="{reason}"}}"#);
    let counted = async || (daemon.metric(&name).await == f64::from(count)).then_some(());
    eventually(&format!("{count} closed for {reason}"), counted).await;
}

/// Waits until so many connections are open.
async fn open(daemon: &Daemon, count: u32) {
    let open =
        async || (daemon.metric("liquid_proxy_connections_open").await == f64::from(count)).then_some(());
    eventually(&format!("{count} connections are open"), open).await;
}

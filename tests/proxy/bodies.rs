//! Bodies and their framing, in both directions, and what a connection is good for afterwards.

mod answers;
mod connections;
mod requests;

use crate::support::came_to_its_end;
use crate::support::client::Client;
use crate::support::daemon::{Builder, Daemon};
use crate::support::upstream::{Call, Upstream};

async fn proxy() -> (Upstream, Daemon) {
    let upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    (upstream, daemon)
}

/// A request under way, and the call that it became.
async fn asked(upstream: &mut Upstream, daemon: &Daemon, head: &str) -> (Client, Call) {
    let client = Client::request(daemon, head).await;
    (client, upstream.call().await)
}

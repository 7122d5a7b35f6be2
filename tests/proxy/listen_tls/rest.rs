//! A client that speaks TLS rests like any other: `crate::rest`.

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::World;
use crate::rest::{GET, RESTS, said};
use crate::support::within_limit;

#[tokio::test]
async fn a_client_rests_and_asks_again() {
    let mut world = World::new(None, &[("shutdown.drain_timeout", "5m")]).await;
    let mut stream = world.authority.connect(&world.daemon, None, b"http/1.1").await.unwrap();
    for time in 1..=3 {
        stream.write_all(GET).await.unwrap();
        world.upstream.call().await.last_answer("200 OK", "", "answer").await;
        let mut read = Vec::new();
        while !read.ends_with(b"answer") {
            assert!(within_limit("it is answered", stream.read_buf(&mut read)).await.unwrap() > 0);
        }
        said(&world.daemon, RESTS, time).await;
    }
    world.daemon.signal(Signal::TERM);
    // An end without TLS's own would be an error.
    assert_eq!(within_limit("it is closed", stream.read(&mut [0])).await.unwrap(), 0);
    assert_eq!(world.daemon.ends().await.code(), Some(0));
}

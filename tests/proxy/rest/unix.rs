//! Rests on a Unix socket.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{GET, RESTS, said};
use crate::support::daemon::Builder;
use crate::support::upstream::Upstream;
use crate::support::within_limit;

#[tokio::test]
async fn a_client_rests_and_asks_again() {
    let mut upstream = Upstream::start().await;
    let builder = Builder::new(&upstream.base_url()).unix("listen.address");
    let path = builder.socket("listen.address");
    let daemon = builder.ready().await;
    let mut stream = UnixStream::connect(path).await.unwrap();
    for time in 1..=3 {
        stream.write_all(GET).await.unwrap();
        upstream.call().await.last_answer("200 OK", "", "answer").await;
        let mut read = Vec::new();
        while !read.ends_with(b"answer") {
            assert!(within_limit("it is answered", stream.read_buf(&mut read)).await.unwrap() > 0);
        }
        said(&daemon, RESTS, time).await;
    }
}

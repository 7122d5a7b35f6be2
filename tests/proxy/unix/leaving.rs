//! The drain: nobody new gets in, and who is in gets an answer.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use super::{Sockets, address, sandbox};
use crate::support::daemon::{Builder, client_at};
use crate::support::upstream::Upstream;
use crate::support::{eventually, within_limit};

#[tokio::test]
async fn the_request_in_flight_comes_to_its_end_and_a_successor_has_the_place() {
    let mut upstream = Upstream::start().await;
    let builder = Builder::new(&upstream.base_url()).set("shutdown.drain_timeout", "5m");
    let mut proxy = Sockets::ready(builder).await;
    let asking = tokio::spawn(client_at(Some(&proxy.app)).get("http://localhost/x").send());
    let call = upstream.call().await;
    let idle = UnixStream::connect(&proxy.app).await.unwrap();
    let open = async || (proxy.daemon.status().await["connections_open"] == 2).then_some(());
    eventually("both connections are served", open).await;

    proxy.daemon.signal(Signal::TERM);
    eventually("the path is gone", async || (!proxy.app.exists()).then_some(())).await;
    assert_eq!(proxy.daemon.admin("/readyz").await.0, 503, "operators still get in");
    let successor =
        Builder::new(&upstream.base_url()).set("listen.address", &address(&proxy.app)).ready().await;

    call.last_answer("200 OK", "", "{}").await;
    assert_eq!(asking.await.unwrap().unwrap().status(), 200);
    assert_eq!(proxy.daemon.ends().await.code(), Some(0));
    assert!(proxy.app.exists() && !proxy.admin.exists(), "the successor's stays");
    let asking = tokio::spawn(client_at(Some(&proxy.app)).get("http://localhost/y").send());
    upstream.call().await.last_answer("200 OK", "", "{}").await;
    assert_eq!(asking.await.unwrap().unwrap().status(), 200);
    drop((idle, successor));
}

/// One request on a connection of its own; `None` when there is no way in any more.
async fn ask_once(socket: &Path) -> Option<String> {
    let mut stream = UnixStream::connect(socket).await.ok()?;
    let request = b"GET /users/fetch/nobody HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut answer = String::new();
    let asked = async {
        stream.write_all(request).await?;
        stream.read_to_string(&mut answer).await
    };
    match within_limit("an answer comes", asked).await {
        Ok(_) => Some(answer),
        Err(error) => Some(format!("{error}, after {answer:?}")),
    }
}

/// A client that got in is served, however late it was: it is in the system's queue, or just out of it.
#[tokio::test]
async fn who_got_in_is_served() {
    let sandbox = sandbox().await;
    let mut proxy = Sockets::ready(Builder::new(&sandbox.base_url())).await;
    let served = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..16 {
        let (served, socket) = (served.clone(), proxy.app.clone());
        clients.spawn(async move {
            while let Some(answer) = ask_once(&socket).await {
                assert!(answer.starts_with("HTTP/1.1 404 "), "{answer:?}");
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let many = async || (served.load(Ordering::Relaxed) > 200).then_some(());
    eventually("many are served", many).await;
    proxy.daemon.signal(Signal::TERM);
    within_limit("all clients end", clients.join_all()).await;
    assert_eq!(proxy.daemon.ends().await.code(), Some(0));
}

/// Stopped, it accepts nothing: all of them wait in the system's queue when the signal comes.
#[tokio::test]
async fn who_waits_in_the_queue_is_served() {
    let sandbox = sandbox().await;
    let mut proxy = Sockets::ready(Builder::new(&sandbox.base_url())).await;
    proxy.daemon.signal(Signal::STOP);
    let request = b"GET /users/fetch/nobody HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut stream = UnixStream::connect(&proxy.app).await.unwrap();
        stream.write_all(request).await.unwrap();
        waiting.push(stream);
    }
    proxy.daemon.signal(Signal::TERM);
    proxy.daemon.signal(Signal::CONT);
    for mut stream in waiting {
        let mut answer = String::new();
        within_limit("the answer comes", stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer:?}");
    }
    assert_eq!(proxy.daemon.ends().await.code(), Some(0));
}

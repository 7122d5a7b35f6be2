//! The program's end, and what keeps it from beginning.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::daemon::{Builder, Daemon, client};
use crate::support::upstream::{Call, Upstream};
use crate::support::{eventually, within_limit};

type Asking = tokio::task::JoinHandle<reqwest::Result<reqwest::Response>>;

/// A request that the API has got and not answered.
async fn in_flight(daemon: &Daemon, upstream: &mut Upstream) -> (Asking, Call) {
    let asking = tokio::spawn(client().get(daemon.url("/users/fetch/1")).send());
    (asking, upstream.call().await)
}

async fn answered(asking: Asking, call: Call) -> u16 {
    call.answer("200 OK", "", "{}").await;
    within_limit("the request is answered", asking).await.unwrap().unwrap().status().as_u16()
}

async fn stops_accepting(daemon: &Daemon) {
    let refused = async || TcpStream::connect(daemon.address()).await.is_err().then_some(());
    eventually("the port is closed", refused).await;
}

async fn drains_after(signal: Signal) {
    let mut upstream = Upstream::start().await;
    let mut daemon = Builder::new(&upstream.base_url()).ready().await;
    let (asking, call) = in_flight(&daemon, &mut upstream).await;
    daemon.signal(signal);
    stops_accepting(&daemon).await;
    assert_eq!(answered(asking, call).await, 200);
    assert_eq!(daemon.ends().await.code(), Some(0));
    assert!(daemon.log().contains("\"drained\""), "{}", daemon.log());
}

#[tokio::test]
async fn sigterm_lets_the_request_in_flight_come_to_its_end() {
    drains_after(Signal::TERM).await;
}

#[tokio::test]
async fn sigint_does_the_same() {
    drains_after(Signal::INT).await;
}

/// The delay is as long as can be, so that all of this happens within it.
#[tokio::test]
async fn readiness_goes_first_and_requests_are_served_during_the_delay() {
    let mut upstream = Upstream::start().await;
    let mut daemon = Builder::new(&upstream.base_url()).set("shutdown.delay", "5m").ready().await;
    let (early, early_call) = in_flight(&daemon, &mut upstream).await;
    daemon.signal(Signal::TERM);
    let draining = async || (daemon.admin("/readyz").await.0 == 503).then_some(());
    eventually("readiness goes", draining).await;
    assert_eq!(daemon.admin("/readyz").await.1, "listener: draining\n");
    assert_eq!(daemon.admin("/livez").await.0, 200);

    let (late, late_call) = in_flight(&daemon, &mut upstream).await;
    assert_eq!(answered(late, late_call).await, 200, "on a connection made after the signal");
    assert_eq!(answered(early, early_call).await, 200);

    // Before that, a signal is taken for the same one.
    eventually("the drain begins", async || daemon.log().contains("\"draining\"").then_some(())).await;
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await.code(), Some(1), "a second signal ends it at once");
}

#[tokio::test]
async fn the_delay_comes_to_its_end() {
    let upstream = Upstream::start().await;
    let mut daemon = Builder::new(&upstream.base_url()).set("shutdown.delay", "1s").ready().await;
    let signalled = Instant::now();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await.code(), Some(0));
    assert!(signalled.elapsed() >= Duration::from_secs(1), "after {:?}", signalled.elapsed());
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_broken_off() {
    let mut upstream = Upstream::start().await;
    let mut daemon = Builder::new(&upstream.base_url()).set("shutdown.drain_timeout", "300ms").ready().await;
    let (asking, call) = in_flight(&daemon, &mut upstream).await;
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await.code(), Some(1));
    assert!(asking.await.unwrap().is_err());
    call.closed().await;
    assert!(!upstream.has_calls(), "it was sent again");
    assert!(daemon.log().contains("shutdown.drain_timeout was over"), "{}", daemon.log());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut upstream = Upstream::start().await;
    let mut daemon = Builder::new(&upstream.base_url()).set("shutdown.drain_timeout", "5m").ready().await;
    let (asking, _call) = in_flight(&daemon, &mut upstream).await;
    daemon.signal(Signal::TERM);
    stops_accepting(&daemon).await;
    daemon.signal(Signal::INT);
    assert_eq!(daemon.ends().await.code(), Some(1));
    assert!(asking.await.unwrap().is_err());
}

/// A connection without a request under way is nothing to wait for, whatever it has seen before.
#[tokio::test]
async fn idle_connections_do_not_hold_the_drain() {
    let mut upstream = Upstream::start().await;
    // The drain would outlast the test if it waited for one of them.
    let mut daemon = Builder::new(&upstream.base_url()).set("shutdown.drain_timeout", "5m").ready().await;
    let silent = TcpStream::connect(daemon.address()).await.unwrap();
    let mut used = TcpStream::connect(daemon.address()).await.unwrap();
    used.write_all(b"GET /users/fetch/1 HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let answering = upstream.call().await.answer("200 OK", "", "{}").await;
    let mut answer = [0; 15];
    within_limit("the answer comes", used.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let open = async || (daemon.status().await["connections_open"] == 2).then_some(());
    eventually("both connections are served", open).await;

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await.code(), Some(0));
    assert!(answering.next().await.is_none(), "a request came from nowhere");
    drop((silent, used));
}

#[tokio::test]
async fn a_taken_port_is_named() {
    for key in ["listen.address", "admin.address"] {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let builder = Builder::new("http://127.0.0.1:1").set(key, &address.to_string());
        let (code, stdout, stderr) = builder.run(&["run"]).await;
        assert_eq!((code, stdout.as_str()), (69, ""), "{stderr}");
        let port = address.port();
        let expected = format!("cannot listen on {address} ({key}): port {port} is taken by another process");
        assert!(stderr.contains(&expected), "{stderr}");
    }
}

#[tokio::test]
async fn ports_that_were_found_are_told() {
    let upstream = Upstream::start().await;
    let daemon = Builder::new(&upstream.base_url()).ready().await;
    // The harness has them from the log.
    assert!(daemon.address().port() != 0 && daemon.admin_address().port() != 0);
    let status = daemon.status().await;
    assert_eq!(status["listen"], daemon.address().to_string());
    assert_eq!(status["admin"], daemon.admin_address().to_string());
}

/// A proxy that is started while another drains gets the port as soon as that one stops accepting.
#[tokio::test]
async fn the_port_is_free_while_the_last_requests_end() {
    let mut upstream = Upstream::start().await;
    let mut daemon = Builder::new(&upstream.base_url()).ready().await;
    let (asking, call) = in_flight(&daemon, &mut upstream).await;
    daemon.signal(Signal::TERM);
    stops_accepting(&daemon).await;
    let address = daemon.address().to_string();
    let next = Builder::new(&upstream.base_url()).set("listen.address", &address).ready().await;
    assert_eq!(next.address(), daemon.address());
    assert_eq!(answered(asking, call).await, 200);
    assert_eq!(daemon.ends().await.code(), Some(0));
}

/// Who has no supervisor sees the exit code in a shell.
#[tokio::test]
async fn a_shell_sees_a_clean_exit() {
    let upstream = Upstream::start().await;
    let mut daemon = Builder::new(&upstream.base_url()).ready().await;
    let mut kill = Command::new("sh");
    kill.args(["-c", &format!("kill -TERM {}", daemon.pid())]);
    let (code, _, errors) = crate::support::daemon::output(kill).await;
    assert_eq!(code, 0, "{errors}");
    assert!(daemon.ends().await.success());
}

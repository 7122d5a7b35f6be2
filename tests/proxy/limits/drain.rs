//! The end of the program does not wait longer for a client than these limits say.

use rustix::process::Signal;

use super::readers::without_end;
use super::{get, open, proxy};
use crate::support::client::Client;

/// The drain would outlast the test if it waited for the client.
const FOR_EVER: (&str, &str) = ("shutdown.drain_timeout", "5m");

#[tokio::test]
async fn half_a_head_does_not_hold_it() {
    let (_upstream, mut daemon) = proxy(&[FOR_EVER, ("listen.head_timeout", "1s")]).await;
    let mut client = Client::connect(&daemon).await;
    client.send(b"GET /x HTT").await;
    open(&daemon, 1).await;
    daemon.signal(Signal::TERM);
    assert_eq!(client.answer().await.status, 408);
    assert_eq!(daemon.ends().await.code(), Some(0));
}

#[tokio::test]
async fn a_head_that_comes_in_time_is_served() {
    let (mut upstream, mut daemon) = proxy(&[FOR_EVER]).await;
    let mut client = Client::connect(&daemon).await;
    client.send(b"GET /x HTTP/1.1\r\n").await;
    open(&daemon, 1).await;
    daemon.signal(Signal::TERM);
    let closed = async || std::net::TcpStream::connect(daemon.address()).is_err().then_some(());
    crate::support::eventually("the port is closed", closed).await;
    client.send(b"Host: localhost\r\n\r\n").await;
    upstream.call().await.answer("200 OK", "", "served").await;
    assert_eq!(client.answer().await.text(), "served");
    assert_eq!(daemon.ends().await.code(), Some(0));
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_hold_it() {
    let (mut upstream, mut daemon) = proxy(&[FOR_EVER, ("listen.send_timeout", "1s")]).await;
    let client = get(&daemon).await;
    let sending = without_end(upstream.call().await);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await.code(), Some(0));
    sending.await.unwrap();
    drop(client);
}

/// Who speaks HTTP/2 has to agree to the end (RFC 9113, section 6.8), and may be silent instead.
#[tokio::test]
async fn a_client_that_says_nothing_to_the_end_does_not_hold_it() {
    let (_upstream, mut daemon) = proxy(&[FOR_EVER]).await;
    let mut client = Client::connect(&daemon).await;
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    client.until(b"\0\0\0\x04\x01\0\0\0\0").await;
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await.code(), Some(0));
}

//! Files that change while the proxy runs.

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::World;
use super::authority::Authority;
use crate::support::{eventually, within_limit};

async fn log_says(world: &World, text: &str) {
    eventually(text, async || world.daemon.log().contains(text).then_some(())).await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_and_open_connections_stay() {
    let mut world = World::new(None, &[]).await;
    let mut old = world.authority.connect(&world.daemon, None, b"http/1.1").await.unwrap();

    let next = Authority::new();
    next.sign(2020, 2120).put(world.files.path());
    log_says(&world, "the certificates have changed").await;
    let refused = world.authority.connect(&world.daemon, None, b"http/1.1").await.unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
    next.connect(&world.daemon, None, b"http/1.1").await.unwrap();

    old.write_all(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    world.upstream.call().await.last_answer("200 OK", "", "{}").await;
    let mut begin = [0; 15];
    within_limit("the old connection is served", old.read_exact(&mut begin)).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_broken_file_changes_nothing_but_the_log() {
    let world = World::new(None, &[]).await;
    std::fs::write(world.files.path().join("key.pem"), "canary, and no key").unwrap();
    log_says(&world, "the certificates in use stay as they were").await;
    world.daemon.signal(Signal::HUP);
    world.authority.connect(&world.daemon, None, b"http/1.1").await.unwrap();
    let other = Authority::new().sign(2020, 2120);
    std::fs::write(world.files.path().join("key.pem"), &other.key).unwrap();
    log_says(&world, "is not the key of the certificate").await;
    world.authority.connect(&world.daemon, None, b"http/1.1").await.unwrap();
    let log = world.daemon.log();
    assert!(log.contains("key.pem") && !log.contains("canary"), "{log}");
}

#[tokio::test]
async fn an_authority_that_is_taken_away_lets_nobody_in() {
    let (before, after) = (Authority::new(), Authority::new());
    let mut world = World::new(Some(&before), &[]).await;
    let shown = before.sign(2020, 2120);
    let client = world.client(Some(&shown));
    assert_eq!(world.ask(&client).await.unwrap().status, 200);

    std::fs::write(world.files.path().join("clients.pem"), after.pem()).unwrap();
    world.daemon.signal(Signal::HUP);
    log_says(&world, "the certificates have changed").await;
    // Neither does a session that goes on: the configuration is the one that has one.
    let mut refused = world.client(Some(&shown)).get(world.url()).send().await;
    assert!(refused.is_err(), "{refused:?}");
    let client = world.client(Some(&after.sign(2020, 2120)));
    assert_eq!(world.ask(&client).await.unwrap().status, 200);
    refused = world.client(Some(&shown)).get(world.url()).send().await;
    assert!(refused.is_err(), "{refused:?}");
}

//! Where a key may be, and who tells that it has changed.

use std::time::Instant;

use liquid_auth_proxy::sandbox::{DEFAULT_ORDERS_PASSWORD, DEFAULT_ORDERS_USER_ID};
use rustix::process::Signal;
use tempfile::TempDir;

use super::*;

/// A key behind a link to another directory, in which nobody watches for events.
async fn unwatched() -> (Sandbox, Daemon, TempDir) {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("key"), KEY).unwrap();
    let builder = Builder::new(&sandbox.base_url());
    fs::remove_file(builder.key_file()).unwrap();
    symlink(elsewhere.path().join("key"), builder.key_file()).unwrap();
    (sandbox, builder.ready().await, elsewhere)
}

#[tokio::test]
async fn without_file_events_the_timer_finds_it() {
    let (sandbox, daemon, elsewhere) = unwatched().await;
    is_tried_at_once(&sandbox, &daemon, || fs::write(elsewhere.path().join("key"), NEXT).unwrap()).await;
}

#[tokio::test]
async fn a_hangup_makes_it_look_at_once() {
    const ROTATIONS: u32 = 4;
    /// The timer needs so long for one.
    const LOOK_EVERY: Duration = Duration::from_secs(10);
    let (sandbox, daemon, elsewhere) = unwatched().await;
    let begun = Instant::now();
    for rotation in 1..=ROTATIONS {
        let key = format!("{NEXT}-{rotation}");
        sandbox.handle().set_api_key(&key);
        fs::write(elsewhere.path().join("key"), key).unwrap();
        daemon.signal(Signal::HUP);
        becomes_generation(&daemon, "api", 1 + u64::from(rotation)).await;
    }
    let took = begun.elapsed();
    assert!(took < LOOK_EVERY * (ROTATIONS - 1), "{ROTATIONS} rotations took {took:?}");
    assert_eq!(fetch(&daemon).await, 404);
    assert_eq!(sandbox.handle().authentications(), 1 + u64::from(ROTATIONS));
}

#[tokio::test]
async fn a_hangup_without_a_change_costs_nothing() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let daemon = Builder::new(&sandbox.base_url()).orders().ready().await;
    daemon.signal(Signal::HUP);
    let told = async || daemon.log().contains("looking at the files of the secrets").then_some(());
    eventually("it looks", told).await;
    assert_eq!(fetch(&daemon).await, 404);
    assert_eq!((sandbox.handle().authentications(), sandbox.handle().order_authentications()), (1, 1));
}

#[tokio::test]
async fn what_systemd_hands_over_is_found_by_its_name() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let credentials = tempfile::tempdir().unwrap();
    let file = credentials.path().join("api_key");
    fs::write(&file, KEY).unwrap();
    fs::write(credentials.path().join("orders_password"), DEFAULT_ORDERS_PASSWORD).unwrap();
    let daemon = Builder::new(&sandbox.base_url())
        .unset("credentials.api.key_file")
        .set("credentials.orders.user_id", DEFAULT_ORDERS_USER_ID)
        .variable("CREDENTIALS_DIRECTORY", credentials.path().to_str().unwrap())
        .ready()
        .await;
    assert_eq!(credential(&daemon, "api").await["source"], file.to_str().unwrap());
    assert_eq!(credential(&daemon, "orders").await["state"], "available");
    is_tried_at_once(&sandbox, &daemon, || fs::write(&file, NEXT).unwrap()).await;
    assert_eq!(sandbox.handle().order_authentications(), 1);
}

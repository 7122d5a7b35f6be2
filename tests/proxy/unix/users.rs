//! Whose connections are served.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{Sockets, address, call, sandbox};
use crate::support::daemon::{Builder, command, output};
use crate::support::{eventually, within_limit};

const TURNED_AWAY: &str = "liquid_proxy_connections_turned_away_total";

fn me() -> u32 {
    geteuid().as_raw()
}

#[tokio::test]
async fn a_user_who_is_not_named_is_turned_away_at_once() {
    let sandbox = sandbox().await;
    let another = (me() + 1).to_string();
    let builder = Builder::new(&sandbox.base_url()).set("listen.unix_allowed_uids", &another);
    let mut proxy = Sockets::ready(builder).await;
    for _ in 0..5 {
        // Not a byte, and no answer either, whatever is sent.
        let mut stream = UnixStream::connect(&proxy.app).await.unwrap();
        let _ = stream.write_all(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        let mut answer = Vec::new();
        let _ = within_limit("it is closed", stream.read_to_end(&mut answer)).await;
        assert_eq!(answer, b"");
    }
    assert_eq!(sandbox.handle().calls().iter().filter(|call| call.path_and_query == "/x").count(), 0);
    assert_eq!(proxy.daemon.metric(&format!("{TURNED_AWAY}{{listener=\"app\"}}")).await, 5.0);
    assert_eq!(proxy.daemon.metric("liquid_proxy_connections_total").await, 0.0);
    let log = proxy.log_to_its_end().await;
    let told: Vec<_> = log.lines().filter(|line| line.contains("unix_allowed_uids")).collect();
    let [told] = told[..] else { panic!("once for all of them, not {told:?}") };
    let told: serde_json::Value = serde_json::from_str(told).unwrap();
    assert_eq!((&told["level"], &told["uid"]), (&"WARN".into(), &me().into()), "{told}");
    assert_eq!(told["listener"], address(&proxy.app));
}

#[tokio::test]
async fn a_user_who_is_named_is_served() {
    let sandbox = sandbox().await;
    let users = format!("{}, {}", me() + 1, me());
    let builder = Builder::new(&sandbox.base_url())
        .set("listen.unix_allowed_uids", &users)
        .set("admin.unix_allowed_uids", &users);
    let proxy = Sockets::ready(builder).await;
    assert_eq!(call(&proxy.app).await.unwrap(), 404);
    let metrics = proxy.daemon.admin("/metrics").await.1;
    assert!(!metrics.contains(&format!("{TURNED_AWAY}{{")), "{metrics}");
}

#[tokio::test]
async fn operators_are_told_apart_as_well() {
    let sandbox = sandbox().await;
    let another = (me() + 1).to_string();
    let builder = Builder::new(&sandbox.base_url())
        .set("admin.unix_allowed_uids", &another)
        .unix("listen.address")
        .unix("admin.address");
    let (app, admin) = (builder.socket("listen.address"), builder.socket("admin.address"));
    let daemon = builder.start().await;
    let asking = ["healthcheck", "--admin-address", &address(&admin)];
    let (code, _, errors) = crate::support::daemon::run_to_end(&asking, &[]).await;
    assert!(code == 1 && errors.contains("no proxy answers at unix:"), "{code}: {errors}");
    let listener = format!("\"listener\":\"{}\"", address(&admin));
    eventually("the log tells", async || daemon.log().contains(&listener).then_some(())).await;
    assert_eq!(call(&app).await.unwrap(), 404, "the list of the one is not that of the other");
}

/// `healthcheck` as a process of another user.
async fn asked_by(uid: u32, directory: &Path, socket: &Path) -> (i32, String) {
    let program = directory.join("program");
    if !program.exists() {
        std::fs::copy(command().get_program(), &program).unwrap();
    }
    let mut command = Command::new(program);
    command.env_clear().uid(uid).gid(uid).args(["healthcheck", "--admin-address", &address(socket)]);
    let (code, _, errors) = output(command).await;
    (code, errors)
}

/// Who may become another user sees the system's own answer to who it is.
#[tokio::test]
async fn the_system_says_who_it_is() {
    if !geteuid().is_root() {
        return;
    }
    let (friend, stranger) = (54_321, 54_322);
    let sandbox = sandbox().await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let admin = directory.path().join("admin");
    let start = async |mode: &str, users: &str| {
        Builder::new(&sandbox.base_url())
            .set("admin.address", &address(&admin))
            .set("admin.unix_mode", mode)
            .set("admin.unix_allowed_uids", users)
            .ready()
            .await
    };
    let daemon = start("0666", &format!("0, {friend}")).await;
    assert_eq!(asked_by(friend, directory.path(), &admin).await, (0, String::new()));
    let (code, errors) = asked_by(stranger, directory.path(), &admin).await;
    assert!(code == 1 && errors.contains("no proxy answers"), "{code}: {errors}");
    let uid = format!("\"uid\":{stranger}");
    eventually("the log tells", async || daemon.log().contains(&uid).then_some(())).await;
    drop(daemon);

    // The mode comes before the list.
    let _daemon = start("0600", &format!("0, {friend}")).await;
    let (code, errors) = asked_by(friend, directory.path(), &admin).await;
    assert!(code == 1 && errors.contains("Permission denied"), "{code}: {errors}");
}

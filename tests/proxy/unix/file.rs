//! The socket's file: its mode, what stood there before, and what goes when.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use super::{Sockets, address, call, sandbox};
use crate::support::daemon::Builder;
use crate::support::eventually;

fn mode(path: &Path) -> Option<u32> {
    Some(fs::symlink_metadata(path).ok()?.mode() & 0o7777)
}

/// Looks at a path without a pause, for as long as a process starts.
fn modes_while(path: PathBuf, starting: Arc<AtomicBool>) -> std::thread::JoinHandle<BTreeSet<u32>> {
    std::thread::spawn(move || {
        let mut seen = BTreeSet::new();
        loop {
            let is_last = !starting.load(Ordering::Relaxed);
            seen.extend(mode(&path));
            if is_last {
                return seen;
            }
        }
    })
}

#[tokio::test]
async fn the_mode_is_never_wider_than_it_should_be_whatever_the_mask() {
    let sandbox = sandbox().await;
    for (mask, wanted, written) in
        [("000", 0o600, "0600"), ("000", 0o660, "0660"), ("077", 0o660, "0660"), ("777", 0o666, "0666")]
    {
        let builder = Builder::new(&sandbox.base_url())
            .unix("listen.address")
            .unix("admin.address")
            .set("listen.unix_mode", written)
            .set("admin.unix_mode", written)
            .shell(&format!("umask {mask}"));
        let paths = ["listen.address", "admin.address"].map(|key| builder.socket(key));
        let starting = Arc::new(AtomicBool::new(true));
        let looking = paths.clone().map(|path| modes_while(path, starting.clone()));
        let daemon = builder.ready().await;
        starting.store(false, Ordering::Relaxed);
        for (path, looking) in paths.iter().zip(looking) {
            let seen = looking.join().unwrap();
            assert!(seen.contains(&wanted), "{seen:?}");
            assert!(seen.iter().all(|mode| mode & !wanted == 0), "mask {mask}, {written}: {seen:?}");
            assert_eq!(mode(path), Some(wanted));
        }
        // The second reason why there was no moment: nothing that it creates is for others.
        if let Ok(status) = fs::read_to_string(format!("/proc/{}/status", daemon.pid())) {
            assert!(status.contains("\nUmask:\t0077\n"), "{status}");
        }
    }
}

#[tokio::test]
async fn what_a_killed_process_left_is_replaced() {
    let sandbox = sandbox().await;
    let directory = tempfile::tempdir().unwrap();
    let [app, admin] = ["app", "admin"].map(|name| directory.path().join(name));
    let builder = || {
        Builder::new(&sandbox.base_url())
            .set("listen.address", &address(&app))
            .set("admin.address", &address(&admin))
    };
    let mut first = builder().ready().await;
    first.signal(Signal::KILL);
    assert_eq!(first.ends().await.code(), None);
    assert!(UnixStream::connect(&app).is_err() && app.exists() && admin.exists());

    let _second = builder().ready().await;
    assert_eq!(call(&app).await.unwrap(), 404);
    let names: BTreeSet<_> =
        fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["admin", "app"].map(Into::into).into(), "nothing else is left");
}

#[tokio::test]
async fn what_is_in_use_or_no_socket_is_left_as_it_is() {
    let sandbox = sandbox().await;
    let proxy = Sockets::ready(Builder::new(&sandbox.base_url())).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("precious");
    fs::write(&file, "precious").unwrap();
    let gone = directory.path().join("gone/app");
    for key in ["listen.address", "admin.address"] {
        for (path, why) in [
            (&proxy.app, "another process listens there".to_owned()),
            (&file, "what stands there is no socket, and is left as it is".to_owned()),
            (&gone, format!("the directory {} does not exist", gone.parent().unwrap().display())),
        ] {
            let builder = Builder::new(&sandbox.base_url()).set(key, &address(path));
            let (code, errors) = builder.fails().await;
            let expected = format!("cannot listen on {} ({key}): {why}", address(path));
            assert!(code == 69 && errors.contains(&expected), "{code}: {errors}");
        }
    }
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    assert_eq!(call(&proxy.app).await.unwrap(), 404, "who was there first is served as before");
}

/// A start that fails later takes away what it has put there.
#[tokio::test]
async fn a_start_that_fails_leaves_nothing() {
    let sandbox = sandbox().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = taken.local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    let app = directory.path().join("app");
    let builder =
        Builder::new(&sandbox.base_url()).set("listen.address", &address(&app)).set("admin.address", &admin);
    let (code, errors) = builder.fails().await;
    assert!(code == 69 && errors.contains("(admin.address): port"), "{code}: {errors}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn at_the_end_both_are_gone() {
    let sandbox = sandbox().await;
    // The second signal ends it at once, with workers that still accept.
    for (delay, signals, code) in [("0s", 1, 0), ("5m", 2, 1)] {
        let builder = Builder::new(&sandbox.base_url()).set("shutdown.delay", delay);
        let mut proxy = Sockets::ready(builder).await;
        assert!(fs::symlink_metadata(&proxy.app).unwrap().file_type().is_socket());
        proxy.daemon.signal(Signal::TERM);
        if signals == 2 {
            let draining = async || proxy.daemon.log().contains("\"draining\"").then_some(());
            eventually("the drain begins", draining).await;
            assert!(proxy.app.exists(), "it goes on accepting for the delay");
            proxy.daemon.signal(Signal::TERM);
        }
        assert_eq!(proxy.daemon.ends().await.code(), Some(code));
        assert!(!proxy.app.exists() && !proxy.admin.exists());
    }
}

#[tokio::test]
async fn what_has_been_put_in_its_place_stays() {
    let sandbox = sandbox().await;
    let mut proxy = Sockets::ready(Builder::new(&sandbox.base_url())).await;
    let successors = [&proxy.app, &proxy.admin].map(|path| {
        let beside = path.with_extension("next");
        let successor = UnixListener::bind(&beside).unwrap();
        fs::rename(&beside, path).unwrap();
        successor
    });
    proxy.log_to_its_end().await;
    for path in [&proxy.app, &proxy.admin] {
        UnixStream::connect(path).unwrap();
    }
    let told = "another file stands where the socket was";
    let both = async || (proxy.daemon.log().matches(told).count() == 2).then_some(());
    eventually("both are told", both).await;
    drop(successors);
}

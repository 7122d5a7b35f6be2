//! Sockets that a service manager hands over, as descriptors from 3 on.

use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::process::{Signal, geteuid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{address, call, sandbox};
use crate::support::daemon::{Builder, client};
use crate::support::within_limit;

/// What a shell has to do so that its standard input, and output, become descriptors that are handed over.
fn handing(count: usize, variables: &str) -> String {
    let output = if count == 2 { "exec 4<&1 >/dev/null" } else { "" };
    format!("exec 3<&0 </dev/null\n{output}\nexport LISTEN_PID=$$ {variables}")
}

#[tokio::test]
async fn handed_over_sockets_take_the_place_of_the_configured_addresses() {
    let sandbox = sandbox().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    for (names, app_is_first) in [("app:admin", true), ("admin:app", false), (":admin", true)] {
        let (port, unix) = (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&path).unwrap());
        let at_port = port.local_addr().unwrap().to_string();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().unwrap().to_string();
        let script = handing(2, &format!("LISTEN_FDS=2 LISTEN_FDNAMES={names}"));
        let builder = Builder::new(&sandbox.base_url())
            .set("listen.address", &taken)
            .set("admin.address", "unix:/nonexistent/admin")
            .shell(&script)
            .hand_over(port)
            .hand_over(unix);
        let mut daemon = builder.ready().await;
        let status = daemon.status().await;
        let (listen, admin) =
            if app_is_first { (at_port, address(&path)) } else { (address(&path), at_port) };
        assert_eq!((&status["listen"], &status["admin"]), (&listen.clone().into(), &admin.into()));
        let called = match listen.strip_prefix("unix:") {
            Some(path) => call(Path::new(path)).await.unwrap(),
            None => {
                let url = format!("http://{listen}/users/fetch/nobody");
                client().get(url).send().await.unwrap().status().as_u16()
            }
        };
        assert_eq!(called, 404);
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.ends().await.code(), Some(0));
        std::fs::remove_file(&path).expect("it was not ours to remove");
    }
}

/// The manager keeps the socket: who comes between two processes waits, and is served.
#[tokio::test]
async fn between_two_processes_nobody_is_refused() {
    let sandbox = sandbox().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app");
    let socket = UnixListener::bind(&path).unwrap();
    let builder = || {
        Builder::new(&sandbox.base_url())
            .shell(&handing(1, "LISTEN_FDS=1"))
            .hand_over(socket.try_clone().unwrap())
    };
    let mut first = builder().ready().await;
    assert_eq!(call(&path).await.unwrap(), 404);
    first.signal(Signal::TERM);
    assert_eq!(first.ends().await.code(), Some(0));

    let mut waiting = tokio::net::UnixStream::connect(&path).await.unwrap();
    let request = b"GET /users/fetch/nobody HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    waiting.write_all(request).await.unwrap();
    let _second = builder().ready().await;
    let mut answer = String::new();
    within_limit("the answer comes", waiting.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[tokio::test]
async fn sockets_of_another_process_are_left_alone() {
    let sandbox = sandbox().await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    let script = "exec 3<&0 </dev/null; export LISTEN_PID=1 LISTEN_FDS=1 LISTEN_FDNAMES=nonsense";
    let daemon = Builder::new(&sandbox.base_url()).shell(script).hand_over(socket).ready().await;
    assert_ne!(daemon.address(), at);
}

#[tokio::test]
async fn users_are_told_apart_there_as_well() {
    let sandbox = sandbox().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app");
    let me = geteuid().as_raw();
    for (uid, served) in [(me, true), (me + 1, false)] {
        let daemon = Builder::new(&sandbox.base_url())
            .set("listen.address", "unix:/nonexistent/app")
            .set("listen.unix_allowed_uids", &uid.to_string())
            .shell(&handing(1, "LISTEN_FDS=1 LISTEN_FDNAMES=app"))
            .hand_over(UnixListener::bind(&path).unwrap())
            .ready()
            .await;
        assert_eq!(call(&path).await.is_ok(), served);
        drop(daemon);
        std::fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_a_configuration_error() {
    let sandbox = sandbox().await;
    let directory = tempfile::tempdir().unwrap();
    let port = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    let unfit = "descriptor 3, which was handed over, is no listening socket";
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let at = everywhere.local_addr().unwrap();
    let remote = format!(
        "the socket that was handed over for the app listener is at {at}, which could be reached from other machines"
    );
    let connected = UnixStream::pair().unwrap().0;
    let file = std::fs::File::open(directory.path()).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let cases: [(OwnedFd, &str, &str); 9] = [
        (port(), "LISTEN_FDS=1 LISTEN_FDNAMES=web", "LISTEN_FDNAMES: has a name that is not known"),
        (port(), "LISTEN_FDS=2", "LISTEN_FDNAMES: must be given where there are two sockets"),
        (port(), "LISTEN_FDS=9", "LISTEN_FDS: is not a number of sockets that there is a use for"),
        (port(), "LISTEN_FDS=2 LISTEN_FDNAMES=app:admin", "descriptor 4, which was handed over, is no"),
        (connected.into(), "LISTEN_FDS=1", unfit),
        (file.into(), "LISTEN_FDS=1", unfit),
        (udp.into(), "LISTEN_FDS=1", unfit),
        (everywhere.try_clone().unwrap().into(), "LISTEN_FDS=1", &remote),
        (port(), "LISTEN_FDS=1 LIQUID_LISTEN__UNIX_ALLOWED_UIDS=7", "unix_allowed_uids needs a Unix socket"),
    ];
    for (socket, variables, why) in cases {
        let builder = Builder::new(&sandbox.base_url())
            .set("listen.address", "unix:/nonexistent/app")
            .shell(&handing(1, variables))
            .hand_over(socket);
        let (code, errors) = builder.fails().await;
        assert!(code == 64 && errors.contains(why), "{variables}: {code}: {errors}");
    }

    let builder = Builder::new(&sandbox.base_url())
        .set("listen.allow_remote", "true")
        .set("listen.insecure_remote", "true")
        .shell(&handing(1, "LISTEN_FDS=1"))
        .hand_over(everywhere);
    assert_eq!(builder.ready().await.status().await["listen"], at.to_string());
}

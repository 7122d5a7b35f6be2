//! A new key or password takes the old one's place while the proxy runs: no request fails, and nobody
//! restarts anything.

mod refused;
mod sources;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use liquid_auth_proxy::sandbox::{Fault, FaultKind, Sandbox, Scope};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::daemon::{Builder, Daemon, KEY, client};
use crate::support::secrets::Secrets;
use crate::support::seen::{attempts, bearer, calls, credential, settings};
use crate::support::{eventually, within_limit};

const NEXT: &str = "next-key-81d2c7";
const FETCH: &str = "/users/fetch/nobody";

/// A client that asks again and again, and panics when it does not get to the API.
struct Load {
    stop: oneshot::Sender<()>,
    task: JoinHandle<usize>,
}

impl Load {
    fn on(daemon: &Daemon) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let (client, url) = (client(), daemon.url(FETCH));
        let task = tokio::spawn(async move {
            let mut pace = tokio::time::interval(Duration::from_millis(10));
            let mut requests = 0;
            while stopped.try_recv().is_err() {
                pace.tick().await;
                assert_eq!(client.get(&url).send().await.unwrap().status(), 404, "request {requests} failed");
                requests += 1;
            }
            requests
        });
        Self { stop, task }
    }

    async fn none_failed(self) {
        self.stop.send(()).unwrap();
        assert!(within_limit("the client ends", self.task).await.unwrap() > 1);
    }
}

async fn fetch(daemon: &Daemon) -> u16 {
    within_limit("an answer comes", client().get(daemon.url(FETCH)).send()).await.unwrap().status().as_u16()
}

async fn becomes_generation(daemon: &Daemon, name: &str, wanted: u64) {
    let renewed = async || (credential(daemon, name).await["generation"] == wanted).then_some(());
    eventually("the token is renewed", renewed).await;
}

/// The keys that the authentication endpoint was asked with, in order.
fn keys(sandbox: &Sandbox) -> Vec<String> {
    let asked =
        sandbox.handle().calls().into_iter().filter(|call| call.path_and_query == "/api/authentication");
    asked.map(|call| call.headers["x-liquid-api-key"].to_str().unwrap().to_owned()).collect()
}

/// `rotate` brings the new key, which the API knows instead of the old one, while requests go on.
async fn is_tried_at_once(sandbox: &Sandbox, daemon: &Daemon, rotate: impl FnOnce()) {
    let load = Load::on(daemon);
    sandbox.handle().set_api_key(NEXT);
    rotate();
    becomes_generation(daemon, "api", 2).await;
    assert_eq!(fetch(daemon).await, 404);
    load.none_failed().await;
    assert_eq!(keys(sandbox), [KEY, NEXT]);
    assert_eq!(credential(daemon, "api").await["trouble"], serde_json::Value::Null);
    assert_eq!(daemon.admin("/readyz").await, (200, "ok\n".to_owned()));
    let last = calls(&sandbox.handle()).pop().unwrap();
    assert_eq!(bearer(&last), sandbox.handle().tokens().pop().unwrap());
    Secrets::new([("the new key", NEXT)]).assert_absent("the log", daemon.log());
}

#[tokio::test]
async fn a_key_file_that_is_written_anew() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let builder = Builder::new(&sandbox.base_url());
    let file = builder.key_file();
    let daemon = builder.ready().await;
    is_tried_at_once(&sandbox, &daemon, || fs::write(file, NEXT).unwrap()).await;
}

#[tokio::test]
async fn a_key_file_that_another_takes_the_place_of() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let builder = Builder::new(&sandbox.base_url());
    let file = builder.key_file();
    let daemon = builder.ready().await;
    is_tried_at_once(&sandbox, &daemon, || {
        let new = file.with_extension("new");
        fs::write(&new, NEXT).unwrap();
        fs::rename(new, file).unwrap();
    })
    .await;
}

/// Lays a secret out as Kubernetes does it: a link to a file behind a link to a directory.
fn mount(directory: &Path, version: &str, key: &str) {
    fs::create_dir(directory.join(version)).unwrap();
    fs::write(directory.join(version).join("api_key"), key).unwrap();
    let (new, data) = (directory.join("..data_tmp"), directory.join("..data"));
    symlink(version, &new).unwrap();
    fs::rename(new, data).unwrap();
}

#[tokio::test]
async fn a_link_that_kubernetes_swaps() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let volume = tempfile::tempdir().unwrap();
    mount(volume.path(), "..2026_01_01", KEY);
    let file = volume.path().join("api_key");
    symlink("..data/api_key", &file).unwrap();
    let builder = Builder::new(&sandbox.base_url());
    let daemon = builder.set("credentials.api.key_file", file.to_str().unwrap()).ready().await;
    is_tried_at_once(&sandbox, &daemon, || {
        mount(volume.path(), "..2026_01_02", NEXT);
        fs::remove_dir_all(volume.path().join("..2026_01_01")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_old_token_stays_in_use_until_the_new_key_has_given_one() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let builder = Builder::new(&sandbox.base_url());
    let file = builder.key_file();
    let daemon = builder.ready().await;
    let slow = Fault { kind: FaultKind::Delay(Duration::from_secs(5)), times: Some(1) };
    sandbox.handle().set_fault(Scope::Authentication, Some(slow));
    fs::write(file, NEXT).unwrap();
    sandbox.handle().set_api_key(NEXT);
    let asked = async || (sandbox.handle().authentications() == 2).then_some(());
    eventually("the new key is tried", asked).await;
    assert_eq!(fetch(&daemon).await, 404);
    let call = calls(&sandbox.handle()).pop().unwrap();
    assert_eq!(bearer(&call), sandbox.handle().tokens()[0]);
    becomes_generation(&daemon, "api", 2).await;
    assert_eq!(fetch(&daemon).await, 404);
    let call = calls(&sandbox.handle()).pop().unwrap();
    assert_eq!(bearer(&call), sandbox.handle().tokens()[1]);
    assert_eq!(attempts(&daemon, "api", "ok").await, 2.0);
}

/// As the vendor's SDK does it, each request bears the key; the new one comes with the token that it gave.
#[tokio::test]
async fn requests_that_bear_the_key_bear_the_new_one() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let builder = Builder::new(&sandbox.base_url()).set("upstream.send_api_key", "true");
    let file = builder.key_file();
    let daemon = builder.ready().await;
    assert_eq!(fetch(&daemon).await, 404);
    fs::write(&file, "a-wrong-key-22b7").unwrap();
    let refused = async || (attempts(&daemon, "api", "refused").await == 1.0).then_some(());
    eventually("the wrong key is refused", refused).await;
    assert_eq!(fetch(&daemon).await, 404);
    sandbox.handle().set_api_key(NEXT);
    fs::write(&file, NEXT).unwrap();
    becomes_generation(&daemon, "api", 2).await;
    assert_eq!(fetch(&daemon).await, 404);
    let calls = calls(&sandbox.handle());
    let keys: Vec<_> = calls.iter().map(|call| call.headers["x-liquid-api-key"].to_str().unwrap()).collect();
    assert_eq!(keys, [KEY, KEY, NEXT]);
}

//! The search itself: a leak in each place, in each form, is found. What leaks here does so through what
//! passes the proxy by design: an answer of the API, and the path of a request.

use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::evidence::{Evidence, Scene, arguments};
use super::{CANARIES, KEY};
use crate::support::daemon::Daemon;
use crate::support::secrets::Secrets;
use crate::support::upstream::{TOKEN, Upstream};
use crate::support::{eventually, no_request_is_under_way};

/// How a secret may be written: plain, percent-encoded, and in base64 of both alphabets at each of the
/// three places that it can have in it.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string()];
    for before in ["", "u", "u:"] {
        forms.push(STANDARD.encode(format!("{before}{secret}")));
        forms.push(URL_SAFE_NO_PAD.encode(format!("{before}{secret}\n")));
    }
    forms
}

/// Every canary, and the token of the byte-scripted API.
fn canaries() -> impl Iterator<Item = (&'static str, &'static str)> {
    CANARIES.into_iter().chain([("the token", TOKEN)])
}

/// Panics unless exactly `name` is found, and only at `place`.
fn assert_caught(evidence: &Evidence, name: &str, place: &str, form: &str) {
    let found = evidence.found(&Secrets::new(canaries()));
    assert!(!found.is_empty(), "{name} as {form:?} was not seen in {place}");
    for one in found {
        assert!(one.starts_with(place) && one.contains(name), "{one}, looking for {name} in {place}");
    }
}

/// What the API is asked, it answers, in its head and in its body.
async fn repeated(upstream: &mut Upstream, daemon: &Daemon, form: &str, in_head: bool) -> Evidence {
    let mut evidence = Evidence::default();
    let (head, body) = if in_head { (format!("x-sent: {form}\r\n"), "{}") } else { (String::new(), form) };
    let answering = async {
        upstream.call().await.last_answer("200 OK", &head, body).await;
    };
    let asking = evidence.send(daemon, "GET /x HTTP/1.1\nHost: localhost", "");
    assert_eq!(tokio::join!(asking, answering).0, 200);
    evidence
}

#[tokio::test]
async fn a_leak_in_an_answer_is_caught_in_each_form() {
    let mut upstream = Upstream::start().await;
    let scene = Scene::new();
    let daemon = scene.builder(&upstream.base_url()).ready().await;
    for (name, canary) in canaries() {
        for form in forms(canary) {
            for in_head in [true, false] {
                let evidence = repeated(&mut upstream, &daemon, &form, in_head).await;
                assert_caught(&evidence, name, "the answer", &form);
            }
        }
    }
    let harmless = repeated(&mut upstream, &daemon, "nothing that is secret", false).await;
    harmless.assert_none(&Secrets::new(canaries()));
}

#[tokio::test]
async fn a_leak_in_the_log_is_caught_in_each_form() {
    for (name, canary) in canaries() {
        // What no path can hold of it is escaped, as a client would.
        let mut evidence = Evidence::default();
        let mut upstream = Upstream::start().await;
        let scene = Scene::new();
        let daemon = scene.builder(&upstream.base_url()).ready().await;
        for form in forms(canary).into_iter().filter(|form| !form.contains(['?', '>'])) {
            let mut unread = Evidence::default();
            let request = format!("GET /x/{form} HTTP/1.1\nHost: localhost");
            let answering = async { upstream.call().await.last_answer("200 OK", "", "{}").await };
            tokio::join!(unread.send(&daemon, &request, ""), answering);
            no_request_is_under_way(&daemon).await;
            let line = eventually("the line is there", async || {
                daemon.log().lines().rfind(|line| line.contains(&form)).map(str::to_owned)
            })
            .await;
            let mut one = Evidence::default();
            one.add("the log", line);
            assert_caught(&one, name, "the log", &form);
        }
        evidence.end(daemon, &scene).await;
        assert_caught(&evidence, name, "the log", "any");
    }
}

#[tokio::test]
async fn a_leak_in_arguments_and_files_is_caught_in_each_form() {
    for form in forms(KEY) {
        let mut waiting =
            Command::new("sh").args(["-c", "read line", &form]).stdin(Stdio::piped()).spawn().unwrap();
        let mut evidence = Evidence::default();
        // Until it has begun it has none.
        let told = eventually("it has arguments", async || arguments(waiting.id())).await;
        evidence.add("the arguments", told);
        drop(waiting.stdin.take());
        waiting.wait().unwrap();
        assert_caught(&evidence, "the key", "the arguments", &form);

        let (mut evidence, scene) = (Evidence::default(), Scene::new());
        // It stands for what a proxy would make: this one has not run.
        drop(scene.builder("http://localhost"));
        let below = scene.working_directory().join("below");
        std::fs::create_dir(&below).unwrap();
        std::fs::write(below.join("core"), format!("…{form}…")).unwrap();
        evidence.left_behind(&scene);
        assert_caught(&evidence, "the key", "the file", &form);
    }
}

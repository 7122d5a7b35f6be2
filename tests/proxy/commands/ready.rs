//! `healthcheck` and `wait`: what they make of a proxy that is ready, not yet ready, or not there.

use liquid_auth_proxy::sandbox::{Fault, FaultKind, Sandbox, Scope, Settings};

use crate::support::daemon::{Builder, Daemon, KEY, run_to_end};
use crate::support::eventually;

/// A proxy that has no token, and the API that keeps it waiting.
async fn not_ready() -> (Sandbox, Daemon) {
    let sandbox = Sandbox::start(Settings { api_key: KEY.into(), ..Settings::default() }).await.unwrap();
    let down = Fault { kind: FaultKind::Status(503), times: None };
    sandbox.handle().set_fault(Scope::Authentication, Some(down));
    let daemon = Builder::new(&sandbox.base_url()).start().await;
    (sandbox, daemon)
}

/// Runs a command that asks `daemon`; nothing else of the configuration is needed.
async fn ask(daemon: &Daemon, arguments: &[&str]) -> (i32, String, String) {
    run_to_end(arguments, &[("LIQUID_ADMIN__ADDRESS", &daemon.admin_address().to_string())]).await
}

#[tokio::test]
async fn healthcheck_is_0_or_1() {
    let (sandbox, daemon) = not_ready().await;
    let reason = async || {
        let (code, out, errors) = ask(&daemon, &["healthcheck"]).await;
        assert_eq!((code, out.as_str()), (1, ""), "{errors}");
        errors.contains("credential api: the authentication endpoint answered 503").then_some(())
    };
    eventually("it says why", reason).await;
    sandbox.handle().set_fault(Scope::Authentication, None);
    daemon.becomes_ready().await;
    assert_eq!(ask(&daemon, &["healthcheck"]).await, (0, "ready\n".to_owned(), String::new()));

    let (code, _, errors) = run_to_end(&["healthcheck", "--admin-address", "127.0.0.1:1"], &[]).await;
    assert!(code == 1 && errors.contains("no proxy answers at 127.0.0.1:1"), "{code}: {errors}");
}

#[tokio::test]
async fn wait_ends_when_the_proxy_is_ready_and_becomes_the_command() {
    let (sandbox, daemon) = not_ready().await;
    let arguments = ["wait", "--max", "5m", "--", "sh", "-c", "echo \"$0, $1\"; exit 7", "one", "two words"];
    let mut waiting = std::pin::pin!(ask(&daemon, &arguments));
    let twice = async || (sandbox.handle().authentications() >= 2).then_some(());
    tokio::select! {
        ended = &mut waiting => panic!("it did not wait: {ended:?}"),
        () = eventually("the endpoint was asked twice", twice) => {}
    }
    sandbox.handle().set_fault(Scope::Authentication, None);
    assert_eq!(waiting.await, (7, "one, two words\n".to_owned(), String::new()));

    assert_eq!(ask(&daemon, &["wait"]).await, (0, String::new(), String::new()));
    let (code, _, errors) = ask(&daemon, &["wait", "--", "/nonexistent/app"]).await;
    assert!(code == 1 && errors.contains("cannot run /nonexistent/app"), "{code}: {errors}");
}

#[tokio::test]
async fn wait_gives_up_with_69() {
    let (_sandbox, daemon) = not_ready().await;
    let (code, _, errors) = ask(&daemon, &["wait", "--max", "300ms", "--", "echo", "never"]).await;
    assert!(code == 69 && errors.starts_with("not ready after 300ms: credential api: "), "{code}: {errors}");

    let arguments = ["wait", "--max", "300ms", "--admin-address", "127.0.0.1:1", "--", "echo", "never"];
    let (code, out, errors) = run_to_end(&arguments, &[]).await;
    assert_eq!((code, out.as_str()), (69, ""));
    assert!(errors.starts_with("not ready after 300ms: no proxy answers at 127.0.0.1:1"), "{errors}");
}

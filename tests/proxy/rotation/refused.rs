//! A new key or password that the API refuses: the old token stays in use, and everyone who asks is told.

use liquid_auth_proxy::sandbox::{DEFAULT_ORDERS_PASSWORD, Settings};
use serde_json::Value;

use super::*;

const WRONG: &str = "a-wrong-key-22b7";

#[tokio::test]
async fn a_new_key_that_is_refused_leaves_the_old_token_in_use() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let builder = Builder::new(&sandbox.base_url());
    let file = builder.key_file();
    let daemon = builder.ready().await;
    let load = Load::on(&daemon);
    fs::write(&file, WRONG).unwrap();
    let told = format!("the API refused the API key from {} (401)", file.display());
    let ready = format!("ok\ncredential api: {told}; the old token stays in use\n");
    eventually("/readyz tells it", async || {
        let (status, text) = daemon.admin("/readyz").await;
        assert_eq!(status, 200, "{text}");
        (text == ready).then_some(())
    })
    .await;

    let entry = credential(&daemon, "api").await;
    assert_eq!((&entry["state"], &entry["generation"]), (&"available".into(), &1.into()), "{entry}");
    assert_eq!(entry["trouble"]["kind"], "refused");
    assert_eq!(entry["trouble"]["message"], *told);
    assert_eq!(daemon.status().await["ready"], true);
    assert_eq!(attempts(&daemon, "api", "refused").await, 1.0);
    let log = daemon.log();
    let error = log.lines().find(|line| line.contains(r#""level":"ERROR""#)).unwrap();
    assert!(error.contains(&told) && error.contains(r#""credential":"api""#), "{error}");

    // The next one is tried as soon as it is there, not when the refused one's time is over.
    sandbox.handle().set_api_key(NEXT);
    fs::write(&file, NEXT).unwrap();
    becomes_generation(&daemon, "api", 2).await;
    load.none_failed().await;
    assert_eq!(credential(&daemon, "api").await["trouble"], Value::Null);
    assert_eq!(daemon.admin("/readyz").await, (200, "ok\n".to_owned()));
    assert_eq!(keys(&sandbox), [KEY, WRONG, NEXT]);
    let secrets = Secrets::new([("the wrong key", WRONG), ("the new key", NEXT), ("the key", KEY)]);
    secrets.assert_absent("the log", daemon.log());
    secrets.assert_absent("/status", daemon.status().await.to_string());
}

#[tokio::test]
async fn a_wrong_key_at_the_start_and_the_right_one_later() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let builder = Builder::new(&sandbox.base_url());
    let file = builder.key_file();
    fs::write(&file, WRONG).unwrap();
    let daemon = builder.start().await;
    assert_eq!(fetch(&daemon).await, 502);
    assert_eq!(daemon.admin("/readyz").await.0, 503);
    fs::write(&file, KEY).unwrap();
    // Within the limit of every wait: half of what a refused key waits for.
    daemon.becomes_ready().await;
    assert_eq!(fetch(&daemon).await, 404);
    assert_eq!(keys(&sandbox), [WRONG, KEY]);
}

/// A file that is gone, or cut short, holds no new key: the old token is good, and so is the key when it
/// comes back.
#[tokio::test]
async fn a_key_that_is_gone_for_a_while() {
    let sandbox = Sandbox::start(settings()).await.unwrap();
    let builder = Builder::new(&sandbox.base_url());
    let file = builder.key_file();
    let daemon = builder.ready().await;
    fs::remove_file(&file).unwrap();
    let told = async || daemon.log().contains("the secret's file cannot be used").then_some(());
    eventually("it is told", told).await;
    assert_eq!(fetch(&daemon).await, 404);
    assert_eq!(sandbox.handle().authentications(), 1);

    // Needed meanwhile, it is missed.
    let refresh = format!("http://{}/refresh", daemon.admin_address());
    let missed = async || {
        client().post(&refresh).send().await.unwrap();
        let trouble = credential(&daemon, "api").await["trouble"].clone();
        (trouble["kind"] == "failing").then_some(trouble)
    };
    let trouble = eventually("it is missed", missed).await;
    assert!(trouble["message"].as_str().unwrap().contains("cannot read"), "{trouble}");
    assert_eq!(fetch(&daemon).await, 404);
    assert_eq!(sandbox.handle().authentications(), 1, "there was nothing to ask with");

    fs::write(&file, KEY).unwrap();
    becomes_generation(&daemon, "api", 2).await;
    assert_eq!(daemon.admin("/readyz").await, (200, "ok\n".to_owned()));
}

#[tokio::test]
async fn the_orders_password_is_rotated_for_itself() {
    const RIGHT: &str = "the-next-password-6d10";
    let sandbox = Sandbox::start(Settings { orders_password: RIGHT.into(), ..settings() }).await.unwrap();
    let builder = Builder::new(&sandbox.base_url()).orders();
    let file = builder.key_file().with_file_name("orders_password");
    let daemon = builder.start().await;
    let list = async || {
        let asked = client().get(daemon.url("/orders?startDate=2026-01-01")).send();
        within_limit("an answer comes", asked).await.unwrap().status().as_u16()
    };
    assert_eq!(list().await, 502);
    fs::write(&file, RIGHT).unwrap();
    daemon.becomes_ready().await;
    assert_eq!(list().await, 200);

    // And back: its token stays in use.
    fs::write(&file, DEFAULT_ORDERS_PASSWORD).unwrap();
    let told = async || {
        let (status, text) = daemon.admin("/readyz").await;
        assert_eq!(status, 200, "{text}");
        (text.contains("credential orders: ") && text.contains("the old token stays in use")).then_some(())
    };
    eventually("/readyz tells it", told).await;
    assert_eq!(list().await, 200);
    fs::write(&file, RIGHT).unwrap();
    becomes_generation(&daemon, "orders", 2).await;
    assert_eq!(list().await, 200);
    assert_eq!((sandbox.handle().authentications(), sandbox.handle().order_authentications()), (1, 4));
    let secrets = Secrets::new([("the old", DEFAULT_ORDERS_PASSWORD), ("the new", RIGHT)]);
    secrets.assert_absent("the log", daemon.log());
}

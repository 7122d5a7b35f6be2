//! The commands that print something and end.

use liquid_auth_proxy::sandbox::{FaultKind, Scope, Settings};

use super::evidence::{Evidence, Scene};
use super::{KEY, World};
use crate::support::daemon::{Builder, run_to_end};
use crate::support::seen::fault;

async fn run(evidence: &mut Evidence, builder: &Builder, arguments: &[&str]) -> i32 {
    let (code, output, errors) = builder.run(arguments).await;
    evidence.add(format!("standard output of {arguments:?}"), output);
    evidence.add(format!("standard error of {arguments:?}"), errors);
    code
}

#[tokio::test]
async fn none_of_them_prints_a_secret() {
    let (mut evidence, scene, world) =
        (Evidence::default(), Scene::new(), World::new(Settings::default()).await);
    let builder = world.builder(&scene).unix("admin.address");
    assert_eq!(run(&mut evidence, &builder, &["check"]).await, 0);
    assert_eq!(run(&mut evidence, &builder, &["check", "--connect"]).await, 0);
    for arguments in [&["status"][..], &["healthcheck"], &["wait", "--max", "100ms"]] {
        assert_ne!(run(&mut evidence, &builder, arguments).await, 0, "nothing runs yet: {arguments:?}");
    }
    let api = world.api.handle();
    for kind in [FaultKind::EchoKey, FaultKind::Status(503), FaultKind::TruncatedJson, FaultKind::Disconnect]
    {
        api.set_fault(Scope::Everything, fault(kind));
        assert_eq!(run(&mut evidence, &builder, &["check", "--connect"]).await, 69);
    }
    api.set_fault(Scope::Everything, None);

    let admin = format!("unix:{}", builder.socket("admin.address").display());
    let variables = [("LIQUID_ADMIN__ADDRESS", admin.as_str()), ("LIQUID_API_KEY", KEY)];
    let daemon = builder.ready().await;
    for trouble in [None, fault(FaultKind::EchoKey)] {
        api.set_fault(Scope::Everything, trouble.clone());
        for arguments in [&["status"][..], &["healthcheck"], &["wait"]] {
            let (code, output, errors) = run_to_end(arguments, &variables).await;
            assert_eq!(code, 0, "{arguments:?}: {errors}");
            evidence.add(format!("{arguments:?}"), output + &errors);
        }
    }
    evidence.end(daemon, &scene).await;
    evidence.assert_none(&world.secrets());
    assert!(evidence.tells("standard output of [\"check\"]", "<redacted>"));
}

//! The Compose sample: app and proxy in one network namespace.

use serde_json::{Value, json};

use super::{BINARY, Faults, altered, is_numeric_user, seconds, yaml};
use crate::program::default_stop_seconds;
use crate::{assert_caught, assert_none, read};

fn faults(text: &str) -> Vec<String> {
    let sample = yaml(text);
    let proxy = &sample["services"]["liquid-auth-proxy"];
    let app = &sample["services"]["app"];
    let mut faults = Faults::default();

    faults
        .unless(app["network_mode"] == "service:liquid-auth-proxy", "the app has another network namespace");
    let awaited = &app["depends_on"]["liquid-auth-proxy"]["condition"];
    faults.unless(awaited == "service_healthy", "the app does not wait for the proxy");
    faults.unless(proxy["ports"].is_null(), "the sample publishes a port");

    let file = proxy["environment"]["LIQUID_API_KEY_FILE"].as_str().unwrap_or_default();
    let secret = file.strip_prefix("/run/secrets/").unwrap_or_default();
    faults.unless(contains(&proxy["secrets"], secret), "the key's file is no secret of the service");
    faults.unless(sample["secrets"][secret]["file"].is_string(), "the secret comes from no file");
    faults.unless(proxy["environment"]["LIQUID_API_KEY"].is_null(), "the key is in a variable");

    let asks = json!(["CMD", BINARY, "healthcheck"]);
    faults.unless(
        proxy["healthcheck"]["test"] == asks,
        "the health check is not the program's own, in exec form",
    );
    let grace = proxy["stop_grace_period"].as_str().and_then(seconds).unwrap_or_default();
    faults.unless(grace > default_stop_seconds(), "stop_grace_period is shorter than the drain");

    faults.unless(proxy["user"].as_str().is_some_and(is_numeric_user), "the user is root or a name");
    faults.unless(proxy["read_only"] == true, "the root is writable");
    faults.unless(proxy["cap_drop"] == json!(["ALL"]), "capabilities are left");
    faults.unless(contains(&proxy["security_opt"], "no-new-privileges:true"), "privileges can be gained");
    faults.unless(proxy["ulimits"]["core"] == 0, "a core dump can hold the key");
    faults.0
}

fn contains(list: &Value, item: &str) -> bool {
    list.as_array().is_some_and(|list| list.iter().any(|found| found == item))
}

#[test]
fn the_sample_is_as_closed_as_it_says() {
    assert_none(&faults(&read("deploy/compose.yaml")));
}

#[test]
fn a_looser_sample_is_caught() {
    let sample = read("deploy/compose.yaml");
    for (from, to, part) in [
        ("network_mode: \"service:liquid-auth-proxy\"", "network_mode: bridge", "network namespace"),
        ("condition: service_healthy", "condition: service_started", "does not wait"),
        ("    secrets:\n", "    ports: [\"8000:8000\"]\n    secrets:\n", "publishes a port"),
        ("/run/secrets/liquid_api_key", "/run/secrets/other", "no secret"),
        ("file: ./secrets/api_key", "environment: KEY", "no file"),
        ("LIQUID_ENVIRONMENT: staging", "LIQUID_API_KEY: abc", "in a variable"),
        (
            "[\"CMD\", \"/usr/local/bin/liquid-auth-proxy\", \"healthcheck\"]",
            "curl localhost:8001",
            "exec form",
        ),
        ("stop_grace_period: 40s", "stop_grace_period: 10s", "the drain"),
        ("user: \"65532:65532\"", "user: \"0:0\"", "root or a name"),
        ("read_only: true", "read_only: false", "writable"),
        ("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "capabilities"),
        ("no-new-privileges:true", "seccomp:unconfined", "gained"),
        ("core: 0", "core: -1", "core dump"),
    ] {
        assert_caught(&faults(&altered(&sample, from, to)), part);
    }
}

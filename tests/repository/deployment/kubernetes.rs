//! The Kubernetes sample: a native sidecar.

use serde_json::{Value, json};

use super::{BINARY, Faults, altered, yaml};
use crate::program::default_stop_seconds;
use crate::{assert_caught, assert_none, read};

fn faults(text: &str) -> Vec<String> {
    let pod = &yaml(text)["spec"]["template"]["spec"];
    let proxy = named(&pod["initContainers"], "liquid-auth-proxy");
    let mut faults = Faults::default();

    faults.unless(proxy["restartPolicy"] == "Always", "not a sidecar: the app would wait for its end");
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap_or_default();
    faults.unless(grace > default_stop_seconds(), "the grace period is shorter than the drain");
    faults
        .unless(pod["enableServiceLinks"] == false, "service links can put unknown variables below LIQUID_");
    faults.unless(pod["automountServiceAccountToken"] == false, "a token of the cluster is mounted");

    for probe in ["startupProbe", "readinessProbe"] {
        let asks = proxy[probe]["exec"]["command"] == json!([BINARY, "healthcheck"]);
        faults.unless(asks, &format!("{probe} is not the program's own, in exec form"));
    }
    faults.unless(proxy["livenessProbe"].is_null(), "an outage of the API would restart the proxy");
    faults.unless(proxy["ports"].is_null(), "a port is declared, but all are on loopback");

    faults.unless(named(&proxy["env"], "LIQUID_API_KEY").is_null(), "the key is in a variable");
    let file = named(&proxy["env"], "LIQUID_API_KEY_FILE")["value"].as_str().unwrap_or_default();
    let mount = proxy["volumeMounts"].as_array().and_then(|mounts| {
        mounts.iter().find(|mount| mount["mountPath"].as_str().is_some_and(|path| file.starts_with(path)))
    });
    let mount = mount.unwrap_or(&Value::Null);
    faults.unless(mount["readOnly"] == true, "the key's file is on no mount, or on one that is writable");
    faults.unless(mount["subPath"].is_null(), "a subPath is never updated");
    let secret = &named(&pod["volumes"], mount["name"].as_str().unwrap_or_default())["secret"];
    let path = secret["items"][0]["path"].as_str().unwrap_or_default();
    faults.unless(!path.is_empty() && file.ends_with(path), "the key's file is no item of a secret");

    let all = &pod["securityContext"];
    faults.unless(all["runAsNonRoot"] == true, "root is allowed");
    faults.unless(all["runAsUser"].as_u64().is_some_and(|id| id > 0), "the user is no number");
    faults.unless(all["seccompProfile"]["type"] == "RuntimeDefault", "no seccomp profile");
    for container in ["initContainers", "containers"].iter().filter_map(|list| pod[list].as_array()).flatten()
    {
        let own = &container["securityContext"];
        faults.unless(own["readOnlyRootFilesystem"] == true, "the root is writable");
        faults.unless(own["allowPrivilegeEscalation"] == false, "privileges can be gained");
        faults.unless(own["capabilities"]["drop"] == json!(["ALL"]), "capabilities are left");
        faults.unless(container["resources"]["limits"]["memory"].is_string(), "no limit of memory");
        faults.unless(container["resources"]["requests"]["cpu"].is_string(), "no request of CPU");
    }
    faults.0
}

/// The item of a list of Kubernetes that has this name, or null.
fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let found = list.as_array().and_then(|list| list.iter().find(|item| item["name"] == name));
    found.unwrap_or(&Value::Null)
}

#[test]
fn the_sample_is_as_closed_as_it_says() {
    assert_none(&faults(&read("deploy/kubernetes/sidecar.yaml")));
}

#[test]
fn a_looser_sample_is_caught() {
    let sample = read("deploy/kubernetes/sidecar.yaml");
    for (from, to, part) in [
        ("restartPolicy: Always", "restartPolicy: Never", "not a sidecar"),
        ("terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30", "the drain"),
        ("enableServiceLinks: false", "enableServiceLinks: true", "service links"),
        ("automountServiceAccountToken: false", "automountServiceAccountToken: true", "token of the cluster"),
        ("startupProbe:", "livenessProbe:", "startupProbe is not"),
        ("startupProbe:", "livenessProbe:", "would restart"),
        ("liquid-auth-proxy\", \"healthcheck\"]", "liquid-auth-proxy\"]", "readinessProbe is not"),
        ("- name: LIQUID_ENVIRONMENT", "- name: LIQUID_API_KEY", "in a variable"),
        ("value: /etc/liquid-auth-proxy/secrets/api_key", "value: /etc/api_key", "on no mount"),
        (
            "value: /etc/liquid-auth-proxy/secrets/api_key",
            "value: /etc/liquid-auth-proxy/secrets/k",
            "no item",
        ),
        ("readOnly: true", "readOnly: true\n              subPath: api_key", "never updated"),
        ("runAsNonRoot: true", "runAsNonRoot: false", "root is allowed"),
        ("runAsUser: 65532", "runAsUser: 0", "no number"),
        ("type: RuntimeDefault", "type: Unconfined", "seccomp"),
        ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "writable"),
        ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "gained"),
        ("drop: [ALL]", "drop: [NET_RAW]", "capabilities"),
        ("memory: 128Mi", "ephemeral-storage: 128Mi", "memory"),
        ("cpu: 50m", "ephemeral-storage: 1Mi", "CPU"),
    ] {
        assert_caught(&faults(&altered(&sample, from, to)), part);
    }
}

//! The image and the samples of `deploy/` are as closed as they claim: a user that is a number and not
//! root, nothing writable, no capability, the key as a file, time enough to drain.

mod compose;
mod dockerfile;
mod kubernetes;
mod systemd;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::Value;

/// Where the image and the unit have the program.
const BINARY: &str = "/usr/local/bin/liquid-auth-proxy";

/// What is found missing while a text is read.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn unless(&mut self, holds: bool, fault: &str) {
        if !holds {
            self.0.push(fault.to_string());
        }
    }
}

/// The first document of `text`, as JSON: that has paths into it.
fn yaml(text: &str) -> Value {
    let documents = Yaml::load_from_str(text).expect("YAML");
    to_json(documents.first().expect("a document"))
}

fn to_json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => (*value).into(),
        Yaml::Value(Scalar::Integer(value)) => (*value).into(),
        Yaml::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
        Yaml::Value(Scalar::String(value)) => value.as_ref().into(),
        Yaml::Sequence(items) => items.iter().map(to_json).collect(),
        Yaml::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| (key.as_str().expect("keys are strings").to_string(), to_json(value)))
            .collect(),
        other => panic!("not used in our samples: {other:?}"),
    }
}

/// `"40s"` or `"1m"` in seconds, as Compose and systemd write it.
fn seconds(duration: &str) -> Option<u64> {
    let (number, factor) = match (duration.strip_suffix('s'), duration.strip_suffix('m')) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 60),
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? * factor)
}

/// `65532` or `65532:65532`, and not root.
fn is_numeric_user(user: &str) -> bool {
    user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0))
}

/// `text` with `from` replaced; fails when it was not there.
fn altered(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in the sample");
    text.replace(from, to)
}

#[test]
fn durations_and_users_are_read() {
    assert_eq!(["40s", "2m", "40", "s"].map(seconds), [Some(40), Some(120), None, None]);
    assert_eq!(
        ["65532:65532", "65532", "nonroot", "0:0", ""].map(is_numeric_user),
        [true, true, false, false, false]
    );
}

//! The environment variables below `LIQUID_` as a layer.
//!
//! Every one of them must name something: a misspelt variable that is ignored costs its owner an hour.
//! The one exception are variables that Kubernetes makes up itself.

use super::layer::Layer;
use super::nearest::nearest;
use super::origin::Source;
use super::problem::{Problem, clipped};
use super::schema::{Key, PREFIX, keys};

/// The variable that names the user's file. It is no key: a file cannot name itself.
pub(super) const CONFIG: &str = "LIQUID_CONFIG";

/// Reads the variables that begin with `LIQUID_` and leaves all others alone.
pub(super) fn read(variables: &[(String, String)], problems: &mut Vec<Problem>) -> Layer {
    let mut ours: Vec<_> = variables.iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    // An environment has no order; the messages should have one.
    ours.sort();
    let services = services(&ours);

    let mut layer = Layer::default();
    for (name, value) in ours {
        if let Err(Misfit { what, allowed, nearest }) = take(name, value, &services, &mut layer) {
            problems.push(Problem {
                key: clipped(name),
                source: Some(Source::Variable(name.clone())),
                // Not shown: a misspelt or misplaced secret is still one.
                value: None,
                what: what.into(),
                allowed,
                nearest,
            });
        }
    }
    layer
}

/// What is wrong with a variable, whatever its key takes.
struct Misfit {
    what: &'static str,
    allowed: String,
    nearest: Option<String>,
}

impl Misfit {
    fn new(what: &'static str, allowed: impl Into<String>) -> Self {
        Self { what, allowed: allowed.into(), nearest: None }
    }
}

fn take(name: &str, value: &str, services: &[&str], layer: &mut Layer) -> Result<(), Misfit> {
    let key = find(name);
    if value.contains(char::REPLACEMENT_CHARACTER) && (key.is_some() || name == CONFIG) {
        return Err(Misfit::new("is not UTF-8", "UTF-8"));
    }
    if let Some(key) = key {
        if let Some(first) = layer.source(key.key) {
            return Err(Misfit::new("sets a key twice", format!("only one of {first} and {name}")));
        }
        // An empty value too, for its key to refuse: an empty key in a deployment is a secret that
        // did not arrive, and must not pass for one that is not set.
        layer.set_text(key, value, Source::Variable(name.to_owned()));
        return Ok(());
    }
    match name {
        CONFIG if value.is_empty() => Err(Misfit::new("is set but empty", "path of a TOML file")),
        CONFIG => Ok(()),
        _ if services.iter().any(|service| is_of_service(name, service)) => Ok(()),
        _ => {
            let allowed = "LIQUID_SECTION__KEY, for example LIQUID_LISTEN__ADDRESS";
            Err(Misfit { nearest: meant(name), ..Misfit::new("names no key", allowed) })
        }
    }
}

fn find(name: &str) -> Option<&'static Key> {
    keys().find(|key| key.shortcut == Some(name) || key.variable() == name)
}

fn meant(name: &str) -> Option<String> {
    let path = |name: &str| name.trim_start_matches(PREFIX).to_ascii_lowercase().replace("__", ".");
    let known: Vec<(String, String)> = keys()
        .flat_map(|key| key.shortcut.map(str::to_owned).into_iter().chain([key.variable()]))
        .chain([CONFIG.to_owned()])
        .map(|name| (path(&name), name))
        .collect();
    let nearest = nearest(&path(name), known.iter().map(|(path, _)| path.as_str()))?;
    known.iter().find(|(path, _)| path == nearest).map(|(_, name)| name.clone())
}

/// The names of Kubernetes services that are in the environment.
///
/// For a service `liquid-auth-proxy` Kubernetes gives every container of the namespace
/// `LIQUID_AUTH_PROXY_SERVICE_HOST`, `…_SERVICE_PORT`, `…_PORT` and more ("Accessing the Service" in
/// its documentation). Nobody wrote those, so they are no mistake.
fn services<'a>(ours: &[&'a (String, String)]) -> Vec<&'a str> {
    let is_set = |wanted: &str| ours.iter().any(|(name, _)| name == wanted);
    ours.iter()
        .filter_map(|(name, _)| name.strip_suffix("_SERVICE_HOST"))
        .filter(|service| is_set(&format!("{service}_SERVICE_PORT")))
        .collect()
}

fn is_of_service(name: &str, service: &str) -> bool {
    name.strip_prefix(service).is_some_and(|rest| {
        matches!(rest, "_SERVICE_HOST" | "_SERVICE_PORT" | "_PORT")
            || rest.starts_with("_SERVICE_PORT_")
            || rest.starts_with("_PORT_")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(variables: &[(&str, &str)]) -> (Layer, Vec<Problem>) {
        let variables: Vec<_> = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let mut problems = Vec::new();
        (read(&variables, &mut problems), problems)
    }

    #[test]
    fn every_key_has_a_variable_and_some_have_two() {
        for key in keys() {
            for name in key.shortcut.map(str::to_owned).into_iter().chain([key.variable()]) {
                let (layer, problems) = read_all(&[(&name, "1")]);
                assert_eq!(layer.source(key.key), Some(&Source::Variable(name)), "{problems:?}");
            }
        }
        assert_eq!(find("LIQUID_LISTEN__ADDRESS").unwrap().key, "listen.address");
        assert_eq!(find("LIQUID_ENVIRONMENT").unwrap().key, "environment");
        assert_eq!(find("LIQUID_API_KEY_FILE").unwrap().key, "credentials.api.key_file");
    }

    #[test]
    fn what_names_no_key_is_refused_without_its_value() {
        for (name, nearest) in [
            ("LIQUID_LISTEN_ADDRESS", Some("LIQUID_LISTEN__ADDRESS")),
            ("LIQUID_API_KEYY", Some("LIQUID_API_KEY")),
            ("LIQUID_API_KEY_FILES", Some("LIQUID_API_KEY_FILE")),
            ("LIQUID_CONFIGS", Some("LIQUID_CONFIG")),
            ("LIQUID_log__level", Some("LIQUID_LOG__LEVEL")),
            ("LIQUID_COLOUR", None),
            ("LIQUID_", None),
        ] {
            let (_, problems) = read_all(&[(name, "canary"), ("PATH", "/bin"), ("LIQUIDITY", "1")]);
            let [problem] = problems.as_slice() else { panic!("{problems:?}") };
            assert_eq!(problem.nearest.as_deref(), nearest, "{name}");
            assert!(!problem.to_string().contains("canary"), "{problem}");
        }
    }

    #[test]
    fn broken_and_double_values_are_problems() {
        let (_, problems) = read_all(&[
            ("LIQUID_CONFIG", ""),
            ("LIQUID_UPSTREAM__CA_FILE", "/etc/\u{fffd}.pem"),
            ("LIQUID_API_KEY_FILE", "/a"),
            ("LIQUID_CREDENTIALS__API__KEY_FILE", "/b"),
        ]);
        let told: Vec<_> = problems.iter().map(|p| format!("{} {}", p.key, p.what)).collect();
        assert_eq!(
            told,
            [
                "LIQUID_CONFIG is set but empty",
                "LIQUID_CREDENTIALS__API__KEY_FILE sets a key twice",
                "LIQUID_UPSTREAM__CA_FILE is not UTF-8",
            ]
        );
    }

    #[test]
    fn what_kubernetes_makes_up_is_no_mistake() {
        let made_up = [
            ("LIQUID_AUTH_PROXY_SERVICE_HOST", "10.0.0.1"),
            ("LIQUID_AUTH_PROXY_SERVICE_PORT", "8000"),
            ("LIQUID_AUTH_PROXY_SERVICE_PORT_HTTP", "8000"),
            ("LIQUID_AUTH_PROXY_PORT", "tcp://10.0.0.1:8000"),
            ("LIQUID_AUTH_PROXY_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ];
        assert!(read_all(&made_up).1.is_empty());
        assert_eq!(read_all(&made_up[1..]).1.len(), 4, "without the host it is nobody's service");
    }
}

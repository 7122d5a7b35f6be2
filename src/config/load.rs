//! Reads the layers of the configuration and gathers everything that is wrong with them.

use config::ValueKind;

use super::activation;
use super::file;
use super::kind::Parse;
use super::layer::{Layer, Merged};
use super::loaded::{Loaded, settings};
use super::origin::Source;
use super::problem::{Problem, Problems};
use super::reader::Reader;
use super::schema::{ADMIN_ADDRESS, ENVIRONMENT};
use super::sources::Sources;
use super::{Address, Environment, sections, shared, systemd, variables};

const DEFAULT: &str = include_str!("../../config/default.toml");

/// Reads and checks the whole configuration. Nothing is opened or connected to, apart from the
/// files that it names.
///
/// # Errors
/// Everything that is wrong in any layer, not only the first.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let merged = merge(sources, &mut problems)?;
    let inherited = activation::read(&sources.activation, &mut problems);
    match sections::config(&mut Reader::new(&merged, &mut problems)) {
        Some(config) if problems.is_empty() => {
            Ok(Loaded { settings: settings(&merged, &config), config, inherited })
        }
        _ => Err(Problems(problems)),
    }
}

/// Reads only where the admin listener is: who asks a running proxy for its health needs no
/// environment and no key.
///
/// # Errors
/// What is wrong with that one value.
pub fn load_admin(sources: &Sources) -> Result<Address, Problems> {
    let merged = merge(sources, &mut Vec::new())?;
    let mut problems = Vec::new();
    let address = Reader::new(&merged, &mut problems).required(&ADMIN_ADDRESS);
    address.ok_or(Problems(problems))
}

/// Lays the layers over each other; what is wrong within one of them is noted.
fn merge(sources: &Sources, problems: &mut Vec<Problem>) -> Result<Merged, Problems> {
    let file = match sources.file() {
        Some((path, named_by)) => file::read(&path, named_by, problems),
        None => Layer::default(),
    };
    let variables = variables::read(&sources.variables, problems);
    let flags = sources.flags.layer();

    // The environment's file lies below the layers that choose it.
    let chosen = [&flags, &variables, &file].into_iter().find_map(|layer| layer.value(ENVIRONMENT.key));
    let default = file::parse(DEFAULT, "config/default.toml", |_| Source::Default, problems);
    let environment = environment_layer(chosen, problems);
    let credentials = systemd::read(sources.credentials_directory.as_deref());
    let shared = shared::read(&sources.variables);

    Merged::new(&[default, environment, credentials, shared, file, variables, flags]).map_err(|error| {
        // The crate fails only where a layer does, and ours do not.
        let (key, what) = ("configuration".into(), error.to_string());
        Problems(vec![Problem {
            key,
            source: None,
            value: None,
            what,
            allowed: String::new(),
            nearest: None,
        }])
    })
}

/// Empty if no environment, or none that exists, is chosen: the key's own check says so.
fn environment_layer(chosen: Option<&ValueKind>, problems: &mut Vec<Problem>) -> Layer {
    let Some(Ok(environment)) = chosen.map(|value| ENVIRONMENT.kind.parse(value)) else {
        return Layer::default();
    };
    let (name, text) = environment_file(environment);
    file::parse(text, name, |_| Source::Environment(name), problems)
}

fn environment_file(environment: Environment) -> (&'static str, &'static str) {
    match environment {
        Environment::Sandbox => ("config/sandbox.toml", include_str!("../../config/sandbox.toml")),
        Environment::Staging => ("config/staging.toml", include_str!("../../config/staging.toml")),
        Environment::Production => ("config/production.toml", include_str!("../../config/production.toml")),
    }
}

#[cfg(test)]
mod tests;

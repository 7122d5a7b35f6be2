//! A configuration that passed, and the account of it that people read.

use std::fmt;

use super::layer::Merged;
use super::origin::Source;
use super::problem::printable;
use super::schema::{API_KEY, ORDERS_PASSWORD, keys};
use super::{Config, Inherited, Orders, SecretSource};

/// The configuration and where each value of it comes from.
///
/// Its `Display` is the whole configuration as TOML, each value with its source as a comment,
/// secrets redacted.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// The sockets that a service manager hands over.
    pub inherited: Inherited,
    /// Every key that is set, in the order of the documentation.
    pub settings: Vec<Setting>,
}

/// One key that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The path, in dots.
    pub key: &'static str,
    /// The value in TOML's notation; `<redacted>` for a secret.
    pub value: String,
    /// What set it.
    pub source: Source,
    /// Whether the value is redacted.
    pub is_secret: bool,
}

/// The settings in force: of a secret and its file only the one that won.
pub(super) fn settings(merged: &Merged, config: &Config) -> Vec<Setting> {
    let Config { credentials, upstream, .. } = config;
    let password = credentials.orders.as_ref().map(|Orders { password, .. }| password);
    let idle = [(&API_KEY, credentials.api.as_ref()), (&ORDERS_PASSWORD, password)].map(|(keys, won)| {
        won.map(|won| match won {
            SecretSource::Value { .. } => keys.file.key,
            SecretSource::File(_) => keys.value.key,
        })
    });
    keys()
        .filter(|key| !idle.contains(&Some(key.key)))
        .filter_map(|key| {
            let (value, source) = merged.get(key.key)?;
            // A proxy that was meant for other programs and is not used here is none of ours.
            if matches!(source, Source::Shared(_)) && upstream.proxy.is_none() {
                return None;
            }
            let (value, is_secret) = (key.shown(value), key.is_secret());
            Some(Setting { key: key.key, value, source: source.clone(), is_secret })
        })
        .collect()
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self
            .settings
            .iter()
            .map(|setting| {
                let (section, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
                (section, format!("{name} = {}", setting.value), &setting.source)
            })
            .collect();
        let width = lines.iter().map(|(_, line, _)| line.chars().count()).max().unwrap_or(0);
        let mut last = "";
        for (section, line, source) in lines {
            if section != last {
                writeln!(f, "\n[{section}]")?;
                last = section;
            }
            writeln!(f, "{line:<width$}  # {}", printable(&source.to_string()))?;
        }
        Ok(())
    }
}

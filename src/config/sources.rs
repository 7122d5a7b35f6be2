//! What the configuration is made from, as the command line hands it over.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use zeroize::{Zeroize, Zeroizing};

use super::activation::Activation;
use super::layer::Layer;
use super::origin::Source;
use super::schema::{PREFIX, keys};
use super::variables::CONFIG;
use super::{shared, systemd};

/// Everything outside the program that the configuration is made from.
#[derive(Clone, Default)]
pub struct Sources {
    /// `--config`: the user's file. Without it `LIQUID_CONFIG` may name one.
    pub file: Option<PathBuf>,
    /// The environment; of the names that do not begin with `LIQUID_` only those of proxies are looked
    /// at. What was not UTF-8 bears U+FFFD, and such a value is refused.
    pub variables: Vec<(String, String)>,
    /// `CREDENTIALS_DIRECTORY`: where systemd puts the service's credentials.
    pub credentials_directory: Option<PathBuf>,
    /// What a service manager says of sockets that it hands over.
    pub activation: Activation,
    /// What was given as flags.
    pub flags: Flags,
}

impl Sources {
    /// Adds this process's environment.
    pub fn from_process(file: Option<PathBuf>, flags: Flags) -> Zeroizing<Self> {
        let variables = std::env::vars_os().filter_map(ours).collect();
        let credentials_directory = std::env::var_os(systemd::DIRECTORY).map(PathBuf::from);
        let activation = Activation::from_process();
        Zeroizing::new(Self { file, variables, credentials_directory, activation, flags })
    }

    /// The user's file, if there is one, and what named it.
    pub(super) fn file(&self) -> Option<(PathBuf, Source)> {
        if let Some(path) = &self.file {
            return Some((path.clone(), Source::Flag("--config")));
        }
        let (name, path) = self.variables.iter().find(|(name, path)| name == CONFIG && !path.is_empty())?;
        Some((path.into(), Source::Variable(name.clone())))
    }
}

/// A variable that we read as text, with U+FFFD for what is none.
fn ours((name, value): (OsString, OsString)) -> Option<(String, String)> {
    let name = name.to_string_lossy().into_owned();
    let is_read = name.starts_with(PREFIX) || shared::is_known(&name);
    // The text itself, not a copy of it, where that can be.
    let text = |value: OsString| value.into_string().unwrap_or_else(|it| it.to_string_lossy().into_owned());
    is_read.then(|| (name, text(value)))
}

/// Wipes the variables, as secrets may be among them. The system's own copy, the environment, stays.
impl Zeroize for Sources {
    fn zeroize(&mut self) {
        self.variables.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}

/// By hand, as the values may be secret.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("file", &self.file)
            .field("variables", &self.variables.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("credentials_directory", &self.credentials_directory)
            .field("activation", &self.activation)
            .field("flags", &self.flags)
            .finish()
    }
}

/// Values given as flags, as they were typed. There is none for a secret: arguments are seen by
/// everyone on the machine.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--environment`
    pub environment: Option<String>,
    /// `--listen-address`
    pub listen_address: Option<String>,
    /// `--admin-address`
    pub admin_address: Option<String>,
    /// `--upstream-base-url`
    pub upstream_base_url: Option<String>,
    /// `--log-level`
    pub log_level: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
    /// `--log-access`
    pub log_access: Option<String>,
}

impl Flags {
    pub(super) fn layer(&self) -> Layer {
        let Self {
            environment,
            listen_address,
            admin_address,
            upstream_base_url,
            log_level,
            log_format,
            log_access,
        } = self;
        let given = [
            ("--environment", environment),
            ("--listen-address", listen_address),
            ("--admin-address", admin_address),
            ("--upstream-base-url", upstream_base_url),
            ("--log-level", log_level),
            ("--log-format", log_format),
            ("--log-access", log_access),
        ];
        let mut layer = Layer::default();
        for key in keys() {
            let Some(flag) = key.flag else { continue };
            if let Some((_, Some(text))) = given.iter().find(|(name, _)| *name == flag) {
                layer.set_text(key, text, Source::Flag(flag));
            }
        }
        layer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_reaches_its_key_and_no_secret_has_one() {
        let text = || Some("x".to_owned());
        let flags = Flags {
            environment: text(),
            listen_address: text(),
            admin_address: text(),
            upstream_base_url: text(),
            log_level: text(),
            log_format: text(),
            log_access: text(),
        };
        let layer = flags.layer();
        let set: Vec<_> = keys().filter(|key| layer.source(key.key).is_some()).collect();
        assert_eq!(set.len(), 7);
        for key in set {
            assert_eq!(key.flag, Some(format!("--{}", key.key.replace(['.', '_'], "-")).as_str()));
            assert!(!key.is_secret());
        }
    }

    #[test]
    fn only_our_variables_are_read_and_broken_ones_stay_visible() {
        use std::os::unix::ffi::OsStringExt;

        let broken = OsString::from_vec(b"/\xff".to_vec());
        assert_eq!(ours(("LIQUID_CONFIG".into(), broken)).unwrap().1, "/\u{fffd}");
        assert_eq!(ours(("PATH".into(), "/bin".into())), None);
    }

    #[test]
    fn debug_shows_no_value() {
        let variables = vec![("LIQUID_API_KEY".into(), "canary".into())];
        let shown = format!("{:?}", Sources { variables, ..Sources::default() });
        assert!(shown.contains("LIQUID_API_KEY") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn the_flag_names_the_file_before_the_variable() {
        let variables = vec![(CONFIG.to_owned(), "/from/variable".to_owned())];
        let mut sources = Sources { variables, ..Sources::default() };
        assert_eq!(sources.file().unwrap(), ("/from/variable".into(), Source::Variable(CONFIG.into())));
        sources.file = Some("/from/flag".into());
        assert_eq!(sources.file().unwrap(), ("/from/flag".into(), Source::Flag("--config")));
        assert!(Sources::default().file().is_none());
    }
}

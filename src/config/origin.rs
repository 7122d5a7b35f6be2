//! Where a value comes from, in the words with which people find it again.

use std::fmt;
use std::path::PathBuf;

/// What set a value. The variants stand in the order of the layers: a later one wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `config/default.toml`, embedded in the program.
    Default,
    /// The environment's file, embedded in the program: for example `config/staging.toml`.
    Environment(&'static str),
    /// A file in the directory where systemd puts a service's credentials.
    Credential,
    /// A variable that many programs read, by its name: `HTTPS_PROXY`.
    Shared(&'static str),
    /// The user's file.
    File {
        /// As it was given, not made absolute.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// An environment variable, by its name.
    Variable(String),
    /// A flag, with its dashes.
    Flag(&'static str),
}

impl Source {
    /// The layer's rank: the higher one wins.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::Environment(_) => 1,
            Self::Credential => 2,
            Self::Shared(_) => 3,
            Self::File { .. } => 4,
            Self::Variable(_) => 5,
            Self::Flag(_) => 6,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("config/default.toml (built in)"),
            Self::Environment(name) => write!(f, "{name} (built in)"),
            Self::Credential => f.write_str("$CREDENTIALS_DIRECTORY"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Shared(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

//! A value that must not be seen: redacted wherever it could be printed, wiped from memory when dropped.

pub mod shared;
pub mod watch;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use zeroize::{Zeroize, Zeroizing};

/// The most bytes a secret may have: more than any key, few enough for a header.
pub const MAX_SECRET_BYTES: usize = 8 * 1024;

/// An API key, a password or a token.
///
/// It has no `Display`, its `Debug` is redacted, and its memory is wiped when the last of its clones, which
/// all share it, is dropped. A secret has between 1 and [`MAX_SECRET_BYTES`] bytes, all of them visible ASCII, so that it can
/// always stand in a header (RFC 9110, section 5.5).
#[derive(Clone)]
pub struct Secret(Arc<SecretString>);

impl Secret {
    /// Takes a secret as it was typed: white space around it (a newline at a file's end) goes.
    pub fn parse(mut raw: String) -> Result<Self, SecretError> {
        let trimmed = raw.trim();
        let checked = if trimmed.is_empty() {
            Err(SecretError::Empty)
        } else if trimmed.len() > MAX_SECRET_BYTES {
            Err(SecretError::TooLong)
        } else if !trimmed.bytes().all(|b| b.is_ascii_graphic()) {
            Err(SecretError::NotVisibleAscii)
        } else {
            Ok(Self(Arc::new(SecretString::from(trimmed))))
        };
        raw.zeroize();
        checked
    }

    /// Reads a secret from a file.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        use io::Read;

        // Room for all that is read: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES + 2));
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_SECRET_BYTES as u64 + 2).read_to_end(&mut bytes))
            .map_err(|error| SecretError::Unreadable { path: path.to_owned(), error })?;
        let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::NotVisibleAscii)?;
        Self::parse(text.to_owned())
    }

    /// The value itself. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Where a secret comes from, and so what to name when it is refused.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// Given in the configuration; `from` is what people look for: a variable's or a file's name.
    Value {
        /// The secret.
        secret: Secret,
        /// For example `LIQUID_API_KEY`.
        from: String,
    },
    /// A file that holds it and nothing else.
    File(PathBuf),
}

impl SecretSource {
    /// The secret as it is now: a file is read again.
    pub fn read(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Value { secret, .. } => Ok(secret.clone()),
            Self::File(path) => Secret::read(path),
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { from, .. } => f.write_str(from),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why a secret cannot be used. None of the texts holds any part of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Nothing, or nothing but white space.
    #[error("is empty")]
    Empty,
    /// More than [`MAX_SECRET_BYTES`].
    #[error("is longer than {MAX_SECRET_BYTES} bytes")]
    TooLong,
    /// A byte that no header may carry.
    #[error("has a character that is not visible ASCII")]
    NotVisibleAscii,
    /// The file could not be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn debug_shows_nothing_of_it() {
        let source = SecretSource::Value {
            secret: Secret::parse("canary-1234".into()).unwrap(),
            from: "LIQUID_API_KEY".into(),
        };
        let shown = format!("{source:?} {source} {:#?}", source.read().unwrap());
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("LIQUID_API_KEY"));
    }

    #[test]
    fn white_space_around_it_goes() {
        assert_eq!(Secret::parse(" key-1\r\n".into()).unwrap().expose(), "key-1");
    }

    #[test]
    fn what_no_header_may_carry_is_refused() {
        for (raw, why) in [
            ("", "is empty"),
            (" \n", "is empty"),
            ("a b", "not visible ASCII"),
            ("a\nb", "not visible ASCII"),
            ("schlüssel", "not visible ASCII"),
        ] {
            let error = Secret::parse(raw.into()).unwrap_err().to_string();
            assert!(error.contains(why), "{raw:?}: {error}");
        }
        let long = "k".repeat(MAX_SECRET_BYTES);
        assert!(Secret::parse(long.clone()).is_ok());
        assert!(matches!(Secret::parse(long + "k"), Err(SecretError::TooLong)));
    }

    #[test]
    fn a_file_is_read_whole_or_refused() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "from-a-file").unwrap();
        assert_eq!(Secret::read(file.path()).unwrap().expose(), "from-a-file");

        file.write_all(&[b'k'; MAX_SECRET_BYTES]).unwrap();
        assert!(Secret::read(file.path()).is_err());

        let missing = Secret::read(Path::new("/nonexistent/key")).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read /nonexistent/key: "));
    }
}

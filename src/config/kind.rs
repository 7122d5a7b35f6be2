//! What kinds of values there are: each says in one place what it takes, and takes exactly that.

mod caller;
mod credential;
mod list;
mod listen;
mod network;
mod outbound;
mod path;
mod quantity;

use std::path::PathBuf;

use config::ValueKind;

pub(super) use caller::{AllowedHost, FieldName, Origin};
pub(super) use credential::{SecretText, UserId};
pub(super) use list::{List, MAX_ITEMS};
pub(super) use listen::{ListenAddress, Mode, Uid};
pub(super) use network::{BaseUrl, is_loopback};
pub(super) use outbound::{HttpProxy, NoProxy};
pub(super) use path::{MethodAndPath, PathPrefix};
pub(super) use quantity::{Count, Ratio, Size, Time};

use self::quantity::whole;
use super::nearest::nearest;
use super::problem::shown;

/// A kind of value, as messages and documentation see it.
pub trait Kind: Sync {
    /// What is allowed, for people; it stands in error messages and in the documentation.
    fn allowed(&self) -> String;

    /// Gives a text from a variable or flag the type that a file would have written. A text that
    /// cannot have it stays a text, for the key's own check to refuse.
    fn typed(&self, text: &str) -> ValueKind {
        ValueKind::from(text)
    }

    /// A value for people, in TOML's notation, without what is secret in it.
    fn shown(&self, value: &ValueKind) -> String {
        shown(value)
    }

    /// Of a list of these, the most items.
    fn most_items(&self) -> usize {
        MAX_ITEMS
    }

    /// Whether a file gives it as a list.
    fn takes_list(&self) -> bool {
        false
    }

    /// Whether the value must not be shown.
    fn is_secret(&self) -> bool {
        false
    }
}

/// A kind of value, as the program reads it.
pub(super) trait Parse: Kind {
    /// What comes out.
    type Value;

    /// Takes a value or says why not.
    fn parse(&self, value: &ValueKind) -> Result<Self::Value, Refusal>;
}

/// Why a value was not taken.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    /// To be read after the key.
    pub(super) what: String,
    /// The value that was probably meant.
    pub(super) nearest: Option<String>,
    /// The value may hold something secret although its key is none.
    pub(super) hides_value: bool,
}

impl Refusal {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), nearest: None, hides_value: false }
    }

    pub(super) fn hiding_value(self) -> Self {
        Self { hides_value: true, ..self }
    }
}

fn text(value: &ValueKind) -> Result<&str, Refusal> {
    match value {
        ValueKind::String(text) if text.is_empty() => Err(Refusal::new("is empty")),
        ValueKind::String(text) => Ok(text),
        ValueKind::Boolean(_) => Err(Refusal::new("is true or false where a text in quotes belongs")),
        ValueKind::Array(_) => Err(Refusal::new("is a list where a text in quotes belongs")),
        _ => Err(Refusal::new("is a number where a text in quotes belongs")),
    }
}

/// `true` or `false`.
pub(super) struct Switch;

impl Kind for Switch {
    fn allowed(&self) -> String {
        "`true` or `false`".into()
    }

    fn typed(&self, text: &str) -> ValueKind {
        text.parse::<bool>().map_or_else(|_| text.into(), ValueKind::from)
    }
}

impl Parse for Switch {
    type Value = bool;

    fn parse(&self, value: &ValueKind) -> Result<bool, Refusal> {
        match value {
            ValueKind::Boolean(on) => Ok(*on),
            _ => Err(Refusal::new("is neither true nor false")),
        }
    }
}

/// One of a few words.
pub(super) struct Choice<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl<T: Sync> Kind for Choice<T> {
    fn allowed(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| format!("`{word}`")).collect();
        match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => words.concat(),
        }
    }
}

impl<T: Sync + Copy> Parse for Choice<T> {
    type Value = T;

    fn parse(&self, value: &ValueKind) -> Result<T, Refusal> {
        let given = text(value)?;
        match self.0.iter().find(|(word, _)| *word == given) {
            Some((_, choice)) => Ok(*choice),
            None => Err(Refusal {
                nearest: nearest(given, self.0.iter().map(|(word, _)| *word)).map(str::to_owned),
                ..Refusal::new("is none of the values there are")
            }),
        }
    }
}

/// The path of a file. Whether the file is any good is a rule of its key.
pub(super) struct FilePath;

impl Kind for FilePath {
    fn allowed(&self) -> String {
        "path of a readable file".into()
    }
}

impl Parse for FilePath {
    type Value = PathBuf;

    fn parse(&self, value: &ValueKind) -> Result<PathBuf, Refusal> {
        text(value).map(PathBuf::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_as_written() {
        let choice = Choice(&[("auto", 1), ("never", 2)]);
        assert_eq!(choice.allowed(), "`auto` or `never`");
        assert_eq!(choice.parse(&"never".into()), Ok(2));
        let refusal = choice.parse(&"Auto".into()).unwrap_err();
        assert_eq!(refusal.nearest.as_deref(), Some("auto"));
        assert!(choice.parse(&true.into()).is_err());
    }

    #[test]
    fn a_switch_is_a_word_in_a_variable_and_none_in_a_file() {
        assert_eq!(Switch.parse(&Switch.typed("true")), Ok(true));
        assert!(Switch.parse(&Switch.typed("yes")).is_err());
        assert!(Switch.parse(&"true".into()).is_err());
    }
}

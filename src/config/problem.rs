//! What is wrong with a configuration, told so that it can be put right without a second look.

use std::fmt;

use config::ValueKind;

use super::kind::MAX_ITEMS;
use super::origin::Source;

/// The most characters of a foreign text that a message repeats.
const MAX_SHOWN: usize = 120;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, in dots; for a variable that names no key, the variable; for a file, its path.
    pub key: String,
    /// What set it; `None` where nothing did and something has to.
    pub source: Option<Source>,
    /// The value as TOML would have it. `None` for a secret, and for what may be one: the value of
    /// an unknown key, a URL with a user or a query.
    pub value: Option<String>,
    /// What is wrong, to be read after the key: "is not a duration".
    pub what: String,
    /// What would be right.
    pub allowed: String,
    /// The known name that was probably meant.
    pub nearest: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", printable(&self.key), printable(&self.what))?;
        let source = self.source.as_ref().map_or_else(|| "(not set)".to_owned(), Source::to_string);
        let rows = [
            ("from", Some(&source).filter(|source| **source != self.key)),
            ("value", self.value.as_ref()),
            ("allowed", Some(&self.allowed)),
            ("nearest", self.nearest.as_ref()),
        ];
        for (name, text) in rows {
            if let Some(text) = text {
                write!(f, "\n    {name:<8} {}", printable(text))?;
            }
        }
        Ok(())
    }
}

/// Everything that is wrong, in the order: the file, the variables, then the keys as the
/// documentation lists them. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has 1 problem:")?,
            n => write!(f, "the configuration has {n} problems:")?,
        }
        for problem in &self.0 {
            write!(f, "\n\n{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A value in TOML's notation. Tables never get this far: no key takes one.
pub(super) fn shown(value: &ValueKind) -> String {
    match value {
        ValueKind::String(text) => format!("{:?}", clipped(text)),
        ValueKind::Array(items) => {
            let mut shown: Vec<_> = items.iter().take(MAX_ITEMS).map(|item| shown(&item.kind)).collect();
            shown.extend((items.len() > MAX_ITEMS).then(|| "…".to_owned()));
            format!("[{}]", shown.join(", "))
        }
        other => other.to_string(),
    }
}

/// A foreign text, cut where it grows too long for a message.
pub(super) fn clipped(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text without what could disturb a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_look_as_in_a_file_and_end_somewhere() {
        assert_eq!(shown(&vec!["a\"b", "c"].into()), r#"["a\"b", "c"]"#);
        assert_eq!(shown(&Vec::<ValueKind>::new().into()), "[]");
        let long = shown(&vec![7_i64; MAX_ITEMS + 5].into());
        assert_eq!((long.matches('7').count(), long.ends_with(", …]")), (MAX_ITEMS, true));
        assert!(!shown(&vec![7_i64; MAX_ITEMS].into()).contains('…'));
    }

    #[test]
    fn foreign_texts_disturb_nothing() {
        let problem = Problem {
            key: "a\u{1b}[2J".into(),
            source: Some(Source::File { path: "b\nc".into(), line: 1 }),
            value: Some(shown(&"\u{7}".repeat(500).into())),
            what: "is \r bad".into(),
            allowed: "good".into(),
            nearest: None,
        };
        let lines = problem.to_string();
        assert!(!lines.contains(['\u{1b}', '\r', '\u{7}']), "{lines:?}");
        assert_eq!(lines.lines().count(), 4, "{lines}");
        assert!(lines.lines().all(|line| line.len() < 1000), "{lines}");
    }
}

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
    /// an unknown key, a URL with a user or a query, whatever looks like a key.
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

/// In a text of this many letters and digits together somebody may have put a key.
const MIN_KEY: usize = 12;

/// A word of any kind is no longer than this.
const MAX_WORD: usize = 24;

/// Whether a value looks as if it were a secret in the wrong place. Rather too often than too seldom: its
/// key and its line are told in any case.
pub(super) fn may_be_secret(value: &ValueKind) -> bool {
    let is_between = |c: char| c.is_whitespace() || "/:.,;@[]".contains(c);
    match value {
        ValueKind::String(text) => text.split(is_between).any(|part| {
            let has = |is: fn(&char) -> bool| part.chars().any(|c| is(&c));
            let is_mixed = has(char::is_ascii_alphabetic) && has(char::is_ascii_digit);
            part.len() > MAX_WORD || (is_mixed && part.len() >= MIN_KEY)
        }),
        ValueKind::Array(items) => items.iter().any(|item| may_be_secret(&item.kind)),
        _ => false,
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
    fn what_looks_like_a_key_may_be_one() {
        for text in [
            "0f5b8a61c2d94e7d",
            "550e8400-e29b-41d4-a716-446655440000",
            "https://live_key_51Habc/",
            "sk-AbCdEfGhIjKlMnOpQrStUvWx",
            "POST /x-9f8e7d6c5b4a",
            "k9/xT2+pQ7?vR4>aB8=",
        ] {
            assert!(may_be_secret(&text.into()), "{text}");
            assert!(may_be_secret(&vec!["/orders", text].into()), "{text}");
        }
        for text in [
            "",
            "stagging",
            "http://api.liquidcommerce.cloud",
            "https://10.0.0.1:8443/v1",
            "[2001:db8::8a2e:370:7334]:8000",
            "POST /checkout/complete",
            "/etc/liquid-auth-proxy/api_key",
            "5 minutes 30 seconds",
            "64MB",
            "1234567890123456",
        ] {
            assert!(!may_be_secret(&text.into()), "{text}");
        }
        assert!(!may_be_secret(&5_i64.into()));
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

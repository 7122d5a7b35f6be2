//! Takes typed values out of the merged layers and notes each one that is missing or wrong.

use config::ValueKind;

use super::kind::{Parse, Refusal};
use super::layer::Merged;
use super::origin::Source;
use super::problem::{Problem, may_be_secret, shown};
use super::schema::Key;

/// Every `None` that a method returns for a key that has to be there stands for a noted problem.
pub(super) struct Reader<'a> {
    merged: &'a Merged,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(merged: &'a Merged, problems: &'a mut Vec<Problem>) -> Self {
        Self { merged, problems }
    }

    /// A key that has to be there.
    pub(super) fn required<K: Parse + 'static>(&mut self, key: &'static Key<K>) -> Option<K::Value> {
        if self.source(key).is_none() {
            self.refuse(key, Refusal::new(format!("must be given, for example by {}", key.variable())));
        }
        self.optional(key)
    }

    /// A key that may be missing.
    pub(super) fn optional<K: Parse + 'static>(&mut self, key: &'static Key<K>) -> Option<K::Value> {
        let (value, _) = self.merged.get(key.key)?;
        match key.kind.parse(value) {
            Ok(value) => Some(value),
            Err(refusal) => {
                self.refuse(key, refusal);
                None
            }
        }
    }

    /// What set a key.
    pub(super) fn source(&self, key: &Key) -> Option<&'a Source> {
        self.merged.get(key.key).map(|(_, source)| source)
    }

    /// Notes what is wrong with a key, whoever found it.
    pub(super) fn refuse(&mut self, key: &'static Key, refusal: Refusal) {
        let set = self.merged.get(key.key);
        let is_shown = |value: &&ValueKind| !(key.is_secret() || refusal.hides_value || may_be_secret(value));
        self.problems.push(Problem {
            key: key.key.to_owned(),
            source: set.map(|(_, source)| source.clone()),
            value: set.map(|(value, _)| value).filter(is_shown).map(shown),
            what: refusal.what,
            allowed: key.allowed(),
            nearest: refusal.nearest,
        });
    }
}

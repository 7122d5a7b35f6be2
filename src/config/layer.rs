//! One layer of values, and the layers laid over each other.
//!
//! The `config` crate does the laying. It gets no values, only a text of origin for each, which is how the
//! winning value is found again with its source.

use std::fmt;

use config::{ConfigError, Map, Value, ValueKind};
use zeroize::Zeroize;

use super::origin::Source;
use super::schema::Key;

/// The values that one file, the variables or the flags give. Known keys only.
#[derive(Clone, Default)]
pub(super) struct Layer {
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    key: &'static Key,
    value: ValueKind,
    source: Source,
}

impl Layer {
    /// Sets a value that has its type already.
    pub(super) fn set(&mut self, key: &'static Key, value: ValueKind, source: Source) {
        self.entries.push(Entry { key, value, source });
    }

    /// Sets a value given as text, as variables and flags are.
    pub(super) fn set_text(&mut self, key: &'static Key, text: &str, source: Source) {
        self.set(key, key.kind.typed(text), source);
    }

    /// What set a key in this layer.
    pub(super) fn source(&self, key: &str) -> Option<&Source> {
        self.entries.iter().find(|entry| entry.key.key == key).map(|entry| &entry.source)
    }

    /// The value of a key in this layer.
    pub(super) fn value(&self, key: &str) -> Option<&ValueKind> {
        self.entries.iter().find(|entry| entry.key.key == key).map(|entry| &entry.value)
    }
}

/// By hand, as the values may be secret.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries.iter().map(|entry| (entry.key.key, &entry.source))).finish()
    }
}

/// The values may be secret.
impl Drop for Entry {
    fn drop(&mut self) {
        wipe(&mut self.value);
    }
}

fn wipe(value: &mut ValueKind) {
    match value {
        ValueKind::String(text) => text.zeroize(),
        ValueKind::Array(items) => items.iter_mut().for_each(|item| wipe(&mut item.kind)),
        // No key takes a table, and the others hold no text.
        _ => {}
    }
}

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    /// Without the values: it makes copies, and wipes none of them. What it needs to know is who set what.
    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let value = |entry: &Entry| Value::new(Some(&entry.source.to_string()), ValueKind::Boolean(true));
        Ok(self.entries.iter().map(|entry| (entry.key.key.to_owned(), value(entry))).collect())
    }
}

/// All layers as one. It has no `Debug`: it holds secrets.
pub(super) struct Merged {
    /// Who has set each key last.
    root: Map<String, Value>,
    entries: Vec<Entry>,
}

impl Merged {
    /// Lays each layer over those before it.
    pub(super) fn new(layers: &[Layer]) -> Result<Self, ConfigError> {
        let entries = layers.iter().flat_map(|layer| &layer.entries).cloned().collect();
        let mut builder = config::Config::builder();
        for layer in layers {
            builder = builder.add_source(layer.clone());
        }
        let merged = builder.build()?;
        Ok(Self { root: config::Source::collect(&merged)?, entries })
    }

    /// The winning value of a key, and what set it.
    pub(super) fn get(&self, key: &str) -> Option<(&ValueKind, &Source)> {
        let mut parts = key.split('.');
        let mut value = self.root.get(parts.next()?)?;
        for part in parts {
            let ValueKind::Table(table) = &value.kind else { return None };
            value = table.get(part)?;
        }
        let origin = value.origin()?;
        let entry = self.entries.iter().find(|it| it.key.key == key && it.source.to_string() == origin)?;
        Some((&entry.value, &entry.source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::{CREDENTIALS_API_KEY, LISTEN_ADDRESS};

    #[test]
    fn a_value_is_wiped_whatever_it_is() {
        for mut value in ["canary".into(), vec!["canary", "canary"].into(), 7_i64.into()] {
            wipe(&mut value);
            assert!(!format!("{value:?}").contains("canary"), "{value:?}");
        }
    }

    #[test]
    fn the_later_layer_wins_and_is_named() {
        let (mut low, mut high) = (Layer::default(), Layer::default());
        low.set_text(&LISTEN_ADDRESS, "low", Source::Default);
        low.set_text(&CREDENTIALS_API_KEY, "canary", Source::Default);
        high.set_text(&LISTEN_ADDRESS, "high", Source::Flag("--listen-address"));

        let merged = Merged::new(&[low.clone(), high]).unwrap();
        let (value, source) = merged.get("listen.address").unwrap();
        assert_eq!((value, source), (&"high".into(), &Source::Flag("--listen-address")));
        assert_eq!(merged.get("credentials.api.key").unwrap().1, &Source::Default);
        assert!(merged.get("admin.address").is_none());
        assert!(!format!("{low:?}").contains("canary"), "{low:?}");
        // Nor has the crate that lays them over each other seen it.
        assert_eq!(merged.get("credentials.api.key").unwrap().0, &"canary".into());
        assert!(!format!("{:?}", merged.root).contains("canary"));
    }
}

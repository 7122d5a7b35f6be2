//! Lists: in a file as TOML has them, in a variable with commas between the items.

use config::ValueKind;

use super::{Kind, Parse, Refusal};

/// The most items of a list, unless its kind says otherwise: each may be looked at for every request.
pub(in crate::config) const MAX_ITEMS: usize = 64;

/// What stands in a variable for a list without items. An empty variable is a value that did not arrive.
const NONE: &str = "none";

/// Any number of items of one kind, in their order.
pub(in crate::config) struct List<K>(pub(in crate::config) K);

impl<K: Kind> Kind for List<K> {
    fn allowed(&self) -> String {
        let items = self.0.allowed();
        format!(
            "a list of {items}, at most {}; in a variable with commas between them, `{NONE}` for no item",
            self.0.most_items()
        )
    }

    fn typed(&self, text: &str) -> ValueKind {
        match text.trim() {
            "" => text.into(),
            NONE => Vec::<ValueKind>::new().into(),
            items => items.split(',').map(|item| self.0.typed(item.trim())).collect::<Vec<_>>().into(),
        }
    }

    fn takes_list(&self) -> bool {
        true
    }
}

impl<K: Parse> Parse for List<K> {
    type Value = Vec<K::Value>;

    fn parse(&self, value: &ValueKind) -> Result<Self::Value, Refusal> {
        let items = match value {
            ValueKind::Array(items) => items,
            ValueKind::String(text) if text.trim().is_empty() => return Err(Refusal::new("is empty")),
            _ => return Err(Refusal::new("is one value where a list belongs")),
        };
        if items.len() > self.0.most_items() {
            return Err(Refusal::new(format!("has {} items", items.len())));
        }
        let parse = |(index, item): (usize, &config::Value)| {
            self.0.parse(&item.kind).map_err(|refusal| Refusal {
                what: format!("item {} {}", index + 1, refusal.what),
                ..refusal
            })
        };
        items.iter().enumerate().map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::kind::PathPrefix;

    const PATHS: List<PathPrefix> = List(PathPrefix);

    #[test]
    fn a_variable_and_a_file_mean_the_same() {
        for (text, paths) in [
            ("/a", vec!["/a"]),
            ("/a,/b/c", vec!["/a", "/b/c"]),
            (" /a , /b ", vec!["/a", "/b"]),
            ("none", vec![]),
        ] {
            assert_eq!(PATHS.parse(&PATHS.typed(text)).unwrap(), paths, "{text}");
            assert_eq!(PATHS.parse(&paths.clone().into()).unwrap(), paths, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_names_its_item() {
        for (value, what) in [
            (PATHS.typed(""), "is empty"),
            (PATHS.typed(" "), "is empty"),
            (PATHS.typed("/a,"), "item 2 is empty"),
            (PATHS.typed("/a,,/b"), "item 2 is empty"),
            (PATHS.typed("none,/a"), "item 1 does not begin with a slash"),
            (
                vec![ValueKind::from("/a"), 5_i64.into()].into(),
                "item 2 is a number where a text in quotes belongs",
            ),
            ("/a".into(), "is one value where a list belongs"),
            (5_i64.into(), "is one value where a list belongs"),
            (vec!["/a"; MAX_ITEMS + 1].into(), "has 65 items"),
        ] {
            assert_eq!(PATHS.parse(&value).unwrap_err().what, what, "{value:?}");
        }
        assert!(PATHS.parse(&vec!["/a"; MAX_ITEMS].into()).is_ok());
    }
}

//! Rules by name.

use http::Method;

use super::Rule;

/// `requests.presets`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Searching the catalogue, and nothing else.
    CatalogReadOnly,
    /// Everything but the checkout.
    NoCheckout,
}

impl Preset {
    /// What it allows.
    pub(super) fn allow(self) -> Vec<Rule> {
        match self {
            Self::CatalogReadOnly => {
                ["/catalog/search", "/catalog/availability"].map(|path| rule(Some(Method::POST), path)).into()
            }
            Self::NoCheckout => Vec::new(),
        }
    }

    /// What it denies.
    pub(super) fn deny(self) -> Vec<Rule> {
        match self {
            Self::CatalogReadOnly => Vec::new(),
            Self::NoCheckout => vec![rule(None, "/checkout")],
        }
    }
}

fn rule(method: Option<Method>, prefix: &str) -> Rule {
    Rule { method, prefix: prefix.to_owned() }
}

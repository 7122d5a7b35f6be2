//! What a search can be narrowed by, and what its answer offers to narrow it further.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::stock::Product;

/// One of a search's filters. A key that the API does not know is refused; one that this small
/// catalogue has no data for (`flavor`, `vintage`, …) holds for no product unless it is empty.
#[derive(Debug, Deserialize)]
#[serde(tag = "key", content = "values", rename_all = "camelCase")]
pub(super) enum Filter {
    Brands(Vec<String>),
    Categories(Vec<String>),
    Country(Vec<String>),
    Region(Vec<String>),
    Sizes(Vec<String>),
    Price(PriceRange),
    Availability(String),
    Engraving(YesNo),
    Presale(YesNo),
    Fulfillment(Vec<String>),
    Flavor(Vec<String>),
    Variety(Vec<String>),
    Tags(Vec<String>),
    Colors(Vec<String>),
    Appellation(Vec<String>),
    Vintage(Vec<String>),
    Materials(Vec<String>),
    CollectionTags(Vec<String>),
}

/// In cents; either end may be missing, and may be written as a number or as text.
#[derive(Debug, Deserialize)]
pub(super) struct PriceRange {
    min: Option<Amount>,
    max: Option<Amount>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Amount {
    Number(f64),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum YesNo {
    Yes,
    No,
}

impl From<bool> for YesNo {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl Amount {
    fn value(&self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(*value),
            Self::Text(text) => text.trim().parse().ok(),
        }
    }
}

impl PriceRange {
    fn holds(&self, cents: u64) -> bool {
        let cents = cents as f64;
        let min = self.min.as_ref().and_then(Amount::value).unwrap_or(0.0);
        let max = self.max.as_ref().and_then(Amount::value).unwrap_or(f64::INFINITY);
        (min..=max).contains(&cents)
    }
}

impl Filter {
    /// Whether a product passes.
    pub(super) fn holds(&self, product: &Product) -> bool {
        let any = |values: &[String], has: &str| {
            values.is_empty() || values.iter().any(|value| value.eq_ignore_ascii_case(has))
        };
        match self {
            Self::Brands(values) => any(values, product.brand),
            Self::Categories(values) => {
                any(values, product.category)
                    || any(values, product.classification)
                    || any(values, &product.cat_path())
            }
            Self::Country(values) => any(values, product.country),
            Self::Region(values) => any(values, product.region),
            Self::Sizes(values) => product.sizes.iter().any(|size| any(values, &size.name())),
            Self::Price(range) => product.prices().any(|cents| range.holds(cents)),
            Self::Availability(value) => {
                let in_stock = product.variants().any(|variant| variant.stock > 0);
                value == "AVAILABILITY_UNSPECIFIED"
                    || value == if in_stock { "IN_STOCK" } else { "OUT_OF_STOCK" }
            }
            Self::Engraving(wanted) => {
                *wanted == product.sizes.iter().any(|size| size.engraving_fee.is_some()).into()
            }
            Self::Presale(wanted) => *wanted == YesNo::No,
            Self::Fulfillment(values) => product
                .variants()
                .flat_map(|variant| variant.retailer().fulfillments())
                .any(|fulfillment| any(values, fulfillment.kind.as_str())),
            Self::Flavor(values)
            | Self::Variety(values)
            | Self::Tags(values)
            | Self::Colors(values)
            | Self::Appellation(values)
            | Self::Vintage(values)
            | Self::Materials(values)
            | Self::CollectionTags(values) => values.is_empty(),
        }
    }
}

/// How many of the products found have which brand, category and country.
pub(super) fn facets(found: &[&Product]) -> Vec<Value> {
    let facet = |bucket: &str, has: fn(&Product) -> &str| {
        let mut counts = BTreeMap::<&str, usize>::new();
        for product in found {
            *counts.entry(has(product)).or_default() += 1;
        }
        let values: Vec<Value> =
            counts.into_iter().map(|(value, count)| json!({ "value": value, "count": count })).collect();
        json!({ "bucket": bucket, "values": values })
    };
    vec![
        facet("brands", |product| product.brand),
        facet("categories", |product| product.category),
        facet("country", |product| product.country),
    ]
}

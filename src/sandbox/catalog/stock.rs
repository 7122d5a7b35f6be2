//! What can be bought: products in sizes, sizes at retailers, and how these bring them.

mod goods;

use serde_json::{Value, json};

use goods::PRODUCTS;
pub(crate) use goods::RETAILERS;

/// The most lines of an engraving.
pub(crate) const ENGRAVING_LINES: usize = 3;
/// The most characters in each line of an engraving.
pub(crate) const ENGRAVING_CHARS: usize = 15;

/// A product in all its sizes.
#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) id: &'static str,
    pub(crate) grouping: &'static str,
    pub(crate) name: &'static str,
    pub(crate) brand: &'static str,
    pub(crate) category: &'static str,
    pub(crate) classification: &'static str,
    pub(crate) region: &'static str,
    pub(crate) country: &'static str,
    pub(crate) abv: &'static str,
    pub(crate) proof: &'static str,
    pub(crate) description: &'static str,
    pub(crate) sizes: &'static [Size],
}

/// One size of a product.
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) upc: &'static str,
    pub(crate) volume: &'static str,
    pub(crate) uom: &'static str,
    /// In cents; `None` where it cannot be engraved.
    pub(crate) engraving_fee: Option<u64>,
    pub(crate) variants: &'static [Variant],
}

/// A size as one retailer sells it.
#[derive(Debug)]
pub(crate) struct Variant {
    /// Its place in [`RETAILERS`].
    retailer: usize,
    /// In cents.
    pub(crate) price: u64,
    pub(crate) stock: u64,
}

/// Who sells.
#[derive(Debug)]
pub(crate) struct Retailer {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    city: &'static str,
    state: &'static str,
    zip: &'static str,
    pub(crate) shipping: Fulfillment,
    pub(crate) on_demand: Option<Fulfillment>,
}

/// How a retailer brings it.
#[derive(Debug)]
pub(crate) struct Fulfillment {
    pub(crate) id: &'static str,
    pub(crate) kind: Kind,
    /// In cents.
    pub(crate) fee: u64,
    /// The subtotal, in cents, from which on it costs nothing.
    pub(crate) free_from: u64,
}

/// The ways to bring something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Shipping,
    OnDemand,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Shipping => "shipping",
            Self::OnDemand => "onDemand",
        }
    }

    pub(crate) fn expectation(self) -> &'static str {
        match self {
            Self::Shipping => "Ships in 2 to 4 business days",
            Self::OnDemand => "Delivered within 90 minutes",
        }
    }
}

/// Something that can be put into a cart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) product: &'static Product,
    pub(crate) size: &'static Size,
    pub(crate) variant: &'static Variant,
}

/// Everything on the shelf.
pub(crate) fn products() -> impl Iterator<Item = &'static Product> {
    PRODUCTS.iter()
}

/// What a part number, `<upc>_<retailer id>`, stands for.
pub(crate) fn offer(part_number: &str) -> Option<Offer> {
    let (upc, retailer) = part_number.split_once('_')?;
    let (product, size) =
        products().find_map(|product| Some((product, product.sizes.iter().find(|size| size.upc == upc)?)))?;
    let variant = size.variants.iter().find(|variant| variant.retailer().id == retailer)?;
    Some(Offer { product, size, variant })
}

impl Offer {
    pub(crate) fn part_number(&self) -> String {
        self.variant.part_number(self.size)
    }
}

impl Product {
    pub(crate) fn cat_path(&self) -> String {
        format!("{} > {}", self.category, self.classification)
    }

    pub(crate) fn variants(&self) -> impl Iterator<Item = &'static Variant> {
        self.sizes.iter().flat_map(|size| size.variants)
    }

    /// What it costs in each size and at each retailer, in cents.
    pub(crate) fn prices(&self) -> impl Iterator<Item = u64> {
        self.variants().map(|variant| variant.price)
    }
}

impl Size {
    pub(crate) fn name(&self) -> String {
        format!("{}{}", self.volume, self.uom)
    }

    pub(crate) fn engraving(&self) -> Value {
        json!({
            "status": self.engraving_fee.is_some(),
            "maxLines": ENGRAVING_LINES,
            "maxCharsPerLine": ENGRAVING_CHARS,
            "fee": self.engraving_fee.unwrap_or_default(),
            "location": "front",
            "isRequired": false,
        })
    }
}

impl Variant {
    pub(crate) fn retailer(&self) -> &'static Retailer {
        &RETAILERS[self.retailer]
    }

    pub(crate) fn part_number(&self, size: &Size) -> String {
        format!("{}_{}", size.upc, self.retailer().id)
    }
}

impl Retailer {
    pub(crate) fn fulfillments(&self) -> impl Iterator<Item = &Fulfillment> {
        std::iter::once(&self.shipping).chain(&self.on_demand)
    }

    pub(crate) fn fulfillment(&self, id: &str) -> Option<&Fulfillment> {
        self.fulfillments().find(|fulfillment| fulfillment.id == id)
    }

    pub(crate) fn view(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "address": { "one": "1 Sandbox Street", "two": "", "city": self.city, "state": self.state, "zip": self.zip, "country": "US" },
            "fulfillments": self.fulfillments().map(Fulfillment::view).collect::<Vec<_>>(),
            "allowBopis": false,
        })
    }
}

impl Fulfillment {
    fn view(&self) -> Value {
        json!({
            "id": self.id,
            "type": self.kind.as_str(),
            "canEngrave": self.kind == Kind::Shipping,
            "timezone": "America/New_York",
            "fees": { "fee": self.fee, "min": 0, "free": { "min": self.free_from, "active": true } },
            "expectation": { "detail": self.kind.expectation(), "short": self.kind.expectation() },
            "breaks": [],
            "items": [],
            "doesAllowPromos": true,
            "doesAllowGiftCards": false,
            "productTypesAllowed": ["SPIRITS", "WINE", "BEER"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_is_found_by_its_part_number() {
        for product in products() {
            for size in product.sizes {
                for variant in size.variants {
                    let offer = offer(&variant.part_number(size)).unwrap();
                    assert_eq!((offer.product.id, offer.variant.price), (product.id, variant.price));
                }
            }
        }
    }

    #[test]
    fn an_unknown_part_number_is_nothing() {
        for part in ["", "_", "850000000017", "850000000017_", "x_64b7f0c2a1d3e4f5a6b7c801"] {
            assert!(offer(part).is_none(), "{part}");
        }
    }
}

//! What things cost together, in cents.

use serde_json::{Value, json};

use super::carts::Line;
use super::catalog::stock::Kind;

/// The sales tax on products, in thousandths.
const TAX_PER_MILLE: u64 = 80;

/// A promotion that the sandbox knows.
#[derive(Debug)]
pub(super) struct Promo {
    pub(super) code: &'static str,
    /// Off the products' prices.
    percent: u64,
}

static PROMOS: [Promo; 1] = [Promo { code: "SANDBOX10", percent: 10 }];

/// The promotion with this code.
pub(super) fn promo(code: &str) -> Option<&'static Promo> {
    PROMOS.iter().find(|promo| promo.code.eq_ignore_ascii_case(code))
}

/// A sum by its parts, in cents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) subtotal: u64,
    pub(super) engraving: u64,
    pub(super) shipping: u64,
    pub(super) delivery: u64,
    pub(super) discounts: u64,
    pub(super) tax: u64,
    pub(super) tip: u64,
}

impl Amounts {
    /// What some lines of a cart cost before tax. Each fulfillment takes its fee once.
    pub(super) fn of<'a>(lines: impl Iterator<Item = &'a Line>, promo: Option<&Promo>) -> Self {
        let lines: Vec<&Line> = lines.collect();
        let mut amounts = Self::default();
        let mut fulfillments = Vec::new();
        for line in &lines {
            amounts.subtotal += line.price();
            amounts.engraving += line.engraving_fee();
            if !fulfillments.contains(&line.fulfillment.id) {
                fulfillments.push(line.fulfillment.id);
                let with_it = lines.iter().filter(|other| other.fulfillment.id == line.fulfillment.id);
                let together: u64 = with_it.map(|other| other.price()).sum();
                let fee = if together >= line.fulfillment.free_from { 0 } else { line.fulfillment.fee };
                match line.fulfillment.kind {
                    Kind::Shipping => amounts.shipping += fee,
                    Kind::OnDemand => amounts.delivery += fee,
                }
            }
        }
        amounts.discounts = promo.map_or(0, |promo| amounts.subtotal * promo.percent / 100);
        amounts
    }

    /// The same with the tax on products.
    pub(super) fn taxed(self) -> Self {
        Self { tax: (self.subtotal - self.discounts) * TAX_PER_MILLE / 1000, ..self }
    }

    pub(super) fn total(&self) -> u64 {
        self.subtotal + self.engraving + self.shipping + self.delivery + self.tax + self.tip - self.discounts
    }

    /// As checkouts and orders write it; they differ in where the details are.
    pub(super) fn view(&self) -> Value {
        json!({
            "subtotal": self.subtotal,
            "engraving": self.engraving,
            "service": 0,
            "shipping": self.shipping,
            "delivery": self.delivery,
            "platform": 0,
            "discounts": self.discounts,
            "giftCards": 0,
            "tax": self.tax,
            "tip": self.tip,
            "total": self.total(),
        })
    }

    pub(super) fn tax_details(&self) -> Value {
        json!({ "bag": 0, "bottleDeposits": 0, "retailDelivery": 0, "products": self.tax, "delivery": 0, "shipping": 0 })
    }

    pub(super) fn discount_details(&self) -> Value {
        json!({ "products": self.discounts, "delivery": 0, "shipping": 0, "engraving": 0, "service": 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::stock::offer;
    use super::*;

    fn line(upc: &str, quantity: u64, on_demand: bool) -> Line {
        let offer = offer(&format!("{upc}_64b7f0c2a1d3e4f5a6b7c801")).unwrap();
        let retailer = offer.variant.retailer();
        let fulfillment = if on_demand { retailer.on_demand.as_ref().unwrap() } else { &retailer.shipping };
        Line::new(offer, fulfillment, quantity)
    }

    #[test]
    fn each_fulfillment_takes_its_fee_once_and_none_above_its_limit() {
        let lines =
            [line("850000000017", 1, false), line("850000000031", 1, false), line("850000000093", 6, true)];
        let amounts = Amounts::of(lines.iter(), None);
        assert_eq!((amounts.subtotal, amounts.shipping, amounts.delivery), (4299 + 3899 + 6 * 399, 999, 599));
        let many = [line("850000000017", 4, false)];
        assert_eq!(Amounts::of(many.iter(), None).shipping, 0);
    }

    #[test]
    fn the_total_is_the_sum_of_the_parts() {
        let lines = [line("850000000048", 1, false)];
        let amounts = Amounts { tip: 500, ..Amounts::of(lines.iter(), promo("sandbox10")).taxed() };
        assert_eq!(amounts.discounts, 699);
        assert_eq!(amounts.tax, (6999 - 699) * 80 / 1000);
        assert_eq!(amounts.total(), 6999 - 699 + 999 + 504 + 500);
    }
}

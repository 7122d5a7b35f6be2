//! A cart as the API writes it.

use serde_json::{Map, Value, json};

use super::super::amounts::Amounts;
use super::super::catalog::{image, stock::RETAILERS};
use super::super::clock::iso;
use super::{Address, Cart, Coords, Line, Loc, MAX_QUANTITY};

/// Something about a cart that its owner should know.
#[derive(Debug)]
pub(crate) struct Event(Value);

impl Event {
    pub(crate) fn new(kind: &str, message: &str) -> Self {
        Self(json!({ "type": kind, "message": message }))
    }

    pub(crate) fn about(kind: &str, message: &str, part_number: &str) -> Self {
        Self(json!({ "type": kind, "message": message, "items": [{ "partNumber": part_number }] }))
    }
}

impl Cart {
    /// `{"cart": …}`, to stand beside the envelope.
    pub(super) fn view(&self, events: &[Event]) -> Map<String, Value> {
        let amounts = self.amounts();
        let cart = json!({
            "id": self.id,
            "quantity": self.lines.iter().map(|line| line.quantity).sum::<u64>(),
            "platformFee": 0,
            "deliveryFee": amounts.delivery,
            "engravingFee": amounts.engraving,
            "shippingFee": amounts.shipping,
            "discounts": amounts.discounts,
            "giftCardTotal": 0,
            "subtotal": amounts.subtotal,
            "total": amounts.total(),
            "isPresaleLocked": false,
            "presaleExpiresAt": null,
            "createdAt": iso(self.created_ms),
            "updatedAt": iso(self.updated_ms),
            "items": self.lines.iter().map(Line::view).collect::<Vec<_>>(),
            "loc": self.loc.view(),
            "retailers": self.retailers(),
            "attributes": {
                "promoCode": {
                    "value": self.promo.map_or("", |promo| promo.code),
                    "discount": amounts.discounts,
                    "freeDelivery": false, "freeServiceFee": false, "freeShipping": false,
                },
                "amounts": {
                    "fees": { "shipping": amounts.shipping, "onDemand": amounts.delivery },
                    "discounts": {
                        "shipping": 0, "onDemand": 0, "engraving": 0, "service": 0, "products": amounts.discounts,
                    },
                },
            },
            "events": events.iter().map(|event| &event.0).collect::<Vec<_>>(),
        });
        Map::from_iter([("cart".to_owned(), cart)])
    }

    /// The lines that come from this retailer.
    pub(crate) fn lines_of(&self, retailer: &str) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.offer.variant.retailer().id == retailer)
    }

    fn retailers(&self) -> Vec<Value> {
        RETAILERS
            .iter()
            .filter(|retailer| self.lines_of(retailer.id).next().is_some())
            .map(|retailer| {
                let amounts = Amounts::of(self.lines_of(retailer.id), self.promo);
                let mut view = retailer.view();
                view["platformFee"] = json!(0);
                view["engravingFee"] = json!(amounts.engraving);
                view["deliveryFee"] = json!(amounts.delivery);
                view["shippingFee"] = json!(amounts.shipping);
                view["subtotal"] = json!(amounts.subtotal);
                view["total"] = json!(amounts.total());
                view
            })
            .collect()
    }
}

impl Line {
    /// What an item of a cart and one of a checkout have in common.
    pub(crate) fn view(&self) -> Value {
        let (product, size, variant) = (self.offer.product, self.offer.size, self.offer.variant);
        let mut engraving = size.engraving();
        engraving["isEngravable"] = json!(size.engraving_fee.is_some());
        engraving["hasEngraving"] = json!(!self.engraving.is_empty());
        engraving["lines"] = self.engraving.iter().map(|line| json!(line.0)).collect();
        json!({
            "id": self.id,
            "retailerId": variant.retailer().id,
            "fulfillmentId": self.fulfillment.id,
            "variantId": self.offer.part_number(),
            "liquidId": product.id,
            "salsifyGrouping": product.grouping,
            "partNumber": self.offer.part_number(),
            "upc": size.upc,
            "sku": size.upc,
            "name": product.name,
            "brand": product.brand,
            "size": size.name(),
            "volume": size.volume,
            "uom": size.uom,
            "abv": product.abv,
            "proof": product.proof,
            "catPath": product.cat_path(),
            "pack": false,
            "packDesc": "",
            "container": "bottle",
            "containerType": "glass",
            "quantity": self.quantity,
            "maxQuantity": variant.stock.min(MAX_QUANTITY),
            "unitPrice": variant.price,
            "price": self.price(),
            "scheduledFor": self.scheduled_for.as_ref().map(|text| &text.0),
            "availableAt": null,
            "images": [image(product.grouping)],
            "mainImage": image(product.grouping),
            "attributes": {
                "engraving": engraving,
                "presale": { "canPurchaseOn": null, "estimatedShipBy": null, "isActive": false, "language": "" },
                "giftCard": { "sender": "", "message": "", "recipients": [], "sendDate": "" },
            },
        })
    }
}

impl Loc {
    fn view(&self) -> Value {
        let mut loc = Map::new();
        loc.extend(self.address.as_ref().map(|address| ("address".to_owned(), address.view())));
        loc.extend(
            self.coords
                .map(|Coords { lat, long }| ("coords".to_owned(), json!({ "lat": lat, "long": long }))),
        );
        Value::Object(loc)
    }
}

impl Address {
    pub(crate) fn view(&self) -> Value {
        json!({
            "one": self.one.0,
            "two": self.two.0,
            "city": self.city.0,
            "state": self.state.0,
            "zip": self.zip.0,
            "country": self.country.as_ref().map_or("US", |country| country.0.as_str()),
        })
    }
}

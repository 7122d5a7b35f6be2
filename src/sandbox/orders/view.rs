//! An order as the API writes it.

use serde_json::{Value, json};

use super::super::amounts::Amounts;
use super::super::carts::{Address, Line};
use super::super::catalog::{image, stock::RETAILERS, stock::Retailer};
use super::super::clock::iso;
use super::super::endpoint::Text;
use super::Order;

impl Order {
    pub(super) fn view(&self) -> Value {
        let checkout = &self.checkout;
        let (customer, cart) = (&checkout.customer, &checkout.cart);
        let gift = checkout.gift.clone().unwrap_or_default();
        json!({
            "referenceId": self.reference_id,
            "legacyOrderNumber": self.number,
            "legacyStorefrontId": null,
            "isHybrid": false,
            "partnerId": "64b7f0c2a1d3e4f5a6b7c800",
            "partnerName": "Sandbox Partner",
            "promoCode": cart.promo.map(|promo| promo.code),
            "createdAt": iso(self.created_ms),
            "updatedAt": iso(self.created_ms),
            "customer": {
                "id": text(&customer.id).unwrap_or_default(),
                "firstName": text(&customer.first_name),
                "lastName": text(&customer.last_name),
                "email": text(&customer.email),
                "phone": text(&customer.phone),
                "birthdate": text(&customer.birth_date),
            },
            "addresses": {
                "shipping": self.address(cart.loc.address.as_ref()),
                "billing": self.address(Some(&checkout.billing)),
            },
            "options": {
                "isGift": checkout.gift.is_some(),
                "giftMessage": gift.message.0,
                "giftRecipient": {
                    "name": gift.recipient.name.0, "email": gift.recipient.email.0, "phone": gift.recipient.phone.0,
                },
                "hasVerifiedAge": checkout.has_age_verify,
                "allowsSubstitution": false,
                "billingSameAsShipping": checkout.billing_same_as_shipping,
                "deliveryInstructions": null,
                "marketingPreferences": { "email": false, "sms": false },
            },
            "amounts": amounts(&checkout.amounts),
            "paymentMethods": [{ "type": "card", "card": "visa", "last4": "4242", "holder": null, "code": null }],
            "retailers": RETAILERS
                .iter()
                .filter(|retailer| cart.lines_of(retailer.id).next().is_some())
                .map(|retailer| self.retailer(retailer))
                .collect::<Vec<_>>(),
            "items": cart.lines.iter().map(item).collect::<Vec<_>>(),
        })
    }

    fn address(&self, address: Option<&Address>) -> Value {
        let customer = &self.checkout.customer;
        let mut view = address.map_or_else(|| json!({}), Address::view);
        view["firstName"] = json!(text(&customer.first_name));
        view["lastName"] = json!(text(&customer.last_name));
        view["email"] = json!(text(&customer.email));
        view["phone"] = json!(text(&customer.phone));
        view["company"] = Value::Null;
        view
    }

    fn retailer(&self, retailer: &Retailer) -> Value {
        let cart = &self.checkout.cart;
        let fulfillments: Vec<Value> = retailer
            .fulfillments()
            .filter_map(|fulfillment| {
                let of_it = |line: &&Line| line.fulfillment.id == fulfillment.id;
                let ids: Vec<&str> = cart.lines.iter().filter(of_it).map(|line| line.id.as_str()).collect();
                (!ids.is_empty()).then(|| {
                    json!({
                        "id": fulfillment.id,
                        "type": fulfillment.kind.as_str(),
                        "status": "created",
                        "scheduledFor": null,
                        "updatedAt": iso(self.created_ms),
                        "itemIds": ids,
                        "cancellation": { "category": null, "subcategory": null, "notes": null },
                        "expectationFormatted": { "detail": fulfillment.kind.expectation(), "engraving": null },
                        "packages": [],
                        "timeline": [{ "status": "created", "timestamp": iso(self.created_ms) }],
                    })
                })
            })
            .collect();
        json!({
            "id": retailer.id,
            "legacyId": null,
            "tdLinx": null,
            "name": retailer.name,
            "system": "LiquidCommerce OMS",
            "timezone": "America/New_York",
            "address": retailer.view()["address"].take(),
            "amounts": amounts(&Amounts::of(cart.lines_of(retailer.id), cart.promo).taxed()),
            "fulfillments": fulfillments,
        })
    }
}

fn item(line: &Line) -> Value {
    let (product, size, variant) = (line.offer.product, line.offer.size, line.offer.variant);
    json!({
        "id": line.id,
        "fulfillmentId": line.fulfillment.id,
        "retailerId": variant.retailer().id,
        "variantId": line.offer.part_number(),
        "liquidId": product.id,
        "legacyGrouping": product.grouping,
        "legacyPid": null,
        "expectation": line.fulfillment.kind.expectation(),
        "customerPlacement": "standard",
        "product": {
            "name": product.name,
            "brand": product.brand,
            "upc": size.upc,
            "sku": size.upc,
            "mskus": [],
            "category": product.category,
            "size": size.name(),
            "volume": size.volume,
            "uom": size.uom,
            "proof": product.proof,
            "attributes": {
                "pack": false, "packDescription": null, "abv": product.abv, "container": "bottle", "containerType": "glass",
            },
        },
        "image": image(product.grouping),
        "pricing": {
            "price": line.price(),
            "unitPrice": variant.price,
            "quantity": line.quantity,
            "tax": Amounts { subtotal: variant.price, ..Amounts::default() }.taxed().tax * line.quantity,
            "bottleDeposits": 0,
        },
        "attributes": {
            "engraving": {
                "hasEngraving": !line.engraving.is_empty(),
                "fee": line.engraving_fee(),
                "location": "front",
                "lines": line.engraving.iter().map(|line| &line.0).collect::<Vec<_>>(),
            },
            "giftCard": { "sender": null, "message": null, "recipients": [], "sendDate": null },
        },
        "isPresale": false,
        "estimatedShipBy": null,
    })
}

fn amounts(amounts: &Amounts) -> Value {
    let mut view = amounts.view();
    view["taxDetails"] = amounts.tax_details();
    view["discountDetails"] = amounts.discount_details();
    view
}

fn text(text: &Option<Text>) -> Option<&str> {
    text.as_ref().map(|text| text.0.as_str())
}

//! `POST /checkout/prepare` and `POST /checkout/complete`: a cart becomes an order, in two steps.
//!
//! Preparing fixes what is to be paid and gives a token for it; completing takes that token once.

use serde::Deserialize;
use serde_json::{Value, json};

use super::amounts::Amounts;
use super::carts::{Address, Cart, Line};
use super::catalog::stock::RETAILERS;
use super::clock::iso;
use super::endpoint::{Asked, Text};
use super::envelope::{Answer, Refusal};
use super::orders::Order;
use super::users::{self, User, is_payment};
use super::world::{World, object_id};

/// The most that a tip may be: 1,000 dollars, in cents.
const MAX_TIP: u64 = 100_000;

/// A checkout that was prepared.
#[derive(Debug, Clone)]
pub(super) struct Checkout {
    pub(super) token: String,
    pub(super) cart: Cart,
    pub(super) customer: Customer,
    pub(super) billing: Address,
    pub(super) has_age_verify: bool,
    pub(super) billing_same_as_shipping: bool,
    pub(super) gift: Option<Gift>,
    pub(super) amounts: Amounts,
    completed: bool,
}

/// Who buys.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Customer {
    pub(super) id: Option<Text>,
    pub(super) email: Option<Text>,
    pub(super) first_name: Option<Text>,
    pub(super) last_name: Option<Text>,
    pub(super) phone: Option<Text>,
    pub(super) birth_date: Option<Text>,
}

/// For whom.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Gift {
    pub(super) message: Text,
    pub(super) recipient: Recipient,
}

/// Who gets a gift.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Recipient {
    pub(super) name: Text,
    pub(super) email: Text,
    pub(super) phone: Text,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Prepare {
    #[serde(default)]
    cart_id: String,
    customer: Option<Named>,
    #[serde(default)]
    has_age_verify: bool,
    billing_address: Option<Address>,
    #[serde(default)]
    billing_same_as_shipping: bool,
    #[serde(default)]
    is_gift: bool,
    gift_options: Option<Gift>,
    #[serde(default)]
    delivery_tips: Vec<Tip>,
}

/// A customer by id or in words.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Named {
    Id(String),
    Described(Box<Customer>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tip {
    fulfillment_id: String,
    tip: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Complete {
    token: String,
    payment: String,
}

/// Says what is to be paid for a cart and gives a token for it.
pub(super) fn prepare(world: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let prepare: Prepare = asked.body()?;
    let cart = world
        .carts
        .get(&prepare.cart_id)
        .ok_or_else(|| Refusal::coded(5485, "The cartId requested is invalid, check and try again."))?;
    if cart.ordered {
        return Err(Refusal::coded(5484, "This cart is no longer available."));
    }
    if cart.lines.is_empty() {
        return Err(Refusal::coded(5494, "Item(s) in your cart are no longer available"));
    }
    let shipping =
        cart.loc.address.clone().ok_or_else(|| {
            Refusal::coded(5497, "The address in your cart has changed, check and try again.")
        })?;
    let customer = match prepare.customer {
        None => Customer::default(),
        Some(Named::Id(named)) => account(world, &named)?,
        Some(Named::Described(described)) => match &described.id {
            Some(id) => described.clone().or(account(world, &id.0)?),
            None => *described,
        },
    };
    let checkout = Checkout {
        token: format!("checkout_{}{}", object_id(), object_id()),
        cart: cart.clone(),
        customer,
        billing: prepare.billing_address.filter(|_| !prepare.billing_same_as_shipping).unwrap_or(shipping),
        has_age_verify: prepare.has_age_verify,
        billing_same_as_shipping: prepare.billing_same_as_shipping,
        gift: prepare.gift_options.filter(|_| prepare.is_gift),
        amounts: Amounts { tip: tips(cart, &prepare.delivery_tips)?, ..cart.amounts().taxed() },
        completed: false,
    };
    let view = checkout.view(asked.now_ms);
    world.checkouts.put(checkout.token.clone(), checkout);
    Ok(Answer::Data(view))
}

/// Takes a prepared checkout's token and a payment, and makes the order.
pub(super) fn complete(world: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let Complete { token, payment } = asked.body()?;
    let checkout = world.checkouts.get_mut(&token).ok_or_else(|| {
        Refusal::coded(5489, "The checkout token provided is invalid, check and try again.")
    })?;
    let cart = world
        .carts
        .get_mut(&checkout.cart.id)
        .ok_or_else(|| Refusal::coded(5484, "This cart is no longer available."))?;
    if checkout.completed || cart.ordered {
        return Err(Refusal::coded(
            5493,
            "This checkout has already been processed, create a new cart to process a new checkout.",
        ));
    }
    if cart.revision != checkout.cart.revision {
        return Err(Refusal::coded(5501, "The cart requested was updated during your checkout."));
    }
    if !is_payment(&payment) {
        return Err(Refusal::coded(5499, "The payment method provided was not found."));
    }
    if !checkout.has_age_verify {
        return Err(Refusal::coded(5483, "Please verify your birthdate and try again."));
    }
    if checkout.customer.email.is_none() {
        return Err(Refusal::coded(
            5504,
            "Customer profile information is incomplete. Please provide all required details.",
        ));
    }
    checkout.completed = true;
    cart.ordered = true;
    let order = Order::new(checkout.clone(), asked.now_ms);
    let view = json!({
        "order": { "legacyOrderNumber": order.number, "referenceId": order.reference_id },
    });
    world.orders.put(order.reference_id.clone(), order);
    Ok(Answer::Data(view))
}

/// What is known of a customer who has an account.
fn account(world: &World, named: &str) -> Result<Customer, Refusal> {
    users::find(&world.users, named)
        .map(Customer::from)
        .ok_or_else(|| Refusal::coded(5495, "The customer account was not found."))
}

/// The tips together, in cents.
fn tips(cart: &Cart, tips: &[Tip]) -> Result<u64, Refusal> {
    let refused = || Refusal::coded(5503, "There's been an error applying your tips to the checkout.");
    tips.iter().try_fold(0_u64, |sum, tip| {
        let known = cart.lines.iter().any(|line| line.fulfillment.id == tip.fulfillment_id);
        if !known || !(0.0..=MAX_TIP as f64).contains(&tip.tip) {
            return Err(refused());
        }
        Ok(sum.saturating_add(tip.tip.round() as u64))
    })
}

impl From<&User> for Customer {
    fn from(user: &User) -> Self {
        Self {
            id: Some(Text(user.id.clone())),
            email: Some(Text(user.email.clone())),
            first_name: user.profile.first_name.clone(),
            last_name: user.profile.last_name.clone(),
            phone: user.profile.phone.clone(),
            birth_date: user.profile.birth_date.clone(),
        }
    }
}

impl Customer {
    /// Fills in from the account what was not said.
    fn or(self, account: Self) -> Self {
        Self {
            id: account.id,
            email: self.email.or(account.email),
            first_name: self.first_name.or(account.first_name),
            last_name: self.last_name.or(account.last_name),
            phone: self.phone.or(account.phone),
            birth_date: self.birth_date.or(account.birth_date),
        }
    }

    fn view(&self) -> Value {
        let text = |text: &Option<Text>| text.as_ref().map(|text| text.0.clone());
        json!({
            "id": text(&self.id),
            "email": text(&self.email),
            "firstName": text(&self.first_name),
            "lastName": text(&self.last_name),
            "phone": text(&self.phone),
            "birthDate": text(&self.birth_date),
        })
    }
}

impl Checkout {
    fn view(&self, now_ms: i64) -> Value {
        let gift = self.gift.clone().unwrap_or_default();
        json!({
            "token": self.token,
            "cartId": self.cart.id,
            "customer": self.customer.view(),
            "hasAgeVerify": self.has_age_verify,
            "hasSubstitutionPolicy": false,
            "isGift": self.gift.is_some(),
            "billingSameAsShipping": self.billing_same_as_shipping,
            "createdAt": iso(now_ms),
            "updatedAt": iso(now_ms),
            "giftOptions": {
                "message": gift.message.0,
                "recipient": { "name": gift.recipient.name.0, "email": gift.recipient.email.0, "phone": gift.recipient.phone.0 },
            },
            "marketingPreferences": { "canEmail": false, "canSms": false },
            "shippingAddress": self.cart.loc.address.as_ref().map(Address::view),
            "billingAddress": self.billing.view(),
            "amounts": with_details(&self.amounts),
            "items": self.cart.lines.iter().map(item).collect::<Vec<_>>(),
            "retailers": self.retailers(),
            "giftCards": [],
            "events": [],
            "promoCode": {
                "value": self.cart.promo.map_or("", |promo| promo.code),
                "discount": self.amounts.discounts,
                "freeDelivery": false, "freeServiceFee": false, "freeShipping": false,
            },
            "isInternationalAllowed": false,
        })
    }

    fn retailers(&self) -> Vec<Value> {
        RETAILERS
            .iter()
            .filter(|retailer| self.cart.lines_of(retailer.id).next().is_some())
            .map(|retailer| {
                let mut view =
                    with_details(&Amounts::of(self.cart.lines_of(retailer.id), self.cart.promo).taxed());
                view["id"] = json!(retailer.id);
                view["name"] = json!(retailer.name);
                view["fulfillments"] = retailer.view()["fulfillments"].take();
                view
            })
            .collect()
    }
}

fn item(line: &Line) -> Value {
    let mut view = line.view();
    let unit_tax = Amounts { subtotal: line.offer.variant.price, ..Amounts::default() }.taxed().tax;
    view["cartItemId"] = json!(line.id);
    view["unitTax"] = json!(unit_tax);
    view["tax"] = json!(unit_tax * line.quantity);
    view["bottleDeposits"] = json!(0);
    view
}

fn with_details(amounts: &Amounts) -> Value {
    let mut view = amounts.view();
    view["details"] = json!({ "taxes": amounts.tax_details(), "discounts": amounts.discount_details() });
    view
}

//! `/users/…`: shoppers, their addresses and the payments that they saved.

use serde::Deserialize;
use serde_json::{Value, json};

use super::addresses;
use super::clock::iso;
use super::endpoint::{Asked, Text};
use super::envelope::{Answer, Refusal};
use super::shelf::Shelf;
use super::world::{World, object_id};

/// The most addresses, and the most payments, that a user may have.
const MAX_SAVED: usize = 20;

/// A shopper.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) email: String,
    pub(super) profile: Profile,
    addresses: Vec<Value>,
    payments: Vec<Value>,
    created_ms: i64,
    updated_ms: i64,
}

/// What a shopper may say about themselves.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Profile {
    pub(super) first_name: Option<Text>,
    pub(super) last_name: Option<Text>,
    pub(super) phone: Option<Text>,
    pub(super) company: Option<Text>,
    pub(super) profile_image: Option<Text>,
    pub(super) birth_date: Option<Text>,
}

impl Profile {
    /// Takes over what the other one says.
    fn update(&mut self, newer: Self) {
        self.first_name = newer.first_name.or(self.first_name.take());
        self.last_name = newer.last_name.or(self.last_name.take());
        self.phone = newer.phone.or(self.phone.take());
        self.company = newer.company.or(self.company.take());
        self.profile_image = newer.profile_image.or(self.profile_image.take());
        self.birth_date = newer.birth_date.or(self.birth_date.take());
    }
}

impl User {
    fn new(email: &str, now_ms: i64) -> Self {
        Self {
            id: object_id(),
            email: email.to_owned(),
            profile: Profile::default(),
            addresses: Vec::new(),
            payments: Vec::new(),
            created_ms: now_ms,
            updated_ms: now_ms,
        }
    }

    fn view(&self) -> Value {
        let text = |text: &Option<Text>| text.as_ref().map(|text| text.0.clone());
        json!({
            "id": self.id,
            "email": self.email,
            "firstName": text(&self.profile.first_name),
            "lastName": text(&self.profile.last_name),
            "phone": text(&self.profile.phone),
            "company": text(&self.profile.company),
            "profileImage": text(&self.profile.profile_image),
            "birthDate": text(&self.profile.birth_date),
            "createdAt": iso(self.created_ms),
            "updatedAt": iso(self.updated_ms),
            "addresses": self.addresses,
            "savedPayments": self.payments,
        })
    }
}

#[derive(Debug, Deserialize)]
struct Session {
    id: Option<Text>,
    email: Option<Text>,
    #[serde(flatten)]
    profile: Profile,
}

/// Makes a user, or changes the one with this id or email.
pub(super) fn session(world: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let Session { id, email, profile } = asked.body()?;
    let known =
        id.iter().chain(&email).find_map(|named| find(&world.users, &named.0)).map(|user| user.id.clone());
    let id = match (known, email) {
        (Some(known), _) => known,
        (None, Some(Text(email))) if email.contains('@') => {
            let user = User::new(&email, asked.now_ms);
            let id = user.id.clone();
            world.users.put(id.clone(), user);
            id
        }
        (None, Some(_)) => return Err(Refusal::invalid("email must be an email address")),
        (None, None) => return Err(user_not_found()),
    };
    let user = world.users.get_mut(&id).ok_or_else(user_not_found)?;
    user.profile.update(profile);
    user.updated_ms = asked.now_ms;
    let mut view = user.view();
    view["session"] = json!({
        "key": "pk_test_sandbox",
        "secret": format!("seti_{}_secret_{}", object_id(), object_id()),
        "createdAt": iso(asked.now_ms),
        "isHybrid": false,
    });
    Ok(Answer::Data(view))
}

/// Shows a user, by id or email.
pub(super) fn fetch(world: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    find(&world.users, &asked.id).map(|user| Answer::Data(user.view())).ok_or_else(user_not_found)
}

/// Forgets a user, by id or email.
pub(super) fn purge(world: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let id = find(&world.users, &asked.id).ok_or_else(user_not_found)?.id.clone();
    world.users.remove(&id);
    Ok(Answer::Data(json!({ "deleted": true, "message": format!("User {id} was deleted") })))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Address {
    customer_id: String,
    #[serde(rename = "type")]
    kind: AddressKind,
    #[serde(default)]
    is_default: bool,
    places_id: Option<Text>,
    one: Option<Text>,
    two: Option<Text>,
    city: Option<Text>,
    state: Option<Text>,
    zip: Option<Text>,
    country: Option<Text>,
    lat: Option<f64>,
    long: Option<f64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AddressKind {
    Shipping,
    Billing,
}

/// Saves an address: written out, or by the id that the address endpoints gave.
pub(super) fn add_address(world: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let address: Address = asked.body()?;
    let user = world.users.get_mut(&address.customer_id).ok_or_else(user_not_found)?;
    let known = address.places_id.as_ref().and_then(|id| addresses::find(&id.0));
    let field = |written: &Option<Text>, known: Option<&str>| {
        written
            .as_ref()
            .map(|text| text.0.as_str())
            .or(known)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let (Some(one), Some(city), Some(state), Some(zip)) = (
        field(&address.one, known.map(|known| known.one)),
        field(&address.city, known.map(|known| known.city)),
        field(&address.state, known.map(|known| known.state)),
        field(&address.zip, known.map(|known| known.zip)),
    ) else {
        return Err(Refusal::coded(5502, "An address needs one, city, state and zip, or a known placesId"));
    };
    if user.addresses.len() >= MAX_SAVED {
        return Err(Refusal::coded(5502, format!("A user may have at most {MAX_SAVED} addresses")));
    }
    let view = json!({
        "id": object_id(),
        "type": match address.kind { AddressKind::Shipping => "shipping", AddressKind::Billing => "billing" },
        "placesId": address.places_id.map(|text| text.0).unwrap_or_default(),
        "one": one, "two": address.two.unwrap_or_default().0, "city": city, "state": state, "zip": zip,
        "country": address.country.map_or_else(|| "US".to_owned(), |text| text.0),
        "lat": address.lat.or(known.map(|known| known.lat)),
        "long": address.long.or(known.map(|known| known.long)),
        "isDefault": address.is_default || user.addresses.is_empty(),
        "createdAt": iso(asked.now_ms),
        "updatedAt": iso(asked.now_ms),
    });
    save(&mut user.addresses, view.clone());
    Ok(Answer::Data(view))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    customer_id: String,
    payment_method_id: Text,
    #[serde(default)]
    is_default: bool,
}

/// Saves a payment method, which a payment provider would know by its id.
pub(super) fn add_payment(world: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let payment: Payment = asked.body()?;
    let user = world.users.get_mut(&payment.customer_id).ok_or_else(user_not_found)?;
    if !is_payment(&payment.payment_method_id.0) {
        return Err(Refusal::coded(5499, "The payment method provided was not found."));
    }
    if user.payments.len() >= MAX_SAVED {
        return Err(Refusal::invalid(format_args!("a user may have at most {MAX_SAVED} payments")));
    }
    let view = json!({
        "id": payment.payment_method_id.0,
        "type": "card",
        "isDefault": payment.is_default || user.payments.is_empty(),
        "card": { "brand": "visa", "country": "US", "expMonth": 12, "expYear": 2034, "last4": "4242", "funding": "credit" },
        "createdAt": iso(asked.now_ms),
    });
    save(&mut user.payments, view.clone());
    Ok(Answer::Data(view))
}

/// Whether an id looks like a payment method's.
pub(super) fn is_payment(id: &str) -> bool {
    id.strip_prefix("pm_").is_some_and(|rest| !rest.is_empty())
}

/// Finds a user by id or by email.
pub(super) fn find<'a>(users: &'a Shelf<User>, named: &str) -> Option<&'a User> {
    users.get(named).or_else(|| users.iter().find(|user| user.email.eq_ignore_ascii_case(named)))
}

/// There is one default at a time: the last that was saved as such.
fn save(saved: &mut Vec<Value>, new: Value) {
    if new["isDefault"] == true {
        for older in saved.iter_mut() {
            older["isDefault"] = json!(false);
        }
    }
    saved.push(new);
}

fn user_not_found() -> Refusal {
    Refusal::not_found("User")
}

//! `POST /cart/update`: makes a cart, changes it, or shows it when nothing is to change.
//!
//! What cannot be done as asked is not an error here: the cart says so in its `events`.

mod view;

use serde::Deserialize;

use super::amounts::{self, Amounts, Promo};
use super::catalog::stock::{ENGRAVING_CHARS, ENGRAVING_LINES, Fulfillment, Offer, offer};
use super::endpoint::{Asked, Text};
use super::envelope::{Answer, Refusal};
use super::shelf::Shelf;
use super::world::{World, object_id};

pub(super) use view::Event;

/// The most items that one request may name.
const MAX_ITEMS: usize = 25;
/// The most lines that a cart may have.
const MAX_LINES: usize = 100;
/// The most that may be ordered of one thing.
pub(super) const MAX_QUANTITY: u64 = 24;

/// What somebody wants to buy.
#[derive(Debug, Clone)]
pub(super) struct Cart {
    pub(super) id: String,
    pub(super) lines: Vec<Line>,
    pub(super) loc: Loc,
    pub(super) promo: Option<&'static Promo>,
    /// Whether a checkout was completed with it: then nothing can be changed any more.
    pub(super) ordered: bool,
    /// Counts changes, so that a checkout notices them.
    pub(super) revision: u64,
    created_ms: i64,
    updated_ms: i64,
}

/// One thing in a cart.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) offer: Offer,
    pub(super) fulfillment: &'static Fulfillment,
    pub(super) quantity: u64,
    pub(super) engraving: Vec<Text>,
    scheduled_for: Option<Text>,
}

/// Where it goes.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Loc {
    pub(super) address: Option<Address>,
    coords: Option<Coords>,
}

/// A postal address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Address {
    pub(super) one: Text,
    pub(super) two: Text,
    pub(super) city: Text,
    pub(super) state: Text,
    pub(super) zip: Text,
    pub(super) country: Option<Text>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Coords {
    lat: f64,
    long: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Update {
    id: String,
    items: Vec<Item>,
    loc: Option<Loc>,
    promo_code: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    part_number: String,
    fulfillment_id: String,
    quantity: u64,
    #[serde(default)]
    engraving_lines: Vec<Text>,
    scheduled_for: Option<Text>,
}

/// Makes, changes or shows a cart. An item's quantity replaces what was there, 0 takes it out, and
/// items that the request does not name stay.
pub(super) fn update(world: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let update: Update = asked.body()?;
    if update.items.len() > MAX_ITEMS {
        return Err(Refusal::invalid("You can only send up to 25 items at a time!"));
    }
    if let Some(loc) = &update.loc {
        loc.check()?;
    }
    let mut events = Vec::new();
    let cart = find_or_make(&mut world.carts, &update.id, asked.now_ms, &mut events)?;
    let before = events.len();
    let mut changed = false;
    for item in &update.items {
        match cart.place(item) {
            Ok(None) => changed = true,
            Ok(Some(event)) => {
                changed = true;
                events.push(event);
            }
            Err(event) => events.push(event),
        }
    }
    if let Some(loc) = update.loc {
        cart.loc = loc;
        changed = true;
    }
    if let Some(code) = update.promo_code {
        cart.promo = amounts::promo(&code);
        changed = true;
        if cart.promo.is_none() && !code.is_empty() {
            events.push(Event::new("CouponNotFound", "There is no such promotion"));
        }
    }
    if changed {
        cart.revision += 1;
        cart.updated_ms = asked.now_ms;
    }
    if cart.lines.is_empty() && events.len() == before {
        events.push(Event::new("NoItemsInCart", "There are no items in this cart"));
    }
    Ok(Answer::Beside(cart.view(&events)))
}

/// The cart with this id; a new one where there is none, or where it was ordered already.
fn find_or_make<'a>(
    carts: &'a mut Shelf<Cart>,
    id: &str,
    now_ms: i64,
    events: &mut Vec<Event>,
) -> Result<&'a mut Cart, Refusal> {
    let id = match carts.get(id) {
        Some(cart) if !cart.ordered => id.to_owned(),
        other => {
            match (other, id) {
                (Some(_), _) => events.push(Event::new("CartCheckoutProcessed", "The cart was ordered")),
                (None, "") => {}
                (None, _) => events.push(Event::new("InvalidId", "There is no such cart")),
            }
            events.push(Event::new("NewCart", "A new cart was created"));
            let cart = Cart::new(now_ms);
            let id = cart.id.clone();
            carts.put(id.clone(), cart);
            id
        }
    };
    carts.get_mut(&id).ok_or_else(|| Refusal::not_found("Cart"))
}

impl Cart {
    fn new(now_ms: i64) -> Self {
        Self {
            id: object_id(),
            lines: Vec::new(),
            loc: Loc::default(),
            promo: None,
            ordered: false,
            revision: 0,
            created_ms: now_ms,
            updated_ms: now_ms,
        }
    }

    pub(super) fn amounts(&self) -> Amounts {
        Amounts::of(self.lines.iter(), self.promo)
    }

    /// Puts an item in, changes it or takes it out; an event in `Ok` says that it was done
    /// otherwise than asked, one in `Err` that it was not done.
    fn place(&mut self, item: &Item) -> Result<Option<Event>, Event> {
        let not_added = |why: &str| Event::about("ItemsNotAdded", why, &item.part_number);
        let offer = offer(&item.part_number).ok_or_else(|| not_added("There is no such product"))?;
        let fulfillment = offer
            .variant
            .retailer()
            .fulfillment(&item.fulfillment_id)
            .ok_or_else(|| not_added("The retailer has no such fulfillment"))?;
        let place = self.lines.iter().position(|line| {
            line.offer.part_number() == item.part_number && line.fulfillment.id == fulfillment.id
        });
        if item.quantity == 0 {
            return match place {
                Some(place) => {
                    self.lines.remove(place);
                    Ok(None)
                }
                None => Err(Event::about("ItemIdNotFound", "The item is not in the cart", &item.part_number)),
            };
        }
        if offer.variant.stock == 0 {
            return Err(Event::about("OutOfStock", "The item is out of stock", &item.part_number));
        }
        if place.is_none() && self.lines.len() >= MAX_LINES {
            return Err(not_added("The cart is full"));
        }
        let quantity = item.quantity.min(offer.variant.stock).min(MAX_QUANTITY);
        let (engraving, not_engraved) = engraved(&offer, item);
        let mut line = Line {
            engraving,
            scheduled_for: item.scheduled_for.clone(),
            ..Line::new(offer, fulfillment, quantity)
        };
        match place {
            Some(place) => {
                line.id.clone_from(&self.lines[place].id);
                self.lines[place] = line;
            }
            None => self.lines.push(line),
        }
        let fewer = (quantity < item.quantity)
            .then(|| Event::about("ItemQuantityChange", "There are not that many", &item.part_number));
        Ok(fewer.or(not_engraved))
    }
}

/// The lines to engrave, or none and why.
fn engraved(offer: &Offer, item: &Item) -> (Vec<Text>, Option<Event>) {
    let lines = &item.engraving_lines;
    let fits =
        lines.len() <= ENGRAVING_LINES && lines.iter().all(|line| line.0.chars().count() <= ENGRAVING_CHARS);
    if lines.is_empty() || (fits && offer.size.engraving_fee.is_some()) {
        return (lines.clone(), None);
    }
    let why =
        format!("At most {ENGRAVING_LINES} lines of {ENGRAVING_CHARS} characters, on what can be engraved");
    (Vec::new(), Some(Event::about("ItemEngravingError", &why, &item.part_number)))
}

impl Line {
    pub(super) fn new(offer: Offer, fulfillment: &'static Fulfillment, quantity: u64) -> Self {
        Self { id: object_id(), offer, fulfillment, quantity, engraving: Vec::new(), scheduled_for: None }
    }

    /// In cents.
    pub(super) fn price(&self) -> u64 {
        self.offer.variant.price * self.quantity
    }

    /// In cents.
    pub(super) fn engraving_fee(&self) -> u64 {
        let each = self.offer.size.engraving_fee.filter(|_| !self.engraving.is_empty());
        each.unwrap_or_default() * self.quantity
    }
}

impl Loc {
    fn check(&self) -> Result<(), Refusal> {
        match (&self.coords, &self.address) {
            (Some(coords), _)
                if !(-90.0..=90.0).contains(&coords.lat) || !(-180.0..=180.0).contains(&coords.long) =>
            {
                Err(Refusal::invalid("Coordinates are out of valid range"))
            }
            (None, Some(address)) if address.city.0.is_empty() || address.zip.0.is_empty() => {
                Err(Refusal::invalid("An address needs city and zip"))
            }
            _ => Ok(()),
        }
    }
}

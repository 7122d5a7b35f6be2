//! `GET /orders/{id}` and `GET /orders?startDate=…`: what was bought, as the Orders API tells it.

mod view;

use super::checkout::Checkout;
use super::clock::{iso, parse_iso};
use super::endpoint::Asked;
use super::envelope::{Answer, Refusal};
use super::world::{World, object_id};

use serde_json::json;

/// How many orders a page has unless asked otherwise.
const LIMIT: usize = 20;
/// The most orders that a page may have.
const MAX_LIMIT: usize = 100;
/// The length of a day without a time, and how long such a day is, in ms.
const BARE_DAY: usize = "2026-01-31".len();
const DAY_MS: i64 = 86_400_000;

/// A checkout that was completed.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) reference_id: String,
    pub(super) number: String,
    checkout: Checkout,
    created_ms: i64,
}

impl Order {
    pub(super) fn new(checkout: Checkout, now_ms: i64) -> Self {
        let number = format!("LC{:08}", fastrand::u32(..100_000_000));
        Self { reference_id: object_id(), number, checkout, created_ms: now_ms }
    }

    fn is_of(&self, email: &str) -> bool {
        self.checkout.customer.email.as_ref().is_some_and(|own| own.0.eq_ignore_ascii_case(email))
    }
}

/// Shows an order, by reference id or by number.
pub(super) fn fetch(world: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let order = world
        .orders
        .get(&asked.id)
        .or_else(|| world.orders.iter().find(|order| order.number == asked.id))
        .ok_or_else(|| Refusal::not_found("Order"))?;
    Ok(Answer::Data(order.view()))
}

/// Lists the orders from `startDate` to `endDate`, the newest first.
///
/// Both are a day or a time; a day as the end is included whole, and no end means now. `page`,
/// `limit` and `customerEmail` narrow it.
pub(super) fn list(world: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let param = |name: &str| asked.query.get(name).filter(|value| !value.is_empty());
    let time = |name: &str| {
        let read = |text: &String| {
            parse_iso(text).ok_or_else(|| Refusal::invalid(format_args!("{name} is not a date")))
        };
        param(name).map(read).transpose()
    };
    let number = |name: &str, default: usize, max: usize| match param(name).map(|value| value.parse()) {
        None => Ok(default),
        Some(Ok(number)) if (1..=max).contains(&number) => Ok(number),
        Some(_) => Err(Refusal::invalid(format_args!("{name} must be from 1 to {max}"))),
    };
    let start_ms = time("startDate")?.ok_or_else(|| Refusal::invalid("startDate is required"))?;
    let end_ms = match (time("endDate")?, param("endDate")) {
        (Some(day_ms), Some(text)) if text.len() == BARE_DAY => day_ms.saturating_add(DAY_MS - 1),
        (end_ms, _) => end_ms.unwrap_or(asked.now_ms),
    };
    let page = number("page", 1, 1_000_000)?;
    let limit = number("limit", LIMIT, MAX_LIMIT)?;
    let email = param("customerEmail");
    let found: Vec<&Order> = world
        .orders
        .iter()
        .rev()
        .filter(|order| (start_ms..=end_ms).contains(&order.created_ms))
        .filter(|order| email.is_none_or(|email| order.is_of(email)))
        .collect();
    let shown: Vec<_> = found.iter().skip((page - 1) * limit).take(limit).map(|order| order.view()).collect();
    Ok(Answer::Data(json!({
        "startDate": iso(start_ms),
        "endDate": iso(end_ms),
        "page": page,
        "limit": limit,
        "total": found.len(),
        "orders": shown,
    })))
}

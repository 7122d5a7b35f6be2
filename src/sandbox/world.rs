//! What the sandbox remembers of its shoppers.

use super::carts::Cart;
use super::checkout::Checkout;
use super::orders::Order;
use super::shelf::Shelf;
use super::users::User;

/// How many of each are kept; the oldest is forgotten when there are more.
const KEPT: usize = 500;

/// Carts, users, checkouts and orders by their id.
#[derive(Debug)]
pub(super) struct World {
    pub(super) carts: Shelf<Cart>,
    pub(super) users: Shelf<User>,
    pub(super) checkouts: Shelf<Checkout>,
    pub(super) orders: Shelf<Order>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            carts: Shelf::new(KEPT),
            users: Shelf::new(KEPT),
            checkouts: Shelf::new(KEPT),
            orders: Shelf::new(KEPT),
        }
    }
}

/// An id as the API's database makes them: 24 hexadecimal digits.
pub(super) fn object_id() -> String {
    format!("{:024x}", fastrand::u128(..) >> 32)
}

//! When a connection rests: when it has been idle for a moment, and hyper knows that it is.

use super::{Life, Order, Phase};
use crate::worker::limits::Ticks;

/// Looks that find a connection idle before it rests: between the first and the last of them nobody asked anything.
pub(super) const LOOKS: u8 = 2;

/// In place of their number, where it does not rest.
pub(super) const NEVER: u8 = u8::MAX;

impl Life {
    /// Tells the connection to rest when it has been idle for some looks: once, until the next request.
    pub(in crate::worker) fn look_for_rest(&self, ticks: &Ticks) {
        if self.looks.get() < LOOKS && self.is_idle(ticks) {
            self.looks.set(self.looks.get() + 1);
            if self.may_rest(ticks) {
                self.tell(Some(Order::Rest));
            }
        }
    }

    /// Whether nobody has asked anything for a while, and all that was asked is answered and written.
    pub(in crate::worker) fn may_rest(&self, ticks: &Ticks) -> bool {
        self.looks.get() == LOOKS && self.is_idle(ticks)
    }

    fn is_idle(&self, ticks: &Ticks) -> bool {
        let Phase::Idle { since, after_body } = self.phase.get() else { return false };
        let may_be_in_a_body = after_body && self.age(since) <= ticks.rest_of_body;
        let is_told = self.order.get().is_some() || self.leaving.get().is_some();
        !(may_be_in_a_body || is_told) && self.owes_nothing()
    }

    /// It is being closed.
    pub(in crate::worker) fn shuts_down(&self) {
        self.looks.set(NEVER);
    }
}

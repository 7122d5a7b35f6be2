//! When a connection rests: when it has been idle for a moment, and hyper knows that it is.

use super::{Life, Order, Phase, UnderWay};

/// Looks that find a connection idle before it rests: between the first and the last of them nobody asked anything.
pub(super) const LOOKS: u8 = 2;

/// In place of their number, where it does not rest.
pub(super) const NEVER: u8 = u8::MAX;

impl Life {
    /// Tells the connection to rest when it has been idle for some looks: once, until the next request.
    pub(in crate::worker) fn look_for_rest(&self) {
        if self.looks.get() < LOOKS && self.is_idle() {
            self.looks.set(self.looks.get() + 1);
            if self.may_rest() {
                self.tell(Some(Order::Rest));
            }
        }
    }

    /// Whether nobody has asked anything for a while, and all that was asked is answered and written.
    pub(in crate::worker) fn may_rest(&self) -> bool {
        self.looks.get() == LOOKS && self.is_idle()
    }

    fn is_idle(&self) -> bool {
        // hyper reads the rest of a body for as long as it takes: until the next request it may be in one.
        let Phase::Idle { after_body: false, .. } = self.phase.get() else { return false };
        let is_told = self.order.get().is_some() || self.leaving.get().is_some();
        !is_told && self.owes_nothing()
    }

    /// It is being closed.
    pub(in crate::worker) fn shuts_down(&self) {
        self.looks.set(NEVER);
    }
}

impl UnderWay {
    /// All of the request has come: what comes next is another one.
    pub(in crate::worker) fn is_whole(&self) {
        self.mark(|request| request.had_body = false);
    }
}

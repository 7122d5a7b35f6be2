//! How far a connection is, and since when: small marks that its stream, its requests and its answers leave,
//! and that the worker's sweep compares with the limits.
//!
//! Time is counted in ticks of the sweep: a mark costs a store, and no request has a timer for any of this.

mod rest;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use slab::Slab;

use self::rest::NEVER;
use super::limits::{Tick, Ticks};
use crate::proxy::record::Place;

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection's marks.
#[derive(Debug)]
pub(super) struct Life {
    now: Rc<Cell<Tick>>,
    phase: Cell<Phase>,
    /// How much of [`PREFACE`] has come, as long as nothing else has.
    preface: Cell<Option<usize>>,
    requests: RefCell<Slab<Request>>,
    /// How many looks found it idle since its last request; [`NEVER`] before the first, when hyper does not know it
    /// for idle, and when it is being closed.
    looks: Cell<u8>,
    /// Something of an answer may not be written yet.
    unwritten: Cell<bool>,
    /// Since when the socket takes nothing.
    blocked: Cell<Option<Tick>>,
    /// Since when the connection is told to end.
    leaving: Cell<Option<Tick>>,
    order: Cell<Option<Order>>,
    reason: Cell<Option<Reason>>,
    task: RefCell<Option<Waker>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// TLS is being agreed on.
    Handshake { since: Tick },
    /// No request; `after_body`, if the one before had a body, whose rest may still come.
    Idle { since: Tick, after_body: bool },
    /// The first bytes of a request have come, and not yet its head.
    Head { since: Tick },
    /// There are requests.
    Busy,
    /// The last answer is out, and the connection about to be closed.
    Closing { since: Tick },
}

/// A request under way, until the last byte of its answer is written.
#[derive(Debug)]
struct Request {
    holders: usize,
    /// Pieces of the answer that are not written.
    unwritten: usize,
    /// Whether it is the client that the answer waits for.
    clients_turn: bool,
    progress: Tick,
    /// Whether the rest of its body may still come.
    had_body: bool,
    place: Option<Place>,
}

/// A hold on a request under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    life: Rc<Life>,
    key: usize,
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// What a connection is told by the sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Let go of what only a request needs.
    Rest,
    /// End when no request is under way.
    Leave,
    /// End now.
    Abort,
}

/// Why the worker ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// `listen.head_timeout`
    Head,
    /// `listen.idle_timeout`
    Idle,
    /// `listen.send_timeout`
    Send,
    /// TLS that was not agreed on.
    Handshake,
    /// The worker's end.
    Drain,
    /// Its client speaks no HTTP.
    NotHttp,
    /// A head larger than hyper's parser takes.
    HeadTooLarge,
    /// A path longer than hyper's parser takes.
    UriTooLong,
}

/// What has not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overdue {
    Handshake,
    Head,
    Request,
    /// The client takes nothing of its answer.
    Reading,
    /// The connection was told to end.
    End,
}

impl Life {
    /// A connection that begins now.
    pub(super) fn new(now: Rc<Cell<Tick>>) -> Rc<Self> {
        let since = now.get();
        Rc::new(Self {
            now,
            phase: Cell::new(Phase::Idle { since, after_body: false }),
            preface: Cell::new(Some(0)),
            requests: RefCell::new(Slab::new()),
            looks: Cell::new(NEVER),
            unwritten: Cell::new(false),
            blocked: Cell::new(None),
            leaving: Cell::new(None),
            order: Cell::new(None),
            reason: Cell::new(None),
            task: RefCell::new(None),
        })
    }

    /// TLS is to be agreed on first.
    pub(super) fn handshake_begins(&self) {
        self.phase.set(Phase::Handshake { since: self.now.get() });
    }

    /// TLS is agreed on.
    pub(super) fn handshake_ends(&self) {
        self.phase.set(Phase::Idle { since: self.now.get(), after_body: false });
    }

    /// Bytes have come.
    pub(super) fn read(&self, bytes: &[u8], ticks: &Ticks) {
        if let Some(before) = self.preface.get() {
            self.compare(before, bytes);
        }
        let Phase::Idle { since, after_body } = self.phase.get() else { return };
        let rest_of_body = after_body && self.age(since) <= ticks.rest_of_body;
        // Empty lines between requests are nothing (RFC 9112, section 2.2).
        let is_nothing = bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        if !(self.is_http2() || rest_of_body || is_nothing) {
            self.phase.set(Phase::Head { since: self.now.get() });
        }
    }

    /// Looks whether the connection begins as one of HTTP/2 does.
    fn compare(&self, before: usize, bytes: &[u8]) {
        let expected = &PREFACE[before..];
        let length = expected.len().min(bytes.len());
        self.preface.set((bytes[..length] == expected[..length]).then_some(before + length));
        if self.is_http2() {
            // From here on there is no telling a head from what else goes on between the two sides.
            self.phase.set(Phase::Idle { since: self.now.get(), after_body: false });
        }
    }

    /// What the client speaks; `None` as long as what came may be the beginning of either, or nothing came.
    pub(super) fn version(&self) -> Option<Version> {
        match self.preface.get() {
            None => Some(Version::Http1),
            Some(_) => self.is_http2().then_some(Version::Http2),
        }
    }

    fn is_http2(&self) -> bool {
        self.preface.get() == Some(PREFACE.len())
    }

    /// The socket has taken bytes, or takes none.
    pub(super) fn wrote(&self, taken: bool) {
        if taken {
            self.blocked.set(None);
        } else if self.blocked.get().is_none() {
            self.blocked.set(Some(self.now.get()));
        }
    }

    /// Everything that there was to write is written.
    pub(super) fn flushed(&self) {
        if self.requests.borrow().is_empty() {
            self.unwritten.set(false);
        }
    }

    /// Whether nothing that is written now can belong to an answer of the service's.
    pub(super) fn owes_nothing(&self) -> bool {
        !self.unwritten.get() && !self.is_http2()
    }

    /// Whether it ends because its client takes nothing.
    pub(super) fn has_stalled(&self) -> bool {
        self.reason.get() == Some(Reason::Send)
    }

    /// Whether the client is not to send any more of its head: its stream says why, and ends.
    pub(super) fn head_is_late(&self) -> bool {
        self.reason.get() == Some(Reason::Head) && matches!(self.phase.get(), Phase::Closing { .. })
    }

    /// The head of a request is there.
    pub(super) fn begin(self: &Rc<Self>, had_body: bool) -> UnderWay {
        self.phase.set(Phase::Busy);
        self.unwritten.set(true);
        let request = Request {
            holders: 1,
            unwritten: 0,
            clients_turn: false,
            progress: self.now.get(),
            had_body,
            place: None,
        };
        UnderWay { key: self.requests.borrow_mut().insert(request), life: self.clone() }
    }

    /// The last answer is out, whatever the client still sends.
    pub(super) fn closing(&self) {
        self.phase.set(Phase::Closing { since: self.now.get() });
    }

    /// Called by the connection's task each time it runs: what it is told, if it is anything new.
    pub(super) fn order(&self, task: &Waker) -> Option<Order> {
        let mut known = self.task.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(task)) {
            *known = Some(task.clone());
        }
        self.order.take()
    }

    /// Why it was ended, if the sweep ended it.
    pub(super) fn reason(&self) -> Option<Reason> {
        self.reason.get()
    }

    /// Tells the connection to end when no request is under way.
    pub(super) fn leave(&self, reason: Reason) {
        if self.leaving.get().is_none() {
            self.leaving.set(Some(self.now.get()));
            self.end_for(reason);
            self.tell(Some(Order::Leave));
        }
    }

    /// Compares the marks with the limits.
    pub(super) fn look(&self, ticks: &Ticks) {
        match self.overdue(ticks) {
            None => {}
            Some(Overdue::Request) => self.leave(Reason::Idle),
            Some(Overdue::Head) => {
                self.end_for(Reason::Head);
                self.closing();
                self.tell(None);
            }
            Some(Overdue::Reading) => {
                self.end_for(Reason::Send);
                self.tell(Some(Order::Abort));
            }
            Some(Overdue::Handshake) => {
                self.end_for(Reason::Handshake);
                self.tell(Some(Order::Abort));
            }
            Some(Overdue::End) => self.tell(Some(Order::Abort)),
        }
    }

    /// Notes why the connection is ended: the first reason counts, unless it was no fault of the client's.
    pub(super) fn end_for(&self, reason: Reason) {
        if matches!(self.reason.get(), None | Some(Reason::Drain)) {
            self.reason.set(Some(reason));
        }
    }

    fn tell(&self, order: Option<Order>) {
        self.order.set(order);
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    fn overdue(&self, ticks: &Ticks) -> Option<Overdue> {
        let is_over = |since: Tick, limit: Tick| self.age(since) > limit;
        if self.blocked.get().is_some_and(|since| is_over(since, ticks.send)) || self.is_stalled(ticks) {
            return Some(Overdue::Reading);
        }
        let was_told = self.leaving.get().is_some_and(|since| is_over(since, ticks.grace));
        match self.phase.get() {
            Phase::Handshake { since } => is_over(since, ticks.head).then_some(Overdue::Handshake),
            Phase::Head { since } => is_over(since, ticks.head).then_some(Overdue::Head),
            // An HTTP/2 client has to agree to go, and may not.
            Phase::Idle { since, .. } if was_told && is_over(since, ticks.grace) => Some(Overdue::End),
            Phase::Idle { since, .. } => is_over(since, ticks.idle).then_some(Overdue::Request),
            Phase::Closing { since } => is_over(since, ticks.grace).then_some(Overdue::End),
            Phase::Busy => None,
        }
    }

    fn is_stalled(&self, ticks: &Ticks) -> bool {
        self.requests.borrow().iter().any(|(_, request)| {
            (request.clients_turn || request.unwritten > 0) && self.age(request.progress) > ticks.send
        })
    }

    fn age(&self, since: Tick) -> Tick {
        self.now.get().wrapping_sub(since)
    }
}

impl UnderWay {
    fn mark(&self, mark: impl FnOnce(&mut Request)) {
        if let Some(request) = self.life.requests.borrow_mut().get_mut(self.key) {
            mark(request);
        }
    }

    /// There is an answer; `place` is given back when all of it is written.
    pub(super) fn answered(&self, place: Option<Place>) {
        self.mark(|request| request.place = place);
        self.given();
    }

    /// The answer has something for the client.
    pub(super) fn given(&self) {
        let now = self.life.now.get();
        self.mark(|request| (request.clients_turn, request.progress) = (true, now));
    }

    /// The answer has nothing for the client now.
    pub(super) fn waits(&self) {
        self.mark(|request| request.clients_turn = false);
    }

    /// A hold for a piece of the answer, until it is written.
    pub(super) fn piece(&self) -> Self {
        self.mark(|request| {
            request.holders += 1;
            request.unwritten += 1;
        });
        Self { life: self.life.clone(), key: self.key }
    }

    /// The client has taken some of a piece.
    pub(super) fn progress(&self) {
        let now = self.life.now.get();
        self.mark(|request| request.progress = now);
    }

    /// The piece is written, or given up.
    pub(super) fn piece_ended(&self) {
        self.progress();
        self.mark(|request| request.unwritten -= 1);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let life = &self.life;
        let mut requests = life.requests.borrow_mut();
        let Some(request) = requests.get_mut(self.key) else { return };
        request.holders -= 1;
        if request.holders > 0 {
            return;
        }
        let request = requests.remove(self.key);
        if requests.is_empty() {
            life.phase.set(Phase::Idle { since: life.now.get(), after_body: request.had_body });
            life.looks.set(0);
        }
    }
}

#[cfg(test)]
mod tests;

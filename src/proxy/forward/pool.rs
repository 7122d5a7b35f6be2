//! One worker's connections to the API.
//!
//! The one that was used last is used next, so that few are kept warm and the others come to their end. A
//! request that finds none waits for whichever is free first: one that another request gives back, or the
//! new one that is opened for it. A connection that nobody waits for any more is kept for the next request.
//!
//! Each has an age at which no request uses it any more, so that a name that leads elsewhere is followed,
//! however busy the pool is.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::answering::Timer;
use super::connect::Connect;
use super::failure::Unconnected;
use super::wire::{self, Multiplexed, Single};

/// A connection that was idle for this long is closed by us before most servers close theirs.
const IDLE: Duration = Duration::from_secs(45);

/// No request begins on a connection that is older: with the longest life of a busy one, a new address of the
/// API's is followed within a minute.
const AGE: Duration = Duration::from_secs(50);

/// Idle connections that are kept: each costs tens of KiB, and one that is missed a handshake.
const MOST_IDLE: usize = 256;

/// What is more than a turn, however busy the worker is.
const TURN: Duration = Duration::from_secs(1);

/// How often those that have been idle for too long are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The connections of one worker. Cheap to clone: all are the same.
#[derive(Debug, Clone)]
pub(super) struct Pool(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    connect: Connect,
    /// In the order in which they were given back.
    idle: RefCell<VecDeque<Idle>>,
    /// The one that all requests share, where the API speaks HTTP/2.
    shared: RefCell<Option<Shared>>,
    waiting: RefCell<VecDeque<oneshot::Sender<Result<Lease, Unconnected>>>>,
    /// How many are being opened.
    connecting: Cell<usize>,
    /// Whether the API spoke HTTP/1.1 when it was last connected to: then each request needs one of its own.
    is_single: Cell<bool>,
    is_looking: Cell<bool>,
}

#[derive(Debug)]
struct Idle {
    single: Single,
    born: Instant,
    timer: Option<Timer>,
    since: Instant,
}

#[derive(Debug)]
struct Shared {
    multiplexed: Multiplexed,
    /// When another is to take its place.
    renew: Instant,
}

/// The use of a connection for one request.
#[derive(Debug)]
pub(super) enum Lease {
    /// HTTP/1.1: nobody else uses it meanwhile.
    Single(Borrowed),
    /// HTTP/2.
    Shared(Multiplexed),
}

/// A connection that is given back by [`Self::give_back`], and closed if it is dropped.
#[derive(Debug)]
pub(super) struct Borrowed {
    pub(super) single: Single,
    /// Whether a request was answered on it before: the API may have closed it since.
    pub(super) was_used: bool,
    /// For the answer's head, as it was left by the last request.
    pub(super) timer: Option<Timer>,
    born: Instant,
    pool: Pool,
}

impl Pool {
    pub(super) fn new(connect: Connect) -> Self {
        Self(Rc::new(Inner {
            connect,
            idle: RefCell::default(),
            shared: RefCell::default(),
            waiting: RefCell::default(),
            connecting: Cell::new(0),
            is_single: Cell::new(false),
            is_looking: Cell::new(false),
        }))
    }

    /// The use of the connection that is free first.
    pub(super) async fn wait(&self) -> Result<Lease, Unconnected> {
        let (sender, receiver) = oneshot::channel();
        self.0.waiting.borrow_mut().push_back(sender);
        self.connect_for_those_who_wait();
        // The sender goes only with an answer, or with the worker.
        receiver.await.unwrap_or_else(|_| Err(Unconnected::stopped()))
    }

    /// The use of a connection that can be used `now`.
    pub(super) fn ready(&self, now: Instant) -> Option<Lease> {
        if let Some(shared) = self.shared(now) {
            return Some(Lease::Shared(shared));
        }
        let mut idle = self.0.idle.borrow_mut();
        while idle.back().is_some_and(|last| !last.may_be_used(now)) {
            idle.pop_back();
        }
        // One that was given back just now needs a turn, and the one before it does not.
        let latest = idle.iter().rposition(|one| one.single.is_ready() && one.may_be_used(now))?;
        idle.remove(latest).map(|one| Lease::Single(one.lend(self)))
    }

    /// The same, or that of a connection which only needs a turn.
    pub(super) async fn at_hand(&self) -> Option<Lease> {
        if let Some(lease) = self.ready(Instant::now()) {
            return Some(lease);
        }
        if self.0.idle.borrow().is_empty() {
            return None;
        }
        tokio::task::yield_now().await;
        self.ready(Instant::now())
    }

    /// The connection that is shared. One that is too old is used until there is another.
    fn shared(&self, now: Instant) -> Option<Multiplexed> {
        let mut slot = self.0.shared.borrow_mut();
        let shared = slot.as_mut()?;
        if shared.multiplexed.is_closed() {
            *slot = None;
            return None;
        }
        if shared.renew <= now {
            shared.renew = now + LOOK_EVERY;
            self.connect();
        }
        Some(shared.multiplexed.clone())
    }

    /// Opens as many as are waited for. As long as it is not known whether they can share one, it is one.
    fn connect_for_those_who_wait(&self) {
        let waiting = self.0.waiting.borrow().iter().filter(|one| !one.is_closed()).count();
        let wanted = if self.0.is_single.get() { waiting } else { waiting.min(1) };
        for _ in self.0.connecting.get()..wanted {
            self.connect();
        }
    }

    /// Opens one, whatever becomes of the request that wanted it.
    fn connect(&self) {
        let pool = self.clone();
        pool.0.connecting.set(pool.0.connecting.get() + 1);
        tokio::task::spawn_local(async move {
            let connected = match pool.0.connect.connect().await {
                Ok(connected) => wire::speak(connected).await,
                Err(unconnected) => Err(unconnected),
            };
            pool.0.connecting.set(pool.0.connecting.get() - 1);
            match connected {
                Ok(wire::Spoken::Single(single)) => {
                    pool.0.is_single.set(true);
                    pool.0.shared.take();
                    let born = Instant::now();
                    let free = Borrowed { single, was_used: false, timer: None, born, pool: pool.clone() };
                    pool.offer(free, born);
                }
                Ok(wire::Spoken::Multiplexed(multiplexed)) => pool.share(multiplexed),
                Err(unconnected) => pool.refuse(&unconnected),
            }
            pool.connect_for_those_who_wait();
        });
    }

    /// Gives a free connection to whoever has waited longest, or keeps it.
    fn offer(&self, mut free: Borrowed, now: Instant) {
        loop {
            let Some(next) = self.0.waiting.borrow_mut().pop_front() else { break };
            match next.send(Ok(Lease::Single(free))) {
                Ok(()) => return,
                // A request that was given up meanwhile.
                Err(Ok(Lease::Single(back))) => free = back,
                Err(_) => return,
            }
        }
        let Borrowed { single, born, timer, .. } = free;
        let mut idle = self.0.idle.borrow_mut();
        if idle.len() == MOST_IDLE {
            idle.pop_front();
        }
        idle.push_back(Idle { single, born, timer, since: now });
        drop(idle);
        self.look_for_the_old();
    }

    fn share(&self, multiplexed: Multiplexed) {
        self.0.is_single.set(false);
        for next in self.0.waiting.take() {
            // An error means that its request was given up.
            let _ = next.send(Ok(Lease::Shared(multiplexed.clone())));
        }
        *self.0.shared.borrow_mut() = Some(Shared { multiplexed, renew: Instant::now() + AGE });
    }

    /// Tells those who waited for this connection that there is none.
    fn refuse(&self, unconnected: &Unconnected) {
        let count = if self.0.is_single.get() { 1 } else { usize::MAX };
        let mut told = 0;
        while told < count {
            let Some(next) = self.0.waiting.borrow_mut().pop_front() else { break };
            if next.send(Err(unconnected.clone())).is_ok() {
                told += 1;
            }
        }
    }

    /// Looks now and then for connections that nobody uses, as long as there are any.
    fn look_for_the_old(&self) {
        if self.0.is_looking.replace(true) {
            return;
        }
        let inner = Rc::downgrade(&self.0);
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let Some(inner) = inner.upgrade() else { return };
                let mut idle = inner.idle.borrow_mut();
                let now = Instant::now();
                idle.retain(|one| one.is_fit(now));
                if idle.is_empty() {
                    inner.is_looking.set(false);
                    return;
                }
            }
        });
    }
}

impl Idle {
    fn is_fit(&self, now: Instant) -> bool {
        !self.single.is_closed() && now < self.since + IDLE && now < self.born + AGE
    }

    /// Whether it may be used now or after a turn. One that needs more still has something to write that the API does
    /// not read, though it has answered: it could take for ever.
    fn may_be_used(&self, now: Instant) -> bool {
        self.is_fit(now) && (self.single.is_ready() || now < self.since + TURN)
    }

    fn lend(self, pool: &Pool) -> Borrowed {
        let Self { single, born, timer, .. } = self;
        Borrowed { single, was_used: true, timer, born, pool: pool.clone() }
    }
}

impl Borrowed {
    /// The answer has come to its end, and so has the request: the connection is free.
    pub(super) fn give_back(mut self) {
        let now = Instant::now();
        if self.single.is_closed() || now > self.born + AGE {
            return;
        }
        self.was_used = true;
        let pool = self.pool.clone();
        pool.offer(self, now);
    }
}

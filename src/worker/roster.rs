//! All connections of a worker, and the sweep that ends those which take too long.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use slab::Slab;
use tokio::sync::Notify;

use super::life::{Life, Reason};
use super::limits::{Tick, Ticks};

/// The connections that there are.
#[derive(Debug)]
pub(super) struct Roster {
    ticks: Ticks,
    now: Rc<Cell<Tick>>,
    lives: RefCell<Slab<Rc<Life>>>,
    first_came: Notify,
    last_went: Notify,
}

/// A connection's entry, until it is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    roster: Rc<Roster>,
    key: usize,
    life: Rc<Life>,
}

impl Roster {
    pub(super) fn new(ticks: Ticks) -> Rc<Self> {
        Rc::new(Self {
            ticks,
            now: Rc::default(),
            lives: RefCell::default(),
            first_came: Notify::new(),
            last_went: Notify::new(),
        })
    }

    /// Enters a connection.
    pub(super) fn enter(self: &Rc<Self>) -> Entry {
        let life = Life::new(self.now.clone());
        let key = self.lives.borrow_mut().insert(life.clone());
        self.first_came.notify_one();
        Entry { roster: self.clone(), key, life }
    }

    /// Looks at all connections, round after round, for ever. Without any it sleeps.
    pub(super) async fn sweep(&self) {
        loop {
            if self.lives.borrow().is_empty() {
                self.first_came.notified().await;
            }
            tokio::time::sleep(self.ticks.round).await;
            // One a round, however late it is: a worker that was busy must not take it for its clients' delay.
            self.now.set(self.now.get().wrapping_add(1));
            for (_, life) in &*self.lives.borrow() {
                life.look(&self.ticks);
            }
        }
    }

    /// Tells all connections to end when they have no request under way, and returns when they have.
    pub(super) async fn end(&self) {
        for (_, life) in &*self.lives.borrow() {
            life.leave(Reason::Drain);
        }
        while !self.lives.borrow().is_empty() {
            self.last_went.notified().await;
        }
    }
}

impl Entry {
    pub(super) fn life(&self) -> &Rc<Life> {
        &self.life
    }

    pub(super) fn ticks(&self) -> &Ticks {
        &self.roster.ticks
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut lives = self.roster.lives.borrow_mut();
        lives.remove(self.key);
        if lives.is_empty() {
            self.roster.last_went.notify_one();
        }
    }
}

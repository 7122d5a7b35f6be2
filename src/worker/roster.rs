//! All connections of a worker, and the sweeps: one ends those which take too long, one lets those rest that
//! nobody asks anything.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use slab::Slab;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::life::{Life, Reason};
use super::limits::{Tick, Ticks};

/// Between two looks at those that are awake: a wake-up more now and then is nothing to a process at work.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// From this many on what they hold is worth looking more often: memory that was in use is not given back, so it is the
/// most of them at once that counts.
const CROWD: usize = 32;

/// Between two looks at a crowd. Shorter would be better for memory still, but a client that asks again and again is
/// to find its connection awake.
const LOOK_AT_CROWD_EVERY: Duration = Duration::from_millis(20);

/// The connections that there are.
#[derive(Debug)]
pub(super) struct Roster {
    ticks: Ticks,
    now: Rc<Cell<Tick>>,
    lives: RefCell<Slab<Rc<Life>>>,
    /// Those of them that may rest when nobody asks them anything.
    awake: RefCell<Slab<Rc<Life>>>,
    first_came: Notify,
    first_woke: Notify,
    became_crowd: Notify,
    last_went: Notify,
}

/// A connection's entry, until it is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    roster: Rc<Roster>,
    key: usize,
    life: Rc<Life>,
}

/// A connection that is awake, until this is dropped.
#[derive(Debug)]
pub(super) struct Awake<'a> {
    roster: &'a Roster,
    key: usize,
}

impl Roster {
    pub(super) fn new(ticks: Ticks) -> Rc<Self> {
        Rc::new(Self {
            ticks,
            now: Rc::default(),
            lives: RefCell::default(),
            awake: RefCell::default(),
            first_came: Notify::new(),
            first_woke: Notify::new(),
            became_crowd: Notify::new(),
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
            sleep(self.ticks.round).await;
            // One a round, however late it is: a worker that was busy must not take it for its clients' delay.
            self.now.set(self.now.get().wrapping_add(1));
            for (_, life) in &*self.lives.borrow() {
                life.look(&self.ticks);
            }
        }
    }

    /// Lets those rest that are idle, look after look, for ever. With none awake it sleeps.
    pub(super) async fn let_rest(&self) {
        loop {
            let awake = self.awake.borrow().len();
            if awake == 0 {
                self.first_woke.notified().await;
            } else if awake < CROWD {
                // An error means that it is no crowd yet.
                if timeout(LOOK_EVERY, self.became_crowd.notified()).await.is_ok() {
                    continue;
                }
            } else {
                sleep(LOOK_AT_CROWD_EVERY).await;
            }
            for (_, life) in &*self.awake.borrow() {
                life.look_for_rest();
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

    /// The connection may be told to rest, until what this returns is dropped.
    pub(super) fn awake(&self) -> Awake<'_> {
        let mut awake = self.roster.awake.borrow_mut();
        let key = awake.insert(self.life.clone());
        match awake.len() {
            1 => self.roster.first_woke.notify_one(),
            CROWD => self.roster.became_crowd.notify_one(),
            _ => {}
        }
        Awake { roster: &self.roster, key }
    }
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        self.roster.awake.borrow_mut().remove(self.key);
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

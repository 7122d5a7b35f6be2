//! Which worker serves a connection, if any: who accepts one hands it to the worker that has the fewest, so
//! that a few long-lived ones do not all end up on one core, and keeps none beyond the limit.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use crate::listener::{Connection, Detached};

/// Connections that may be on their way from one worker to another.
const INBOX: usize = 64;

/// Where connections can go: how many each worker has, and the way to it.
#[derive(Debug)]
pub(super) struct Floor {
    desks: Vec<Desk>,
    connections: AtomicUsize,
    most: usize,
}

#[derive(Debug)]
struct Desk {
    connections: AtomicUsize,
    inbox: mpsc::Sender<Detached>,
}

/// A connection counted at a worker, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    floor: Arc<Floor>,
    desk: usize,
    handed_over: bool,
}

/// Where a worker gets what others accepted for it.
pub(super) type Inbox = mpsc::Receiver<Detached>;

/// What becomes of an accepted connection.
#[derive(Debug)]
pub(super) enum Placed {
    /// It is for who asked.
    Here(Connection, Counted),
    /// Another worker has it.
    Elsewhere,
    /// It is one too many.
    TooMany(Connection),
}

impl Floor {
    /// A floor with `count` desks for `most` connections, and each desk's inbox.
    pub(super) fn new(count: usize, most: usize) -> (Arc<Self>, Vec<Inbox>) {
        Self::with_inboxes_of(count, most, INBOX)
    }

    fn with_inboxes_of(count: usize, most: usize, size: usize) -> (Arc<Self>, Vec<Inbox>) {
        let (desks, inboxes) = (0..count)
            .map(|_| {
                let (inbox, receiver) = mpsc::channel(size);
                (Desk { connections: AtomicUsize::new(0), inbox }, receiver)
            })
            .unzip();
        (Arc::new(Self { desks, connections: AtomicUsize::new(0), most }), inboxes)
    }

    /// Finds the desk for a connection that was accepted at `here`.
    pub(super) fn place(self: &Arc<Self>, connection: Connection, here: usize) -> io::Result<Placed> {
        let load = |desk: &usize| self.desks[*desk].connections.load(Ordering::Relaxed);
        let best = (0..self.desks.len()).min_by_key(|desk| (load(desk), *desk != here)).unwrap_or(here);
        let Some(counted) = self.count(best) else { return Ok(Placed::TooMany(connection)) };
        if best == here {
            return Ok(Placed::Here(connection, counted));
        }
        match self.desks[best].inbox.try_send(connection.detach()?) {
            // The other desk has it, and its count.
            Ok(()) => {
                counted.hand_over();
                Ok(Placed::Elsewhere)
            }
            // It is overwhelmed, or draining: who has the connection serves it.
            Err(mpsc::error::TrySendError::Full(handed) | mpsc::error::TrySendError::Closed(handed)) => {
                let counted = counted.moved(here);
                Ok(Placed::Here(handed.attach()?, counted))
            }
        }
    }

    /// Takes a connection that is counted at `here` already.
    pub(super) fn received(self: &Arc<Self>, handed: Detached, here: usize) -> io::Result<Placed> {
        let counted = Counted { floor: self.clone(), desk: here, handed_over: false };
        Ok(Placed::Here(handed.attach()?, counted))
    }

    /// Counts a connection at a desk, if there may be one more.
    fn count(self: &Arc<Self>, desk: usize) -> Option<Counted> {
        let before = self.connections.fetch_add(1, Ordering::Relaxed);
        self.desks[desk].connections.fetch_add(1, Ordering::Relaxed);
        let counted = Counted { floor: self.clone(), desk, handed_over: false };
        (before < self.most).then_some(counted)
    }
}

impl Counted {
    /// Leaves the count to whoever receives the connection.
    fn hand_over(mut self) {
        self.handed_over = true;
    }

    /// The same connection, counted at another desk.
    fn moved(mut self, desk: usize) -> Self {
        self.floor.desks[self.desk].connections.fetch_sub(1, Ordering::Relaxed);
        self.floor.desks[desk].connections.fetch_add(1, Ordering::Relaxed);
        self.desk = desk;
        self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.handed_over {
            return;
        }
        self.floor.desks[self.desk].connections.fetch_sub(1, Ordering::Relaxed);
        self.floor.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn connection() -> Connection {
        Connection::Unix(tokio::net::UnixStream::pair().unwrap().0)
    }

    fn counts(floor: &Floor) -> Vec<usize> {
        floor.desks.iter().map(|desk| desk.connections.load(Ordering::Relaxed)).collect()
    }

    fn here(placed: io::Result<Placed>) -> Counted {
        match placed.unwrap() {
            Placed::Here(_, counted) => counted,
            elsewhere => panic!("{elsewhere:?}"),
        }
    }

    #[tokio::test]
    async fn connections_go_where_there_are_fewest() {
        let (floor, mut inboxes) = Floor::with_inboxes_of(2, 9, 1);
        let first = here(floor.place(connection().await, 0));
        let other = floor.place(connection().await, 0).unwrap();
        assert!(matches!(other, Placed::Elsewhere), "the other desk has fewer: {other:?}");
        assert_eq!(counts(&floor), [1, 1]);

        let second = here(floor.received(inboxes[1].recv().await.unwrap(), 1));
        assert_eq!(counts(&floor), [1, 1]);
        drop(second);
        drop(first);
        assert_eq!(counts(&floor), [0, 0]);
    }

    #[tokio::test]
    async fn a_desk_that_takes_no_more_loses_no_connection() {
        let (floor, inboxes) = Floor::with_inboxes_of(2, 9, 1);
        drop(inboxes);
        let _counted = [here(floor.place(connection().await, 0)), here(floor.place(connection().await, 0))];
        assert_eq!(counts(&floor), [2, 0]);
    }

    #[tokio::test]
    async fn one_too_many_takes_no_place() {
        let (floor, _inboxes) = Floor::with_inboxes_of(1, 1, 1);
        let only = here(floor.place(connection().await, 0));
        for _ in 0..2 {
            let placed = floor.place(connection().await, 0).unwrap();
            assert!(matches!(placed, Placed::TooMany(_)), "{placed:?}");
        }
        assert_eq!(counts(&floor), [1]);
        drop(only);
        here(floor.place(connection().await, 0));
    }
}

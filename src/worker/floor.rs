//! Which worker serves a connection: who accepts one hands it to the worker that has the fewest, so that
//! a few long-lived ones do not all end up on one core.

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

/// What becomes of an accepted connection: `None` where another worker has it.
pub(super) type Placed = io::Result<Option<(Connection, Counted)>>;

impl Floor {
    /// A floor with `count` desks, and each desk's inbox.
    pub(super) fn new(count: usize) -> (Arc<Self>, Vec<Inbox>) {
        Self::with_inboxes_of(count, INBOX)
    }

    fn with_inboxes_of(count: usize, size: usize) -> (Arc<Self>, Vec<Inbox>) {
        let (desks, inboxes) = (0..count)
            .map(|_| {
                let (inbox, receiver) = mpsc::channel(size);
                (Desk { connections: AtomicUsize::new(0), inbox }, receiver)
            })
            .unzip();
        (Arc::new(Self { desks }), inboxes)
    }

    /// Finds the desk for a connection that was accepted at `here`.
    pub(super) fn place(self: &Arc<Self>, connection: Connection, here: usize) -> Placed {
        let load = |desk: &usize| self.desks[*desk].connections.load(Ordering::Relaxed);
        let best = (0..self.desks.len()).min_by_key(|desk| (load(desk), *desk != here)).unwrap_or(here);
        self.desks[best].connections.fetch_add(1, Ordering::Relaxed);
        let counted = Counted { floor: self.clone(), desk: best, handed_over: false };
        if best == here {
            return Ok(Some((connection, counted)));
        }
        match self.desks[best].inbox.try_send(connection.detach()?) {
            // The other desk has it, and its count.
            Ok(()) => {
                counted.hand_over();
                Ok(None)
            }
            // It is overwhelmed, or draining: who has the connection serves it.
            Err(mpsc::error::TrySendError::Full(handed) | mpsc::error::TrySendError::Closed(handed)) => {
                self.desks[here].connections.fetch_add(1, Ordering::Relaxed);
                self.received(handed, here)
            }
        }
    }

    /// Takes a connection that is counted at `here` already.
    pub(super) fn received(self: &Arc<Self>, handed: Detached, here: usize) -> Placed {
        let counted = Counted { floor: self.clone(), desk: here, handed_over: false };
        Ok(Some((handed.attach()?, counted)))
    }
}

impl Counted {
    /// Leaves the count to whoever receives the connection.
    fn hand_over(mut self) {
        self.handed_over = true;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.handed_over {
            return;
        }
        self.floor.desks[self.desk].connections.fetch_sub(1, Ordering::Relaxed);
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

    #[tokio::test]
    async fn connections_go_where_there_are_fewest() {
        let (floor, mut inboxes) = Floor::with_inboxes_of(2, 1);
        let first = floor.place(connection().await, 0).unwrap().expect("here, where as few are as elsewhere");
        assert!(floor.place(connection().await, 0).unwrap().is_none(), "the other desk has fewer");
        assert_eq!(counts(&floor), [1, 1]);

        let second = floor.received(inboxes[1].recv().await.unwrap(), 1).unwrap();
        assert_eq!(counts(&floor), [1, 1]);
        drop(second);
        drop(first);
        assert_eq!(counts(&floor), [0, 0]);
    }

    #[tokio::test]
    async fn a_desk_that_takes_no_more_loses_no_connection() {
        let (floor, inboxes) = Floor::with_inboxes_of(2, 1);
        drop(inboxes);
        let first = floor.place(connection().await, 0).unwrap();
        let second = floor.place(connection().await, 0).unwrap();
        assert!(first.is_some() && second.is_some());
        assert_eq!(counts(&floor), [2, 0]);
    }
}

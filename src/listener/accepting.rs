//! Takes connections in, and turns away those of users who may not connect.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tracing::{debug, warn};

use super::{Bound, Connection, Detached, Door, Leaving};

/// The pause after the system had no file descriptor left for a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// Bytes that the system may hold for a client that does not take them; Linux doubles it. It tells that there is
/// room again when a third is free, so the buffer must be small for a slow reader to be told from one that
/// does not read: grown to its usual 4 MiB, that took minutes.
const SEND_BUFFER: usize = 128 * 1024;

/// Between two lines of the log about the same: anyone may knock as often as they like.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// A handle on a listening socket, for one runtime.
#[derive(Debug)]
pub struct Accepting {
    // Dropped before the socket: see `Place`.
    leaving: Leaving,
    socket: Attached,
}

#[derive(Debug)]
enum Attached {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// How often something happened since the log had a line about it, and when that was.
#[derive(Debug, Default)]
pub(super) struct Untold(Mutex<(Option<Instant>, u64)>);

impl Accepting {
    pub(super) fn new(socket: &Bound, door: Arc<Door>) -> io::Result<Self> {
        let socket = match socket {
            Bound::Tcp(socket) => Attached::Tcp(TcpListener::from_std(socket.try_clone()?)?),
            Bound::Unix(socket) => Attached::Unix(UnixListener::from_std(socket.try_clone()?)?),
        };
        Ok(Self { leaving: Leaving(door), socket })
    }

    /// The next connection; `turned_away` is called for each that was closed at once, because its user may
    /// not connect. Loses no connection when it is dropped.
    pub async fn next(&self, turned_away: impl Fn()) -> Connection {
        loop {
            let accepted = match &self.socket {
                Attached::Tcp(socket) => socket.accept().await.map(|(stream, _)| Connection::Tcp(stream)),
                Attached::Unix(socket) => socket.accept().await.map(|(stream, _)| Connection::Unix(stream)),
            };
            match accepted {
                Ok(connection) => {
                    if let Some(connection) = admit(&self.leaving.0, connection, &turned_away) {
                        return connection;
                    }
                }
                Err(error) if is_of_one_connection(&error) => {}
                // Any other is the system's, and passes when something is closed.
                Err(error) => {
                    if let Some(times) = self.leaving.0.failed.due(Instant::now()) {
                        warn!(%error, times, listener = %self.leaving.0.address, "cannot accept a connection");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Stops: takes the path away, and then gives those that wait in the system's queue, which were accepted
    /// as far as their clients know. The socket is closed when the iterator is dropped.
    pub fn close(self, turned_away: impl Fn()) -> impl Iterator<Item = Connection> {
        self.leaving.0.leave();
        let door = self.leaving.0.clone();
        // Without the runtime, which may not have heard of the last ones yet.
        let socket = match self.socket {
            Attached::Tcp(socket) => socket.into_std().map(Bound::Tcp),
            Attached::Unix(socket) => socket.into_std().map(Bound::Unix),
        };
        std::iter::from_fn(move || {
            loop {
                match waiting(socket.as_ref().ok()?) {
                    Ok(connection) => {
                        if let Some(connection) = admit(&door, connection, &turned_away) {
                            return Some(connection);
                        }
                    }
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                    Err(error) => {
                        warn!(%error, "cannot accept what still waits");
                        return None;
                    }
                }
            }
        })
    }
}

/// A connection from the system's queue, for the runtime that this is called in.
fn waiting(socket: &Bound) -> io::Result<Connection> {
    let stream = match socket {
        Bound::Tcp(socket) => Detached::Tcp(socket.accept()?.0),
        Bound::Unix(socket) => Detached::Unix(socket.accept()?.0),
    };
    match &stream {
        Detached::Tcp(stream) => stream.set_nonblocking(true)?,
        Detached::Unix(stream) => stream.set_nonblocking(true)?,
    }
    stream.attach()
}

/// The connection, unless its user may not connect: then it is counted, told, and closed.
fn admit(door: &Door, connection: Connection, turned_away: impl Fn()) -> Option<Connection> {
    match &connection {
        Connection::Tcp(stream) => {
            // An error means that the connection is gone already, which its first read will show.
            let _ = stream.set_nodelay(true);
            let _ = SockRef::from(stream).set_send_buffer_size(SEND_BUFFER);
        }
        Connection::Unix(stream) if !door.allowed_uids.is_empty() => {
            // Who it was when it connected (SO_PEERCRED, unix(7)).
            let uid = uid(stream);
            if !uid.is_some_and(|uid| door.allowed_uids.contains(&uid)) {
                turned_away();
                tell(door, uid);
                return None;
            }
        }
        Connection::Unix(_) => {}
    }
    Some(connection)
}

fn uid(stream: &UnixStream) -> Option<u32> {
    match stream.peer_cred() {
        Ok(peer) => Some(peer.uid()),
        Err(error) => {
            debug!(%error, "the system does not say who has connected");
            None
        }
    }
}

/// Says nothing of the next connection.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

fn tell(door: &Door, uid: Option<u32>) {
    if let Some(connections) = door.turned_away.due(Instant::now()) {
        warn!(
            listener = %door.address,
            uid,
            connections,
            "connections were closed, the last one of this user: unix_allowed_uids does not name it"
        );
    }
}

impl Untold {
    /// Counts one, and returns how many there were when it is time to tell.
    fn due(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (told, untold) = &mut *state;
        *untold += 1;
        if told.is_some_and(|told| now.duration_since(told) < TELL_EVERY) {
            return None;
        }
        *told = Some(now);
        Some(std::mem::take(untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_knocks_again_and_again_does_not_fill_the_log() {
        let untold = Untold::default();
        let start = Instant::now();
        let after = |seconds| untold.due(start + Duration::from_secs(seconds));
        assert_eq!(after(0), Some(1), "the first is told at once");
        assert_eq!([0, 1, 5, 9].map(after), [None; 4]);
        assert_eq!(after(10), Some(5));
        assert_eq!(after(11), None);
        assert_eq!(after(100), Some(2));
    }
}

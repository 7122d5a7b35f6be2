//! The threads that serve apps: each has a runtime, connections and a way to the API of its own, so
//! that a request never crosses a core.
//!
//! All workers accept from one socket. Who accepts a connection hands it to the worker that has the
//! fewest, so that a few long-lived ones do not all end up on one core.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::runtime::{self, LocalOptions};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use crate::lifecycle::Drain;
use crate::listener::Listener;
use crate::proxy::{Blueprint, Proxy};

/// Connections that may be on their way from one worker to another.
const INBOX: usize = 64;

/// How long an app's connection may be idle, or take for a request's head. Longer than the clients'
/// own pools keep one, so that it is they who close it.
const IDLE: Duration = Duration::from_secs(120);

/// The pause after the system had no file descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The running workers.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<JoinHandle<()>>,
    done: Vec<oneshot::Receiver<()>>,
}

/// Where connections can go: how many each worker has, and the way to it.
#[derive(Debug)]
struct Floor {
    desks: Vec<Desk>,
}

#[derive(Debug)]
struct Desk {
    connections: AtomicUsize,
    inbox: mpsc::Sender<std::net::TcpStream>,
}

/// A connection counted at a worker, until it is dropped.
#[derive(Debug)]
struct Counted {
    floor: Arc<Floor>,
    desk: usize,
    handed_over: bool,
}

impl Workers {
    /// Starts one worker a core, and returns when all of them accept. They stop when `drain` starts.
    ///
    /// # Errors
    /// The first error of any of them; the others stop when `drain`'s other side is gone.
    pub fn start(listener: &Arc<Listener>, blueprint: &Blueprint, drain: &Drain) -> io::Result<Self> {
        let count = std::thread::available_parallelism()?.get();
        let (desks, inboxes): (Vec<_>, Vec<_>) = (0..count)
            .map(|_| {
                let (inbox, receiver) = mpsc::channel(INBOX);
                (Desk { connections: AtomicUsize::new(0), inbox }, receiver)
            })
            .unzip();
        let floor = Arc::new(Floor { desks });
        let mut workers = Self { threads: Vec::with_capacity(count), done: Vec::with_capacity(count) };
        let (started, starts) = std::sync::mpsc::sync_channel(count);
        for (desk, inbox) in inboxes.into_iter().enumerate() {
            let worker = Worker {
                desk,
                floor: floor.clone(),
                inbox,
                listener: listener.clone(),
                blueprint: blueprint.clone(),
                drain: drain.clone(),
            };
            let (report, done) = oneshot::channel();
            let started = started.clone();
            let thread = std::thread::Builder::new()
                .name(format!("worker-{desk}"))
                .spawn(move || worker.run(&started, report))?;
            workers.threads.push(thread);
            workers.done.push(done);
        }
        for _ in 0..count {
            starts.recv().map_err(io::Error::other)??;
        }
        Ok(workers)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.threads.len()
    }

    /// Returns when every worker has served its last connection.
    pub async fn finished(&mut self) {
        for done in &mut self.done {
            // An error means that the worker is gone without a word: it has finished all the same.
            let _ = done.await;
        }
    }

    /// Returns when one of the workers is gone. Before the drain, none should be.
    pub async fn one_is_gone(&mut self) {
        std::future::poll_fn(|cx| {
            let gone = self.done.iter_mut().any(|done| Pin::new(done).poll(cx).is_ready());
            if gone { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

struct Worker {
    desk: usize,
    floor: Arc<Floor>,
    inbox: mpsc::Receiver<std::net::TcpStream>,
    listener: Arc<Listener>,
    blueprint: Blueprint,
    drain: Drain,
}

impl Worker {
    fn run(self, started: &std::sync::mpsc::SyncSender<io::Result<()>>, report: oneshot::Sender<()>) {
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => {
                runtime.block_on(self.serve(started));
                // An error means that nobody waits for the workers any more.
                let _ = report.send(());
                // A name that is being looked up must not hold the end of the process.
                runtime.shutdown_background();
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        }
    }

    async fn serve(mut self, started: &std::sync::mpsc::SyncSender<io::Result<()>>) {
        let listener = match self.listener.accepting() {
            Ok(listener) => listener,
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        // The accepting handle is all that is left: when it goes, the port closes.
        drop(self.listener);
        // An error means that the start was given up.
        let _ = started.send(Ok(()));
        let metrics = self.blueprint.metrics.clone();
        let service = TowerToHyperService::new(Proxy::new(self.blueprint).into_service());
        let mut builder = auto::Builder::new(LocalExecutor);
        builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE);
        builder.http2().timer(TokioTimer::new());
        let connections = GracefulShutdown::new();
        let serve = |placed: Placed| {
            let (stream, counted) = match placed {
                Ok(Some(mine)) => mine,
                Ok(None) => return,
                Err(error) => {
                    warn!(%error, "a connection could not be taken over");
                    return;
                }
            };
            // An error means that the connection is gone already, which its first read will show.
            let _ = stream.set_nodelay(true);
            metrics.connection_opened();
            let metrics = metrics.clone();
            let connection = builder.serve_connection(TokioIo::new(stream), service.clone()).into_owned();
            let connection = connections.watch(connection);
            tokio::task::spawn_local(async move {
                if let Err(error) = connection.await {
                    debug!(%error, "an app's connection ended badly");
                }
                metrics.connection_closed();
                drop(counted);
            });
        };
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => serve(self.floor.place(stream, self.desk)),
                    Err(error) => pause_after(&error).await,
                },
                Some(stream) = self.inbox.recv() => serve(self.floor.received(stream, self.desk)),
                () = self.drain.started() => break,
            }
        }
        // Those that wait in the system's queue were accepted as far as their clients know.
        while let Ok(Ok((stream, _))) = tokio::time::timeout(Duration::ZERO, listener.accept()).await {
            serve(self.floor.place(stream, self.desk));
        }
        drop(listener);
        // What was on its way to this worker is a client's all the same.
        self.inbox.close();
        while let Some(stream) = self.inbox.recv().await {
            serve(self.floor.received(stream, self.desk));
        }
        connections.shutdown().await;
    }
}

/// What becomes of an accepted connection: `None` where another worker has it.
type Placed = io::Result<Option<(TcpStream, Counted)>>;

impl Floor {
    /// Finds the desk for a connection that was accepted at `here`.
    fn place(self: &Arc<Self>, stream: TcpStream, here: usize) -> Placed {
        let load = |desk: &usize| self.desks[*desk].connections.load(Ordering::Relaxed);
        let best = (0..self.desks.len()).min_by_key(|desk| (load(desk), *desk != here)).unwrap_or(here);
        self.desks[best].connections.fetch_add(1, Ordering::Relaxed);
        let counted = Counted { floor: self.clone(), desk: best, handed_over: false };
        if best == here {
            return Ok(Some((stream, counted)));
        }
        match self.desks[best].inbox.try_send(stream.into_std()?) {
            // The other desk has it, and its count.
            Ok(()) => {
                counted.hand_over();
                Ok(None)
            }
            // It is overwhelmed, or draining: who has the connection serves it.
            Err(mpsc::error::TrySendError::Full(stream) | mpsc::error::TrySendError::Closed(stream)) => {
                self.desks[here].connections.fetch_add(1, Ordering::Relaxed);
                self.received(stream, here)
            }
        }
    }

    /// Takes a connection that is counted at `here` already.
    fn received(self: &Arc<Self>, stream: std::net::TcpStream, here: usize) -> Placed {
        let counted = Counted { floor: self.clone(), desk: here, handed_over: false };
        Ok(Some((TcpStream::from_std(stream)?, counted)))
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

/// An error of the one connection says nothing of the next; any other is the system's, and passes
/// when something is closed.
async fn pause_after(error: &io::Error) {
    match error.kind() {
        io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionRefused => {}
        _ => {
            warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// Runs a connection's tasks on the worker's own runtime.
#[derive(Debug, Clone, Copy)]
struct LocalExecutor;

impl<F> Executor<F> for LocalExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(desks: usize) -> (Arc<Floor>, Vec<mpsc::Receiver<std::net::TcpStream>>) {
        let (desks, inboxes) = (0..desks)
            .map(|_| {
                let (inbox, receiver) = mpsc::channel(1);
                (Desk { connections: AtomicUsize::new(0), inbox }, receiver)
            })
            .unzip();
        (Arc::new(Floor { desks }), inboxes)
    }

    async fn connection() -> TcpStream {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        TcpStream::connect(listener.local_addr().unwrap()).await.unwrap()
    }

    fn counts(floor: &Floor) -> Vec<usize> {
        floor.desks.iter().map(|desk| desk.connections.load(Ordering::Relaxed)).collect()
    }

    #[tokio::test]
    async fn connections_go_where_there_are_fewest() {
        let (floor, mut inboxes) = floor(2);
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
        let (floor, inboxes) = floor(2);
        drop(inboxes);
        let first = floor.place(connection().await, 0).unwrap();
        let second = floor.place(connection().await, 0).unwrap();
        assert!(first.is_some() && second.is_some());
        assert_eq!(counts(&floor), [2, 0]);
    }
}

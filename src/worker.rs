//! The threads that serve apps: each has a runtime, connections and a way to the API of its own, so
//! that a request never crosses a core.
//!
//! All workers accept from one socket; a connection goes to the one that has the fewest.

mod answer;
mod connection;
mod floor;
mod life;
mod limits;
mod rest;
mod roster;
mod stream;
mod turned_away;
mod voice;

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{self, LocalOptions};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::warn;

use self::connection::Server;
use self::floor::{Floor, Inbox, Placed};
use self::limits::{Parsers, Ticks};
use self::roster::Roster;
use self::turned_away::TurnedAway;
use self::voice::Voice;
use crate::config::ConnectionLimits;
use crate::lifecycle::Drain;
use crate::listener::Listener;
use crate::proxy::{Blueprint, Proxy};
use crate::tls;

/// How long a client that has just connected may take to begin its request, when the drain comes between.
/// One that has sent nothing by then is idle: hyper closes it unheard.
const FIRST_WORDS: Duration = Duration::from_millis(200);

/// What workers serve, and how.
#[derive(Debug, Clone)]
pub struct Front {
    /// Where connections come from.
    pub listener: Arc<Listener>,
    /// How long they may stay, and how many there may be.
    pub limits: ConnectionLimits,
    /// What they speak, if it is not plain HTTP.
    pub tls: Option<tls::Server>,
}

/// The running workers.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<JoinHandle<()>>,
    done: Vec<oneshot::Receiver<()>>,
}

impl Workers {
    /// Starts one worker a core, and returns when all of them accept. They stop when `drain` starts.
    ///
    /// # Errors
    /// The first error of any of them; the others stop when `drain`'s other side is gone.
    #[expect(clippy::needless_pass_by_value, reason = "a handle that stayed behind would keep the port")]
    pub fn start(front: Front, blueprint: &Blueprint, drain: &Drain) -> io::Result<Self> {
        let count = std::thread::available_parallelism()?.get();
        let (floor, inboxes) = Floor::new(count, front.limits.max_connections);
        let mut workers = Self { threads: Vec::with_capacity(count), done: Vec::with_capacity(count) };
        let (started, starts) = std::sync::mpsc::sync_channel(count);
        for (desk, inbox) in inboxes.into_iter().enumerate() {
            let worker = Worker {
                desk,
                floor: floor.clone(),
                inbox,
                front: front.clone(),
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
    inbox: Inbox,
    front: Front,
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
        let Front { listener: socket, limits, tls } = self.front;
        let listener = match socket.accepting() {
            Ok(listener) => listener,
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        // The accepting handle is all that is left: when it goes, the port closes.
        drop(socket);
        // An error means that the start was given up.
        let _ = started.send(Ok(()));
        let Blueprint { metrics, requests, access, .. } = &self.blueprint;
        let metrics = metrics.clone();
        let speaks_tls = tls.is_some();
        let voice = Rc::new(Voice::new(limits, requests, *access, metrics.clone()));
        let parsers = Parsers::of(requests);
        let proxy = Proxy::new(self.blueprint).into_service();
        let server = Rc::new(Server::new(proxy, parsers, tls, voice.clone(), metrics.clone()));
        let too_many = TurnedAway::new(speaks_tls, voice, metrics.clone());
        let roster = Roster::new(Ticks::of(&limits));
        let sweeping = roster.clone();
        let mut sweep =
            tokio::task::spawn_local(async move { tokio::join!(sweeping.sweep(), sweeping.let_rest()) });

        let turned_away = || metrics.connection_turned_away("app");
        let latest = Cell::new(None);
        let serve = |placed: io::Result<Placed>| match placed {
            Ok(Placed::Here(connection, counted)) => {
                latest.set(Some(Instant::now()));
                let (server, entry) = (server.clone(), roster.enter());
                tokio::task::spawn_local(async move {
                    server.serve(connection, entry).await;
                    drop(counted);
                });
            }
            Ok(Placed::Elsewhere) => {}
            Ok(Placed::TooMany(connection)) => too_many.add(connection),
            Err(error) => warn!(%error, "a connection could not be taken over"),
        };
        loop {
            tokio::select! {
                connection = listener.next(turned_away) => serve(self.floor.place(connection, self.desk)),
                Some(handed) = self.inbox.recv() => serve(self.floor.received(handed, self.desk)),
                () = self.drain.started() => break,
                // Without it nothing would end: a worker that is gone ends the process.
                _ = &mut sweep => return,
            }
        }
        for connection in listener.close(turned_away) {
            serve(self.floor.place(connection, self.desk));
        }
        // What was on its way to this worker is a client's all the same.
        self.inbox.close();
        while let Some(handed) = self.inbox.recv().await {
            serve(self.floor.received(handed, self.desk));
        }
        if let Some(latest) = latest.get() {
            tokio::time::sleep_until(latest + FIRST_WORDS).await;
        }
        roster.end().await;
    }
}

//! The threads that serve apps: each has a runtime, connections and a way to the API of its own, so
//! that a request never crosses a core.
//!
//! All workers accept from one socket; a connection goes to the one that has the fewest.

mod floor;

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::runtime::{self, LocalOptions};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{debug, warn};

use self::floor::{Floor, Inbox, Placed};
use crate::lifecycle::Drain;
use crate::listener::Listener;
use crate::proxy::{Blueprint, Proxy};

/// How long an app's connection may be idle, or take for a request's head. Longer than the clients'
/// own pools keep one, so that it is they who close it.
const IDLE: Duration = Duration::from_secs(120);

/// How long a client that has just connected may take to begin its request, when the drain comes between.
/// One that has sent nothing by then is idle: hyper closes it unheard.
const FIRST_WORDS: Duration = Duration::from_millis(200);

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
    pub fn start(listener: &Arc<Listener>, blueprint: &Blueprint, drain: &Drain) -> io::Result<Self> {
        let count = std::thread::available_parallelism()?.get();
        let (floor, inboxes) = Floor::new(count);
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
    inbox: Inbox,
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
        let turned_away = || metrics.connection_turned_away("app");
        let service = TowerToHyperService::new(Proxy::new(self.blueprint).into_service());
        let mut builder = auto::Builder::new(LocalExecutor);
        builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE);
        builder.http2().timer(TokioTimer::new());
        let connections = GracefulShutdown::new();
        let latest = Cell::new(None);
        let serve = |placed: Placed| {
            let (connection, counted) = match placed {
                Ok(Some(mine)) => mine,
                Ok(None) => return,
                Err(error) => {
                    warn!(%error, "a connection could not be taken over");
                    return;
                }
            };
            latest.set(Some(Instant::now()));
            metrics.connection_opened();
            let metrics = metrics.clone();
            let served = builder.serve_connection(TokioIo::new(connection), service.clone()).into_owned();
            let served = connections.watch(served);
            tokio::task::spawn_local(async move {
                if let Err(error) = served.await {
                    debug!(%error, "an app's connection ended badly");
                }
                metrics.connection_closed();
                drop(counted);
            });
        };
        loop {
            tokio::select! {
                connection = listener.next(turned_away) => serve(self.floor.place(connection, self.desk)),
                Some(handed) = self.inbox.recv() => serve(self.floor.received(handed, self.desk)),
                () = self.drain.started() => break,
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
        connections.shutdown().await;
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

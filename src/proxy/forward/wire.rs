//! HTTP on a connection to the API: hyper's connections, driven on the worker's own runtime.

use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::connect::Connected;
use super::failure::Unconnected;
use crate::proxy::upload::Upload;

/// A dead HTTP/2 connection would take all requests with it: it is asked for a sign of life this often.
const HTTP2_PING: Duration = Duration::from_secs(10);

/// A connection without a sign of life for this long is closed.
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(5);

/// What the API may send of one answer before the client has taken it, bytes.
const HTTP2_STREAM_WINDOW: u32 = 256 * 1024;

/// The same over all answers of a connection: so many clients may stop reading before others notice.
const HTTP2_CONNECTION_WINDOW: u32 = 128 * HTTP2_STREAM_WINDOW;

/// How much is read of an answer before it is used, bytes. A head that is not whole then is too large.
const HTTP1_BUFFER: usize = 64 * 1024;

/// A connection for one request at a time.
pub(super) type Single = http1::SendRequest<Upload>;

/// A connection for many requests at once.
pub(super) type Multiplexed = http2::SendRequest<Upload>;

/// What HTTP can be spoken on.
pub(super) enum Spoken {
    /// HTTP/1.1
    Single(Single),
    /// HTTP/2
    Multiplexed(Multiplexed),
}

/// Runs tasks on the runtime of the thread that starts them.
#[derive(Debug, Clone, Copy)]
pub struct LocalExecutor;

impl<F> Executor<F> for LocalExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// Begins to speak what was agreed on. What drives the connection ends with it.
pub(super) async fn speak(connected: Connected) -> Result<Spoken, Unconnected> {
    let is_http2 = connected.is_http2();
    match connected {
        Connected::Plain(stream) => http1(stream).await,
        Connected::Tls(stream) if is_http2 => http2(*stream).await,
        Connected::Tls(stream) => http1(*stream).await,
    }
}

async fn http1<T: AsyncRead + AsyncWrite + Unpin + 'static>(stream: T) -> Result<Spoken, Unconnected> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HTTP1_BUFFER);
    let handshake = builder.handshake(TokioIo::new(stream));
    let (single, connection) = handshake.await.map_err(|error| Unconnected::unspoken(&error))?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            debug!(%error, "a connection to the API ended badly");
        }
    });
    Ok(Spoken::Single(single))
}

async fn http2<T: AsyncRead + AsyncWrite + Unpin + 'static>(stream: T) -> Result<Spoken, Unconnected> {
    let mut builder = http2::Builder::new(LocalExecutor);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW);
    let handshake = builder.handshake(TokioIo::new(stream));
    let (multiplexed, connection) = handshake.await.map_err(|error| Unconnected::unspoken(&error))?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            debug!(%error, "a connection to the API ended badly");
        }
    });
    Ok(Spoken::Multiplexed(multiplexed))
}

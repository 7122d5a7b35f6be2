//! A connection without hyper: before its first bytes, and again when nobody has asked anything for a moment.
//!
//! hyper's part of a connection is tens of KiB of buffers and futures. A connection that rests holds what its task
//! holds, and gets a new part of hyper's when its client speaks.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use hyper::server::conn::http1::Parts;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::life::{Life, Order, Version};
use super::stream::Stream;

/// Why a connection ended badly: hyper, or what is below it.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What becomes of a connection that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Its client speaks; the stream holds what it said.
    Serve(Version),
    /// Its client has closed, or it is told to end.
    Close,
    /// It is told to end now.
    Drop,
}

/// Waits until the client's first bytes tell what it speaks: HTTP/1.1, unless they are the whole of HTTP/2's preface.
/// Afterwards, until anything comes.
///
/// # Errors
/// The connection failed.
pub(super) async fn next<I>(stream: &mut Stream<I>, life: &Life) -> io::Result<Next>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| {
        match life.order(cx.waker()) {
            Some(Order::Abort) => return Poll::Ready(Ok(Next::Drop)),
            // Nothing is under way: there is nothing to wait for.
            Some(Order::Leave) => return Poll::Ready(Ok(Next::Close)),
            Some(Order::Rest) | None => {}
        }
        loop {
            match life.version() {
                Some(Version::Http1) => stream.skip_empty_lines(),
                Some(Version::Http2) | None => {}
            }
            if let Some(version) = life.version().filter(|_| stream.has_more()) {
                return Poll::Ready(Ok(Next::Serve(version)));
            }
            if ready!(stream.poll_ahead(cx))? == 0 {
                // Too little has come for a head: hyper knows what to do with that.
                let is_cut_short = stream.has_more();
                let next = if is_cut_short { Next::Serve(Version::Http1) } else { Next::Close };
                return Poll::Ready(Ok(next));
            }
        }
    })
    .await
}

/// Closes a connection that nobody serves, unless it is told that this takes too long.
pub(super) async fn close<I>(stream: &mut Stream<I>, life: &Life) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| match life.order(cx.waker()) {
        Some(Order::Abort) => Poll::Ready(Ok(())),
        Some(Order::Leave | Order::Rest) | None => Pin::new(&mut *stream).poll_shutdown(cx),
    })
    .await
}

/// Takes a connection from hyper, which was told to end it. `None` where hyper had more to do than the connection's
/// marks told: then it has done so, and the connection is closed.
///
/// # Errors
/// The connection failed.
pub(super) async fn take_apart<I, S>(
    mut ending: Pin<Box<impl Future<Output = hyper::Result<Parts<TokioIo<Stream<I>>, S>>>>>,
    life: &Life,
) -> Result<Option<Stream<I>>, BoxError>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let mut was_idle = true;
    let parts = poll_fn(|cx| {
        if life.order(cx.waker()) == Some(Order::Abort) {
            return Poll::Ready(None);
        }
        let ended = ending.as_mut().poll(cx);
        was_idle &= ended.is_ready();
        ended.map(Some)
    })
    .await;
    let Some(Parts { io, read_buf, .. }) = parts.transpose()? else { return Ok(None) };
    let mut stream = io.into_inner();
    if !was_idle {
        close(&mut stream, life).await?;
        return Ok(None);
    }
    if read_buf.is_empty() {
        debug!("an app's connection rests");
    } else {
        debug!(unread = read_buf.len(), "an app's connection does not rest: a request has begun");
        stream.give_back(&read_buf);
    }
    Ok(Some(stream))
}

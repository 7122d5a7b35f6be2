//! A connection before its first bytes, without hyper: who only connects takes up what its task holds.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};

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
            None => {}
        }
        loop {
            match life.version() {
                Some(version) if stream.has_more() => return Poll::Ready(Ok(Next::Serve(version))),
                _ => {}
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
        Some(Order::Leave) | None => Pin::new(&mut *stream).poll_shutdown(cx),
    })
    .await
}

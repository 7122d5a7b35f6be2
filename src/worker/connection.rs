//! One connection, from its acceptance to its end.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use futures_util::TryFutureExt;
use http::{Request, Response};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::Service;
use tracing::debug;

use super::answer::Answer;
use super::life::{Life, Order, Reason, Version};
use super::limits::Parsers;
use super::rest::{self, BoxError, Next};
use super::roster::Entry;
use super::stream::{Socket, Stream};
use super::voice::Voice;
use crate::listener::Connection;
use crate::proxy::LocalExecutor;
use crate::proxy::body::Body;
use crate::telemetry::metrics::Metrics;
use crate::tls;

/// Requests that a client may have under way at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 100;

/// Bytes of a request's body that HTTP/2 clients may send ahead of the data path.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same of all requests of a connection together, so that one that stands still does not hold the others.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Bytes of an answer that wait in an HTTP/2 stream.
const SEND_BUFFER: usize = 64 * 1024;

/// Bytes of answers that wait to be sent in TLS.
const TLS_BUFFER: usize = 32 * 1024;

/// How connections are served, the same for all of a worker's.
#[derive(Debug)]
pub(super) struct Server<S> {
    http1: http1::Builder,
    http2: http2::Builder<LocalExecutor>,
    proxy: S,
    tls: Option<tls::Server>,
    voice: Rc<Voice>,
    metrics: Metrics,
}

impl<S> Server<S>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = std::convert::Infallible>
        + Clone
        + 'static,
    S::Future: 'static,
{
    pub(super) fn new(
        proxy: S,
        parsers: Parsers,
        tls: Option<tls::Server>,
        voice: Rc<Voice>,
        metrics: Metrics,
    ) -> Self {
        let mut http1 = http1::Builder::new();
        http1.max_buf_size(parsers.buffer);
        if let Some(headers) = parsers.headers {
            http1.max_headers(headers);
        }
        // What a client sends too quickly, resets or spreads over frames is h2's to limit, by its defaults.
        let mut http2 = http2::Builder::new(LocalExecutor);
        http2
            .max_concurrent_streams(MAX_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(parsers.header_list);
        Self { http1, http2, proxy, tls, voice, metrics }
    }

    /// Serves `connection` to its end.
    pub(super) async fn serve(&self, connection: Connection, entry: Entry) {
        let mut open = Open::new(&self.metrics);
        let socket = Socket::new(connection, entry.life().clone());
        let ended = match &self.tls {
            None => self.speak(socket, &entry).await,
            // In boxes: who speaks no TLS has no room for it.
            Some(tls) => match Box::pin(self.agree_on_tls(tls, socket, &entry)).await {
                Ok(Some(stream)) => self.speak(stream, &entry).await,
                Ok(None) => Ok(()),
                Err(error) => {
                    entry.life().end_for(Reason::Handshake);
                    Err(error.into())
                }
            },
        };
        if let Err(error) = &ended {
            debug!(%error, "an app's connection ended badly");
        }
        let reason = match (entry.life().reason(), ended) {
            (Some(reason), _) => name(reason),
            (None, Ok(())) => "done",
            (None, Err(error)) => of_error(&*error),
        };
        debug!(reason, "an app's connection is closed");
        open.ended_for = reason;
    }

    /// Agrees on TLS with the client; `None` where it was told to end before.
    async fn agree_on_tls(
        &self,
        tls: &tls::Server,
        socket: Socket,
        entry: &Entry,
    ) -> io::Result<Option<Box<TlsStream<Socket>>>> {
        let life = entry.life();
        life.handshake_begins();
        let agreeing = async {
            if socket.first_byte().await?.is_some_and(|byte| byte.is_ascii_alphabetic()) {
                life.end_for(Reason::Handshake);
                let mut stream = Stream::new(socket, life.clone(), *entry.ticks(), self.voice.clone());
                stream.close_with(self.voice.tls_is_spoken()).await?;
                return Ok(None);
            }
            let mut stream = Box::new(TlsAcceptor::from(tls.current()).accept(socket).await?);
            stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER));
            life.handshake_ends();
            Ok(Some(stream))
        };
        let mut agreeing = pin!(agreeing);
        poll_fn(|cx| match life.order(cx.waker()) {
            // Nothing is under way yet: there is nothing to wait for.
            Some(Order::Abort | Order::Leave) => Poll::Ready(Ok(None)),
            Some(Order::Rest) | None => agreeing.as_mut().poll(cx),
        })
        .await
    }

    /// Speaks HTTP on `io`, until the client or the sweep ends it. While nobody asks anything, it rests.
    async fn speak<I>(&self, io: I, entry: &Entry) -> Result<(), BoxError>
    where
        I: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let life = entry.life();
        let mut stream = Stream::new(io, life.clone(), *entry.ticks(), self.voice.clone());
        let mut next = rest::next(&mut stream, life).await?;
        loop {
            match next {
                Next::Serve(Version::Http2) => return Box::pin(self.http2(stream, life)).await,
                Next::Serve(Version::Http1) => match Box::pin(self.http1(stream, entry)).await? {
                    Some(rests) => stream = rests,
                    None => return Ok(()),
                },
                Next::Close => return Ok(rest::close(&mut stream, life).await?),
                Next::Drop => return Ok(()),
            }
            // One that fails when nobody waits for anything has ended, as it does with hyper.
            next = rest::next(&mut stream, life).await.unwrap_or(Next::Close);
        }
    }

    /// Speaks HTTP/1.1, and gives the stream back when the connection is to rest.
    async fn http1<I>(&self, stream: Stream<I>, entry: &Entry) -> Result<Option<Stream<I>>, BoxError>
    where
        I: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let life = entry.life();
        let _awake = entry.awake();
        let service = service_fn(|request| self.answer(life, request));
        let mut served = self.http1.serve_connection(TokioIo::new(stream), service);
        let rests = poll_fn(|cx| {
            let order = life.order(cx.waker());
            match order {
                Some(Order::Abort) => return Poll::Ready(Ok(false)),
                Some(Order::Leave) => Pin::new(&mut served).graceful_shutdown(),
                Some(Order::Rest) | None => {}
            }
            match Pin::new(&mut served).poll(cx) {
                // What came in the meantime has been read.
                Poll::Pending if order == Some(Order::Rest) && life.may_rest() => Poll::Ready(Ok(true)),
                ended => ended.map_ok(|()| false),
            }
        });
        if !rests.await? {
            return Ok(None);
        }
        // By that hyper ends an idle connection at once, and keeps what it has read of the next request.
        Pin::new(&mut served).graceful_shutdown();
        rest::take_apart(Box::pin(served.without_shutdown()), life).await
    }

    /// Speaks HTTP/2.
    async fn http2<I>(&self, stream: Stream<I>, life: &Rc<Life>) -> Result<(), BoxError>
    where
        I: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let service = service_fn(|request| self.answer(life, request));
        let mut served = pin!(self.http2.serve_connection(TokioIo::new(stream), service));
        poll_fn(|cx| {
            match life.order(cx.waker()) {
                Some(Order::Abort) => return Poll::Ready(Ok(())),
                Some(Order::Leave) => served.as_mut().graceful_shutdown(),
                Some(Order::Rest) | None => {}
            }
            served.as_mut().poll(cx).map_err(Into::into)
        })
        .await
    }

    /// Has a request answered, and marks it as under way until then.
    fn answer(
        &self,
        life: &Rc<Life>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Answer>, S::Error>> + use<S> {
        let under_way = life.begin(!request.body().is_end_stream());
        let answered = self.proxy.clone().call(request);
        answered.map_ok(|response| response.map(|body| Answer::new(body, under_way)))
    }
}

/// A connection that is counted as open, until dropped: a panic may come in between.
struct Open<'a> {
    metrics: &'a Metrics,
    ended_for: &'static str,
}

impl<'a> Open<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.connection_opened();
        Self { metrics, ended_for: "panic" }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.metrics.connection_closed(self.ended_for);
    }
}

/// The name of a reason in the metrics.
fn name(reason: Reason) -> &'static str {
    match reason {
        Reason::Head => "head_timeout",
        Reason::Idle => "idle_timeout",
        Reason::Send => "send_timeout",
        Reason::Handshake => "tls_handshake",
        Reason::Drain => "drain",
        Reason::NotHttp => "not_http",
        Reason::HeadTooLarge => "head_too_large",
        Reason::UriTooLong => "uri_too_long",
    }
}

/// The same, where hyper ended the connection without an answer that could have been replaced.
fn of_error(error: &(dyn std::error::Error + 'static)) -> &'static str {
    match error.downcast_ref::<hyper::Error>() {
        Some(error) if error.is_parse_too_large() => "head_too_large",
        Some(error) if error.is_parse() => "not_http",
        _ => "broken",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Proxy = tower::util::ServiceFn<
        fn(Request<Incoming>) -> std::future::Ready<Result<Response<Body>, std::convert::Infallible>>,
    >;

    fn size_of_output<A, B, R>(_: impl Fn(A, B) -> R) -> usize {
        size_of::<R>()
    }

    /// It is most of what a client takes up that asks nothing.
    #[test]
    fn a_connection_that_rests_is_small() {
        let size = size_of_output(|server: &'static Server<Proxy>, (connection, entry)| {
            server.serve(connection, entry)
        });
        assert!(size < 640, "{size} bytes");
    }
}

//! Streams of HTTP/2, from either side, with the library that the proxy's own is built on: it shows resets,
//! windows and interim answers, which hyper does not.

use std::future::poll_fn;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;

use super::{Fields, Piece};
use crate::support::within_limit;

/// The next piece of a body. That it is taken opens the window again.
pub async fn piece(body: &mut RecvStream) -> Piece {
    loop {
        match within_limit("a piece comes", body.data()).await {
            // The end may come in a frame of its own, with nothing in it.
            Some(Ok(data)) if data.is_empty() => {}
            Some(Ok(data)) => {
                // An error means that the stream is over, and so is its window.
                let _ = body.flow_control().release_capacity(data.len());
                return Piece::Data(data);
            }
            Some(Err(error)) => return Piece::Broken(error.reason()),
            None => {
                return match within_limit("the end comes", body.trailers()).await {
                    Ok(trailers) => Piece::End(trailers.unwrap_or_default()),
                    Err(error) => Piece::Broken(error.reason()),
                };
            }
        }
    }
}

/// Sends as much as there is room for, as soon as there is any.
///
/// # Errors
/// Why the other side takes no more.
pub async fn send(stream: &mut SendStream<Bytes>, data: &[u8]) -> Result<usize, Option<Reason>> {
    stream.reserve_capacity(data.len());
    let room = loop {
        match poll_fn(|cx| stream.poll_capacity(cx)).await {
            // Room that was taken already.
            Some(Ok(0)) => {}
            Some(Ok(room)) => break room,
            Some(Err(error)) => return Err(error.reason()),
            None => return Err(None),
        }
    };
    let length = room.min(data.len());
    stream.send_data(Bytes::copy_from_slice(&data[..length]), false).map_err(|error| error.reason())?;
    Ok(length)
}

/// Ends a body.
pub fn end(stream: &mut SendStream<Bytes>, trailers: Fields<'_>) {
    if trailers.is_empty() {
        stream.send_data(Bytes::new(), true).unwrap();
    } else {
        stream.send_trailers(headers(trailers)).unwrap();
    }
}

/// Fields as a map.
pub fn headers(fields: Fields<'_>) -> HeaderMap {
    fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

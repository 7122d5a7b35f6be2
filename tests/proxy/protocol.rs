//! What both versions of HTTP promise, through the proxy: HTTP/1.1 and HTTP/2 (by prior knowledge) in, HTTP/1.1
//! and HTTP/2 (by ALPN) out, in each of the four crossings.

mod api;
mod bodiless;
mod caller;
mod early;
mod expect;
mod flow;
mod frames;
mod goaway;
mod halves;
mod interim;
mod line;
mod nginx;
mod resets;
mod reuse;
mod streams;
mod tls_ends;
mod trailers;

use bytes::Bytes;
use h2::Reason;
use http::HeaderMap;

use self::api::Api;
use self::caller::Caller;
use crate::support::daemon::{Builder, Daemon};
use crate::support::tls::Version;

/// Header fields as a test writes them.
type Fields<'a> = &'a [(&'a str, &'a str)];

/// What an app speaks with the proxy, and the proxy with the API.
type Crossing = (Version, Version);

const CROSSINGS: [Crossing; 4] = [
    (Version::One, Version::One),
    (Version::One, Version::Two),
    (Version::Two, Version::One),
    (Version::Two, Version::Two),
];

/// What comes next of a body.
#[derive(Debug)]
enum Piece {
    Data(Bytes),
    /// Its end, with its trailers.
    End(HeaderMap),
    /// It breaks off; for this reason, where the version tells one.
    Broken(Option<Reason>),
}

/// An API, a proxy in front of it, and an app.
struct World {
    api: Api,
    daemon: Daemon,
    caller: Caller,
}

impl Piece {
    /// A body up to its end.
    async fn all(mut next: impl AsyncFnMut() -> Self) -> (Vec<u8>, HeaderMap) {
        let mut body = Vec::new();
        loop {
            match next().await {
                Self::Data(data) => body.extend_from_slice(&data),
                Self::End(trailers) => return (body, trailers),
                Self::Broken(reason) => panic!("it breaks off after {} bytes: {reason:?}", body.len()),
            }
        }
    }

    /// A body's first pieces, as many as make `length` bytes.
    async fn first(length: usize, mut next: impl AsyncFnMut() -> Self) -> Vec<u8> {
        let mut body = Vec::new();
        while body.len() < length {
            match next().await {
                Self::Data(data) => body.extend_from_slice(&data),
                other => panic!("after {} bytes: {other:?}", body.len()),
            }
        }
        body
    }

    /// A body that breaks off: what came before, and why it did.
    async fn until_broken(mut next: impl AsyncFnMut() -> Self) -> (Vec<u8>, Option<Reason>) {
        let mut body = Vec::new();
        loop {
            match next().await {
                Self::Data(data) => body.extend_from_slice(&data),
                Self::Broken(reason) => return (body, reason),
                Self::End(_) => panic!("it ends after {} bytes as if it were whole", body.len()),
            }
        }
    }
}

/// A world for a crossing, with some keys of the proxy's configuration set.
async fn world(crossing: Crossing, settings: &[(&str, &str)]) -> World {
    eprintln!("{crossing:?}");
    let (input, output) = crossing;
    let api = Api::start(output).await;
    let builder = Builder::new(&api.base_url()).trust(api.ca_pem());
    let builder = settings.iter().fold(builder, |builder, (key, value)| builder.set(key, value));
    let daemon = builder.ready().await;
    let caller = Caller::connect(input, &daemon).await;
    World { api, daemon, caller }
}

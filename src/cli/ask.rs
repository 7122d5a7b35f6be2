//! Asks a running proxy's admin listener.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// A proxy that runs answers at once.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The most that is read of an answer.
const MAX_ANSWER: usize = 1024 * 1024;

/// The running proxy did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silence {
    /// Nobody listens, or what listens does not speak HTTP.
    #[error("no proxy answers at {0}: {1}")]
    NoAnswer(SocketAddr, String),
    /// It took too long.
    #[error("the proxy at {at} did not answer within {} s", TIMEOUT.as_secs())]
    TooLate {
        /// Where it was asked.
        at: SocketAddr,
    },
}

/// Status and text of the answer to `GET path`.
pub(super) async fn get(address: SocketAddr, path: &str) -> Result<(StatusCode, String), Silence> {
    let reachable = reachable(address);
    let asked = async {
        let authority = reachable.to_string();
        let uri = Uri::builder().scheme("http").authority(authority).path_and_query(path).build()?;
        let request = Request::get(uri).body(Empty::<Bytes>::new())?;
        let answer = Client::builder(TokioExecutor::new()).build_http().request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    match tokio::time::timeout(TIMEOUT, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let error: Box<dyn std::error::Error + Send + Sync> = error;
            Err(Silence::NoAnswer(reachable, deepest(&*error)))
        }
        Err(_) => Err(Silence::TooLate { at: reachable }),
    }
}

/// A proxy that listens on every address is reached on this machine's own.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

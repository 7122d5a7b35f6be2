//! Asks a running proxy's admin listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::runtime;

use super::{Exit, complain};
use crate::config::Address;
use crate::listener::Connection;

/// A proxy that runs answers at once.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The most that is read of an answer.
const MAX_ANSWER: usize = 1024 * 1024;

/// The running proxy did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silence {
    /// Nobody listens, or what listens does not speak HTTP.
    #[error("no proxy answers at {0}: {1}")]
    NoAnswer(Address, String),
    /// It took too long.
    #[error("the proxy at {at} did not answer within {} s", TIMEOUT.as_secs())]
    TooLate {
        /// Where it was asked.
        at: Address,
    },
}

/// Runs a command that asks.
pub(super) fn in_runtime(command: impl Future<Output = Exit>) -> Exit {
    match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            complain(format_args!("the system refused: {error}"));
            Exit::Unavailable
        }
    }
}

/// Status and text of the answer to `GET path`.
pub(super) async fn get(address: &Address, path: &str) -> Result<(StatusCode, String), Silence> {
    let reachable = reachable(address);
    let asked = async {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(Connection::to(&reachable).await?)).await?;
        tokio::spawn(connection);
        let host = match &reachable {
            Address::Tcp(address) => address.to_string(),
            Address::Unix(_) => "localhost".to_owned(),
        };
        let request = Request::get(path).header(HOST, host).body(Empty::<Bytes>::new())?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    match tokio::time::timeout(TIMEOUT, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let error: Box<dyn std::error::Error + Send + Sync> = error;
            Err(Silence::NoAnswer(reachable.clone(), deepest(&*error)))
        }
        Err(_) => Err(Silence::TooLate { at: reachable.clone() }),
    }
}

/// A proxy that listens on every address is reached on this machine's own.
fn reachable(address: &Address) -> Address {
    let Address::Tcp(tcp) = address else { return address.clone() };
    let ip = match tcp.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, tcp.port()).into()
}

fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

//! A stand-in for the LiquidCommerce API: the same endpoints, no key and no network needed.
//!
//! It serves two ends: `liquid-auth-proxy sandbox` lets people try the proxy on a machine that
//! knows nothing, and the tests need an API that they can make fail. It promises to answer as the
//! wire contract says and to stay within bounds however long it runs. It imports nothing of the
//! proxy, so that it is an independent witness of what the proxy sends.
//!
//! The life of a request, in the order of the modules: `server` reads it, `router`'s gate notes
//! it among the `calls` and applies `faults` and the `rate_limit`, `endpoint` asks the
//! `issuer` about its token and runs the story that it is about (`catalog`, `carts`, …) on
//! what the sandbox remembers (`world`), and `envelope` gives the answer its shape.

mod addresses;
mod amounts;
mod authentication;
mod calls;
mod carts;
mod catalog;
mod certificate;
mod checkout;
mod clock;
mod endpoint;
mod envelope;
mod faults;
mod handle;
mod issuer;
mod orders;
mod rate_limit;
mod router;
mod server;
mod shelf;
#[cfg(test)]
mod tests;
mod users;
mod webhook;
mod world;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub use calls::Call;
pub use faults::{Fault, FaultKind, HUGE_BODY_BYTES, REDIRECT_TARGET, Scope};
pub use handle::Handle;
pub use rate_limit::{LimitHeaders, RateLimit};
pub use router::router;

use certificate::Certificate;

/// The API key that a sandbox takes unless told otherwise.
pub const DEFAULT_API_KEY: &str = "sandbox-key";
/// The Orders API's user that a sandbox takes unless told otherwise.
pub const DEFAULT_ORDERS_USER_ID: &str = "sandbox-orders";
/// The Orders API's password that a sandbox takes unless told otherwise.
pub const DEFAULT_ORDERS_PASSWORD: &str = "sandbox-orders-password";

/// What a sandbox is like when it starts; most of it can be changed later through its [`Handle`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes any free port.
    pub listen: SocketAddr,
    /// The key that `/authentication` takes in `X-LIQUID-API-KEY`.
    pub api_key: String,
    /// The user that `/order-authentication` takes.
    pub orders_user_id: String,
    /// The password that `/order-authentication` takes.
    pub orders_password: String,
    /// How long an access token is valid.
    pub token_lifetime: Duration,
    /// How long a token of the Orders API is valid.
    pub orders_token_lifetime: Duration,
    /// Whether paths below `/orders` take an access token beside the Orders API's own.
    pub orders_accept_api_token: bool,
    /// The shape of `/order-authentication`'s answer.
    pub orders_answer: OrdersAnswer,
    /// How many calls [`Handle::calls`] remembers; older ones are forgotten. One call costs up to
    /// 16 KiB of body beside its headers, so a sandbox that runs for long wants few.
    pub remember_calls: usize,
    /// Serve TLS; `None` serves plain HTTP.
    pub tls: Option<Tls>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_key: DEFAULT_API_KEY.to_owned(),
            orders_user_id: DEFAULT_ORDERS_USER_ID.to_owned(),
            orders_password: DEFAULT_ORDERS_PASSWORD.to_owned(),
            token_lifetime: Duration::from_secs(86_400),
            orders_token_lifetime: Duration::from_secs(600),
            orders_accept_api_token: true,
            orders_answer: OrdersAnswer::Envelope,
            remember_calls: 100_000,
            tls: None,
        }
    }
}

/// The three shapes of `/order-authentication`'s answer that are on record (wire contract).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrdersAnswer {
    /// `{"data": {"token", "type", "exp"}}` in the envelope, `exp` in seconds from now.
    Envelope,
    /// `{"token", "type": "ORDER_API", "exp"}`, `exp` in Unix milliseconds.
    Token,
    /// `{"accessToken", "tokenType": "Bearer", "expiresIn"}`, `expiresIn` in seconds.
    AccessToken,
}

/// How to serve TLS: a certificate authority of its own and a certificate, both made at start.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The DNS names and IP addresses that the certificate is for.
    pub names: Vec<String>,
}

impl Default for Tls {
    fn default() -> Self {
        Self { names: vec!["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string()] }
    }
}

/// A sandbox that serves until it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    ca_pem: Option<String>,
    handle: Handle,
    serving: AbortHandle,
}

impl Sandbox {
    /// Binds and serves on the current tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be bound, or a name in [`Tls::names`] cannot stand in a certificate.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let certificate = settings.tls.as_ref().map(Certificate::generate).transpose()?;
        let tls = certificate.as_ref().map(Certificate::acceptor).transpose()?;
        let listener = TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        let handle = Handle::new(settings);
        let serving = tokio::spawn(server::serve(listener, tls, router(handle.clone()))).abort_handle();
        Ok(Self { address, ca_pem: certificate.map(Certificate::into_ca_pem), handle, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:<port>`, or `https://localhost:<port>` when it serves TLS.
    pub fn base_url(&self) -> String {
        match self.ca_pem {
            Some(_) => format!("https://localhost:{}", self.address.port()),
            None => format!("http://{}", self.address),
        }
    }

    /// The certificate of the authority that signed the sandbox's own, in PEM; `None` without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// What steers it and what it saw.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

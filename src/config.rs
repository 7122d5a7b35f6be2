//! What the operator decides: one struct a section, each part of the program gets its own section.
//!
//! Values come in layers, later ones win: `config/default.toml` (embedded), the environment's
//! file `config/{sandbox,staging,production}.toml` (embedded), credentials from systemd, the variables of
//! proxies that many programs read, the user's TOML file, environment variables below `LIQUID_`, flags. [`load`] gathers everything that is wrong before it gives up,
//! so one run of `check` shows all of it.

mod activation;
mod address;
mod file;
mod host_name;
mod kind;
mod layer;
mod load;
mod loaded;
mod nearest;
mod origin;
mod outbound;
mod preset;
mod problem;
mod reader;
mod schema;
mod sections;
mod server_tls;
mod shared;
mod sources;
mod systemd;
mod variables;

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri};

pub use activation::{Activation, Inherited};
pub use address::{Address, UnixAccess};
pub use host_name::HostName;
pub use kind::Kind;
pub use load::{load, load_admin};
pub use loaded::{Loaded, Setting};
pub use origin::Source;
pub use outbound::Proxy;
pub use preset::Preset;
pub use problem::{Problem, Problems};
pub use schema::{Key, keys};
pub use server_tls::{ServerIdentity, ServerTls, ServerTlsError};
pub use sources::{Flags, Sources};

use crate::secret::SecretSource;

/// Everything, read and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `environment`: which API this is for.
    pub environment: Environment,
    /// `[listen]`
    pub listen: Listen,
    /// `[admin]`
    pub admin: Admin,
    /// `[upstream]`
    pub upstream: Upstream,
    /// `[credentials]`
    pub credentials: Credentials,
    /// `[token]`
    pub token: Token,
    /// `[requests]`
    pub requests: Requests,
    /// `[shutdown]`
    pub shutdown: Shutdown,
    /// `[log]`
    pub log: Log,
}

/// Which LiquidCommerce API the proxy speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// The embedded stand-in: no key, no network.
    Sandbox,
    /// `https://staging.api.liquidcommerce.cloud`
    Staging,
    /// `https://api.liquidcommerce.cloud`
    Production,
}

impl Environment {
    /// The name that people write and read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

/// `[listen]`: where apps reach the proxy.
#[derive(Debug, Clone)]
pub struct Listen {
    /// `address`
    pub address: Address,
    /// `allow_remote`: whether `address` may be other than loopback.
    pub allow_remote: bool,
    /// `insecure_remote`: whether other machines may call without showing who they are.
    pub insecure_remote: bool,
    /// `allowed_hosts`: the names under which the proxy is served, each with any port.
    pub allowed_hosts: Vec<HostName>,
    /// `allowed_origins`: the pages that may call, as browsers name them.
    pub allowed_origins: Vec<HeaderValue>,
    /// `client_token_file` and `client_token_header`: what clients must show, if anything.
    pub client_token: Option<ClientToken>,
    /// `[listen.tls]`, if clients speak TLS.
    pub tls: Option<ServerTls>,
    /// How long connections may stay, and how many there may be.
    pub limits: ConnectionLimits,
    /// `unix_mode` and `unix_allowed_uids`
    pub unix: UnixAccess,
}

impl Listen {
    /// Whether a listener at `address` lets everyone in who can reach it from another machine.
    pub fn is_open_at(&self, address: &Address) -> bool {
        let asks_for_certificates = self.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
        address.is_remote() && self.client_token.is_none() && !asks_for_certificates
    }

    /// Whether a listener at `address` is what the operator allows.
    pub fn allows(&self, address: &Address) -> bool {
        !address.is_remote() || self.allow_remote && (self.insecure_remote || !self.is_open_at(address))
    }
}

/// What the connections of apps may take, in `[listen]`.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// `head_timeout`: for a request's head, from its first byte.
    pub head_timeout: Duration,
    /// `idle_timeout`: for a connection without a request, before the first one and between two.
    pub idle_timeout: Duration,
    /// `send_timeout`: for a client that takes nothing of its answer.
    pub send_timeout: Duration,
    /// `max_connections`: over all workers.
    pub max_connections: usize,
}

/// What clients must show: a secret that they share with the proxy.
#[derive(Debug, Clone)]
pub struct ClientToken {
    /// `listen.client_token_file`
    pub source: SecretSource,
    /// `listen.client_token_header`: where it stands in a request. It is never forwarded.
    pub header: HeaderName,
}

/// `[admin]`: health, metrics and status.
#[derive(Debug, Clone)]
pub struct Admin {
    /// `address`
    pub address: Address,
    /// `unix_mode` and `unix_allowed_uids`
    pub unix: UnixAccess,
}

/// `[upstream]`: the API that requests are forwarded to.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// `base_url`: scheme and authority, no path. `None` only in the sandbox environment, where
    /// the embedded API's own address is used.
    pub base_url: Option<Uri>,
    /// `ca_file`: PEM roots that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy that the API is reached through: `proxy` or the variables of others, unless `no_proxy`
    /// or a loopback address exempts the API.
    pub proxy: Option<Proxy>,
    /// `connect_timeout`: for name lookup, TCP, a proxy and TLS together.
    pub connect_timeout: Duration,
    /// `response_timeout`: from the request's last byte to the answer's head.
    pub response_timeout: Duration,
    /// `idle_timeout`: between two body frames, in either direction.
    pub idle_timeout: Duration,
    /// `http2`
    pub http2: Http2,
    /// `send_api_key`: also send `X-LIQUID-API-KEY` on each request.
    pub send_api_key: bool,
}

/// `upstream.http2`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http2 {
    /// Offer HTTP/2 by ALPN.
    Auto,
    /// HTTP/1.1 only.
    Never,
}

/// `[credentials]`
#[derive(Debug, Clone)]
pub struct Credentials {
    /// `[credentials.api]`: where the API key is. `None` only in the sandbox environment, where
    /// the embedded API's own key is used.
    pub api: Option<SecretSource>,
    /// `[credentials.orders]`: the Orders API's own credential, where there is one.
    pub orders: Option<Orders>,
    /// `orders.paths`: prefixes of the paths that belong to the Orders API, by whole segments. Each
    /// begins with a slash, ends with none, and is read alike by every server.
    pub orders_paths: Vec<String>,
}

/// `[credentials.orders]`: what the Orders API's token is got with, by HTTP Basic authentication.
#[derive(Debug, Clone)]
pub struct Orders {
    /// `user_id`: visible ASCII without a colon (RFC 7617, section 2).
    pub user_id: String,
    /// Where the password is.
    pub password: SecretSource,
}

/// `[token]`
#[derive(Debug, Clone)]
pub struct Token {
    /// `wait_timeout`: how long a request may wait for a token.
    pub wait_timeout: Duration,
    /// `refresh_ratio`: when in a token's life it is renewed, 0.05 to 0.95.
    pub refresh_ratio: f64,
    /// `in_band`: near expiry, ask for the new token inside an app's own JSON request.
    pub in_band: bool,
}

/// `[requests]`
#[derive(Debug, Clone)]
pub struct Requests {
    /// `max_body`: bytes a request's body may have.
    pub max_body: u64,
    /// `max_in_flight`: requests that may be under way at once, over all workers.
    pub max_in_flight: usize,
    /// `max_headers`
    pub max_headers: usize,
    /// `max_head`: bytes of a request's line and headers.
    pub max_head: usize,
    /// `max_uri`: bytes of a request's path and query.
    pub max_uri: usize,
    /// `replay_buffer`: bytes of a body that are kept for sending its request a second time; with 0 no
    /// request is ever sent twice.
    pub replay_buffer: usize,
    /// `replay_deny`: what is never sent twice.
    pub replay_deny: Vec<Rule>,
    /// `allow` and the presets: what may be called; empty for everything.
    pub allow: Vec<Rule>,
    /// `deny` and the presets: what may not be called.
    pub deny: Vec<Rule>,
}

/// A method and a path prefix, by whole segments.
///
/// The API has each endpoint with and without a leading `/api` (wire contract), so a rule holds for both,
/// and `prefix` is without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `None` for any.
    pub method: Option<Method>,
    /// `/checkout/complete`: begins with a slash, ends with none, and is read alike by every server.
    /// Empty for every path.
    pub prefix: String,
}

impl Rule {
    /// Whether some server could take `method` for the rule's: methods are case-sensitive (RFC 9110,
    /// section 9.1), which not every server knows.
    pub fn may_mean(&self, method: &Method) -> bool {
        self.method.as_ref().is_none_or(|named| named.as_str().eq_ignore_ascii_case(method.as_str()))
    }
}

/// `[shutdown]`
#[derive(Debug, Clone)]
pub struct Shutdown {
    /// `delay`: how long to go on accepting after the signal.
    pub delay: Duration,
    /// `drain_timeout`: how long requests in flight may take after that.
    pub drain_timeout: Duration,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// `format`
    pub format: LogFormat,
    /// `level`
    pub level: LogLevel,
    /// `access`
    pub access: AccessLog,
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `log.level`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// `error`
    Error,
    /// `warn`
    Warn,
    /// `info`
    Info,
    /// `debug`
    Debug,
    /// `trace`
    Trace,
}

/// `log.access`: which requests get a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    /// Every request.
    All,
    /// What did not succeed (status 400 and up, or broken off), and every answer of the proxy's own.
    Errors,
    /// None.
    Off,
}

//! The whole program: the only file that knows all its parts.
//!
//! [`App::bind`] takes the sockets, so that a taken port ends the start before anything runs;
//! [`App::run`] wires the parts, serves, and drains when it is told to.

mod stand_in;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::{Authority, Scheme};
use rustls::ClientConfig;
use tracing::{info, warn};

use self::stand_in::StandIn;
use crate::admin::{Admin, Parts};
use crate::config::{Config, Shutdown};
use crate::lifecycle::{self, Ending, Readiness};
use crate::listener::{BindError, Listener};
use crate::proxy::Blueprint;
use crate::proxy::record::InFlight;
use crate::secret::{SecretError, SecretSource};
use crate::telemetry::metrics::Metrics;
use crate::tls::{self, TlsError};
use crate::token::clock::Clock;
use crate::token::exchange::Exchange;
use crate::token::manager::Manager;
use crate::token::{Credential, header_value};
use crate::worker::Workers;

/// A proxy whose sockets are bound: connections queue, nothing is served yet.
#[derive(Debug)]
pub struct App {
    config: Config,
    listener: Listener,
    admin: Listener,
    api: Api,
}

/// The API that this proxy is for, and how to get a token for it.
#[derive(Debug)]
pub struct Api {
    base_url: Uri,
    scheme: Scheme,
    authority: Authority,
    key: SecretSource,
    tls: ClientConfig,
    connect_timeout: Duration,
    // Held so that it lives as long as the proxy in front of it.
    _stand_in: Option<StandIn>,
}

/// Why the proxy does not start. Nothing was served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// No server could be verified.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The API key cannot be read.
    #[error("the API key from {source_name} {error}")]
    Key {
        /// Where it was to come from.
        source_name: String,
        /// What is wrong with it.
        error: SecretError,
    },
    /// A configuration that names no API, or no key for it.
    #[error("the configuration names no {0}")]
    Incomplete(&'static str),
    /// The embedded API did not start.
    #[error("the sandbox cannot be started: {0}")]
    Sandbox(io::Error),
    /// The HTTP client for authentication calls cannot be built.
    #[error("the authentication client cannot be built: {0}")]
    Client(#[from] reqwest::Error),
    /// The system gives no thread or no socket.
    #[error("the system refused: {0}")]
    System(#[from] io::Error),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every request that was under way came to its end.
    Drained,
    /// `shutdown.drain_timeout` was over first.
    DrainTimedOut,
    /// A second signal ended it at once.
    Aborted,
}

impl Api {
    /// The API that `config` names; in the sandbox environment an embedded one is started for it.
    pub fn of(config: &Config) -> Result<Self, StartError> {
        let stand_in = match &config.upstream.base_url {
            Some(_) => None,
            None if config.environment == crate::config::Environment::Sandbox => {
                Some(StandIn::start().map_err(StartError::Sandbox)?)
            }
            None => return Err(StartError::Incomplete("upstream.base_url")),
        };
        let base_url = match (&config.upstream.base_url, &stand_in) {
            (Some(url), _) => url.clone(),
            (None, Some(stand_in)) => stand_in.base_url().clone(),
            (None, None) => return Err(StartError::Incomplete("upstream.base_url")),
        };
        let key = match (&config.credentials.api, &stand_in) {
            (Some(source), _) => source.clone(),
            (None, Some(stand_in)) => stand_in.key().clone(),
            (None, None) => return Err(StartError::Incomplete("credentials.api.key_file")),
        };
        let parts = base_url.clone().into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(StartError::Incomplete("host in upstream.base_url"));
        };
        Ok(Self {
            base_url,
            scheme,
            authority,
            key,
            tls: tls::client_config(config.upstream.ca_file.as_deref())?,
            connect_timeout: config.upstream.connect_timeout,
            _stand_in: stand_in,
        })
    }

    /// Its base URL.
    pub fn base_url(&self) -> &Uri {
        &self.base_url
    }

    /// Exchanges its key for a token.
    pub fn exchange(&self, clock: Clock) -> Result<Exchange, StartError> {
        let (tls, key) = (self.tls.clone(), self.key.clone());
        Ok(Exchange::new(&self.base_url, tls, self.connect_timeout, Credential::Api, key, clock)?)
    }
}

impl App {
    /// Takes the sockets and reads what the configuration points at.
    pub fn bind(config: Config) -> Result<Self, StartError> {
        let listener = Listener::bind("listen.address", config.listen.address)?;
        let admin = Listener::bind("admin.address", config.admin.address)?;
        let api = Api::of(&config)?;
        Ok(Self { config, listener, admin, api })
    }

    /// Where apps reach the proxy.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Where operators reach it.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Serves until `ending` has returned once, then drains; when it returns again meanwhile, ends at once.
    pub async fn run(self, mut ending: impl AsyncFnMut() -> Ending) -> Result<Outcome, StartError> {
        let Self { config, listener, admin: admin_listener, api } = self;
        let readiness = Readiness::default();
        let accepting = readiness.latch("listener", "not serving yet");
        let metrics = Metrics::new(config.environment.as_str());
        let clock = Clock::default();

        let exchange = api.exchange(clock.clone())?;
        let latch = readiness.latch("credential api", "the first token has not come yet");
        let (manager, token) =
            Manager::new(Credential::Api, config.token.refresh_ratio, clock, latch, metrics.clone());

        let api_key = match config.upstream.send_api_key {
            true => {
                let key = api
                    .key
                    .read()
                    .map_err(|error| StartError::Key { source_name: api.key.to_string(), error })?;
                Some(header_value("", &key))
            }
            false => None,
        };
        let blueprint = Blueprint {
            upstream: config.upstream,
            requests: config.requests.clone(),
            access: config.log.access,
            wait_timeout: config.token.wait_timeout,
            scheme: api.scheme,
            authority: api.authority,
            listen: listener.address(),
            tls: api.tls,
            token: token.clone(),
            api_key,
            in_flight: InFlight::new(config.requests.max_in_flight),
            metrics: metrics.clone(),
        };
        let (drainer, drain) = lifecycle::drain();
        let listener = Arc::new(listener);
        let mut workers = Workers::start(&listener, &blueprint, &drain)?;
        let listen = listener.address();
        // The workers' own handles are all that is left: when they stop accepting, the port is free.
        drop(listener);
        accepting.ready();

        let admin = Admin::new(Parts {
            environment: config.environment.as_str(),
            listen,
            admin: admin_listener.address(),
            upstream: api.base_url.to_string(),
            workers: workers.count(),
            started: Instant::now(),
            readiness,
            metrics,
            credentials: vec![(token, api.key.to_string())],
        });
        info!(
            environment = config.environment.as_str(),
            listen = %listen,
            admin = %admin_listener.address(),
            upstream = %api.base_url,
            workers = workers.count(),
            "serving"
        );
        let serve_admin = axum::serve(admin_listener.accepting()?, admin.router()).into_future();

        tokio::select! {
            outcome = async {
                let signal = ending().await;
                accepting.pending("draining");
                info!(%signal, "draining");
                tokio::select! {
                    outcome = drained(&config.shutdown, &drainer, &mut workers) => outcome,
                    signal = ending() => {
                        warn!(%signal, "ending at once");
                        Outcome::Aborted
                    }
                }
            } => Ok(outcome),
            () = manager.run(async || exchange.run().await) => Ok(Outcome::Aborted),
            ended = serve_admin => Err(StartError::System(ended.err().unwrap_or_else(|| {
                io::Error::other("the admin listener has closed")
            }))),
        }
    }
}

/// Goes on accepting for `shutdown.delay`, so that whoever sends requests hears of the end first; then
/// lets the requests under way come to theirs.
async fn drained(shutdown: &Shutdown, drainer: &lifecycle::Drainer, workers: &mut Workers) -> Outcome {
    tokio::time::sleep(shutdown.delay).await;
    drainer.start();
    match tokio::time::timeout(shutdown.drain_timeout, workers.finished()).await {
        Ok(()) => {
            info!("drained");
            Outcome::Drained
        }
        Err(_) => {
            warn!("requests were still under way when shutdown.drain_timeout was over");
            Outcome::DrainTimedOut
        }
    }
}

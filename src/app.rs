//! The whole program: the only file that knows all its parts.
//!
//! [`App::bind`] takes the sockets, so that a taken port ends the start before anything runs;
//! [`App::run`] wires the parts, serves, and drains when it is told to.

mod client_token;
mod keeper;
mod server_tls;
mod stand_in;

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::{Authority, Scheme};
use rustls::ClientConfig;
use tracing::{info, warn};

use self::client_token::ClientTokenKeeper;
use self::keeper::Keeper;
use self::server_tls::ServerTlsKeeper;
use self::stand_in::StandIn;
use crate::admin::{Admin, Parts};
use crate::config::{Address, Config, Environment, Listen, Proxy, ServerTlsError, Shutdown};
use crate::lifecycle::{self, Caught, Readiness};
use crate::listener::{BindError, InheritError, Inherited, Listener};
use crate::proxy::record::InFlight;
use crate::proxy::{Blueprint, Callers, Handles, Routes, SearchMemory};
use crate::secret::SecretError;
use crate::telemetry::metrics::Metrics;
use crate::tls::{self, ServerError, TlsError};
use crate::token::clock::Clock;
use crate::token::exchange::{Exchange, Login};
use crate::token::manager::Policy;
use crate::worker::{Front, Workers};

/// Signals that come within this time of the first are taken for the same.
const ONE_WISH: Duration = Duration::from_millis(100);

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
    api: Login,
    orders: Option<Login>,
    tls: ClientConfig,
    proxy: Option<Proxy>,
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
    /// A socket that was handed over cannot be used.
    #[error(transparent)]
    Inherited(#[from] InheritError),
    /// No server could be verified.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A configuration that names no API, or no key for it.
    #[error("the configuration names no {0}")]
    Incomplete(&'static str),
    /// The embedded API did not start.
    #[error("the sandbox cannot be started: {0}")]
    Sandbox(io::Error),
    /// The HTTP client for authentication calls cannot be built.
    #[error("the authentication client cannot be built: {0}")]
    Client(#[from] reqwest::Error),
    /// A file of `[listen.tls]` cannot be used.
    #[error(transparent)]
    ServerTls(#[from] ServerTlsError),
    /// What they hold does not go together.
    #[error(transparent)]
    ServerTlsSetup(#[from] ServerError),
    /// What clients must show cannot be read.
    #[error("the client token {0} (listen.client_token_file)")]
    ClientToken(#[from] SecretError),
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
        let mut base_url = config.upstream.base_url.clone();
        let mut api = config.credentials.api.clone().map(Login::ApiKey);
        let orders = config.credentials.orders.clone();
        let mut orders = orders.map(|o| Login::Orders { user_id: o.user_id, password: o.password });
        let mut stand_in = None;
        if base_url.is_none() && config.environment == Environment::Sandbox {
            let embedded = StandIn::start(api.as_ref(), orders.as_ref()).map_err(StartError::Sandbox)?;
            base_url = Some(embedded.base_url().clone());
            api.get_or_insert_with(|| embedded.api_login());
            orders.get_or_insert_with(|| embedded.orders_login());
            stand_in = Some(embedded);
        }
        let base_url = base_url.ok_or(StartError::Incomplete("upstream.base_url"))?;
        let parts = base_url.clone().into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(StartError::Incomplete("host in upstream.base_url"));
        };
        Ok(Self {
            base_url,
            scheme,
            authority,
            api: api.ok_or(StartError::Incomplete("credentials.api.key_file"))?,
            orders,
            tls: tls::client_config(config.upstream.ca_file.as_deref())?,
            proxy: config.upstream.proxy.clone(),
            connect_timeout: config.upstream.connect_timeout,
            _stand_in: stand_in,
        })
    }

    /// Its base URL.
    pub fn base_url(&self) -> &Uri {
        &self.base_url
    }

    /// The proxy that it is reached through.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// The credentials that there are for it.
    pub fn logins(&self) -> impl Iterator<Item = &Login> {
        std::iter::once(&self.api).chain(&self.orders)
    }

    /// Exchanges a credential for a token.
    pub fn exchange(&self, login: &Login, clock: Clock) -> Result<Exchange, StartError> {
        let (tls, proxy) = (self.tls.clone(), self.proxy());
        Ok(Exchange::new(&self.base_url, tls, proxy, self.connect_timeout, login.clone(), clock)?)
    }
}

impl App {
    /// Takes the sockets and reads what the configuration points at.
    /// A socket that was handed over takes the place of a configured address.
    pub fn bind(config: Config, inherited: Inherited) -> Result<Self, StartError> {
        let Config { listen, admin, .. } = &config;
        let listener = match inherited.app {
            Some(socket) => {
                Listener::inherited("app", socket, |address| listen.allows(address), &listen.unix)?
            }
            None => Listener::bind("listen.address", &listen.address, &listen.unix)?,
        };
        if listen.tls.is_some() && matches!(listener.address(), Address::Unix(_)) {
            return Err(InheritError::Tls { address: listener.address().clone() }.into());
        }
        let may_be_remote = |address: &Address| listen.allow_remote || !address.is_remote();
        let admin = match inherited.admin {
            Some(socket) => Listener::inherited("admin", socket, may_be_remote, &admin.unix)?,
            None => Listener::bind("admin.address", &admin.address, &admin.unix)?,
        };
        let api = Api::of(&config)?;
        Ok(Self { config, listener, admin, api })
    }

    /// Where apps reach the proxy.
    pub fn address(&self) -> &Address {
        self.listener.address()
    }

    /// Where operators reach it.
    pub fn admin_address(&self) -> &Address {
        self.admin.address()
    }

    /// The proxy that the API is reached through.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.api.proxy()
    }

    /// Serves until `signal` gives one that ends it, then drains; at another one meanwhile, it ends at
    /// once. At SIGHUP it looks at the files of its secrets.
    pub async fn run(self, mut signal: impl AsyncFnMut() -> Caught) -> Result<Outcome, StartError> {
        let Self { config, listener, admin: admin_listener, api } = self;
        let readiness = Readiness::default();
        let accepting = readiness.latch("listener", "not serving yet");
        let metrics = Metrics::new(config.environment.as_str());
        let policy = Policy { refresh_ratio: config.token.refresh_ratio, in_band: config.token.in_band };
        let keeper = |login: &Login| {
            let exchange = api.exchange(login, Clock::default())?;
            Ok::<_, StartError>(Keeper::new(exchange, login, policy, &readiness, metrics.clone()))
        };
        let api_keeper = keeper(&api.api)?;
        let orders_keeper = api.orders.as_ref().map(keeper).transpose()?;
        let keepers = || std::iter::once(&api_keeper).chain(&orders_keeper);
        let client_token = config.listen.client_token.as_ref().map(ClientTokenKeeper::new).transpose()?;
        let server_tls = config.listen.tls.as_ref().map(ServerTlsKeeper::new).transpose()?;
        let looks: Vec<_> = keepers()
            .filter_map(Keeper::look)
            .chain(client_token.as_ref().and_then(ClientTokenKeeper::look))
            .chain(server_tls.as_ref().map(ServerTlsKeeper::look))
            .collect();
        let shown = client_token.as_ref().map(ClientTokenKeeper::shared);
        let callers = Callers::new(&config.listen, listener.address().ip(), shown);
        let credentials = keepers().map(|k| (k.handle().clone(), k.source().to_owned())).collect();

        let blueprint = Blueprint {
            upstream: config.upstream,
            requests: config.requests.clone(),
            access: config.log.access,
            wait_timeout: config.token.wait_timeout,
            scheme: api.scheme,
            authority: api.authority,
            callers,
            tls: api.tls,
            tokens: Handles {
                api: api_keeper.handle().clone(),
                orders: orders_keeper.as_ref().map(|keeper| keeper.handle().clone()),
            },
            orders_paths: config.credentials.orders_paths,
            routes: Routes::default(),
            search_memory: SearchMemory::default(),
            in_flight: InFlight::new(config.requests.max_in_flight),
            metrics: metrics.clone(),
        };
        let (drainer, drain) = lifecycle::drain();
        // However this ends, no path is left behind, not even by a worker that has to be left alone.
        let _leaving = [listener.leaving(), admin_listener.leaving()];
        let listen = listener.address().clone();
        let tls = server_tls.as_ref().map(ServerTlsKeeper::server);
        // The workers' own handles are all that is left: when they stop accepting, the port is free.
        let front = Front { listener: Arc::new(listener), limits: config.listen.limits, tls };
        let mut workers = Workers::start(front, &blueprint, &drain)?;
        accepting.ready(None);

        let proxy = api.proxy.as_ref().map(Proxy::to_string);
        let admin = Admin::new(Parts {
            environment: config.environment.as_str(),
            listen: listen.clone(),
            admin: admin_listener.address().clone(),
            callers: Callers::of_admin(&config.listen, admin_listener.address()),
            warnings: warnings(&config.listen, &listen, admin_listener.address()),
            upstream: api.base_url.to_string(),
            proxy: proxy.clone(),
            workers: workers.count(),
            started: Instant::now(),
            readiness,
            metrics,
            credentials,
        });
        info!(
            environment = config.environment.as_str(),
            listen = %listen,
            admin = %admin_listener.address(),
            upstream = %api.base_url,
            proxy,
            workers = workers.count(),
            "serving"
        );
        let serve_admin = admin.serve(admin_listener.accepting()?);
        let mut next_ending = async || loop {
            match signal().await {
                Caught::Hangup => {
                    info!("looking at the files of the secrets");
                    looks.iter().for_each(|look| look.notify_one());
                }
                ending => return ending,
            }
        };
        tokio::select! {
            outcome = async {
                let signal = tokio::select! {
                    signal = next_ending() => signal,
                    () = workers.one_is_gone() => return Err(StartError::System(io::Error::other(
                        "a worker has ended",
                    ))),
                };
                accepting.pending("draining");
                // Some send it twice at once, to a process and to its group: that is one wish.
                let _ = tokio::time::timeout(ONE_WISH, next_ending()).await;
                info!(%signal, "draining");
                let outcome = tokio::select! {
                    outcome = drained(&config.shutdown, &drainer, &mut workers) => outcome,
                    signal = next_ending() => {
                        warn!(%signal, "ending at once");
                        Outcome::Aborted
                    }
                };
                Ok(outcome)
            } => outcome,
            () = api_keeper.run() => Ok(Outcome::Aborted),
            () = async {
                match client_token {
                    Some(keeper) => keeper.run().await,
                    None => pending().await,
                }
            } => Ok(Outcome::Aborted),
            () = ServerTlsKeeper::run(server_tls) => Ok(Outcome::Aborted),
            () = async {
                match orders_keeper {
                    Some(keeper) => keeper.run().await,
                    None => pending().await,
                }
            } => Ok(Outcome::Aborted),
            () = serve_admin => {
                Err(StartError::System(io::Error::other("the admin listener has closed")))
            }
        }
    }
}

/// What the operator has made less safe than it could be: said at every start, and in `/status`.
fn warnings(listen: &Listen, address: &Address, admin: &Address) -> Vec<String> {
    let insecure = listen
        .is_open_at(address)
        .then(|| format!("listen.insecure_remote: everyone who can reach {address} may use the credential"));
    let seen = admin.is_remote().then(|| {
        format!("admin.address: everyone who can reach {admin} sees status and metrics, and may ask for new tokens")
    });
    insecure.into_iter().chain(seen).inspect(|warning| warn!("{warning}")).collect()
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

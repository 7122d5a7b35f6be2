//! What a worker's data path is made from.

use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, Scheme};
use rustls::ClientConfig;

use super::guard::Callers;
use super::in_band::SearchMemory;
use super::record::InFlight;
use super::replay::Routes;
use crate::config::{self, AccessLog};
use crate::telemetry::metrics::Metrics;
use crate::token::cell::Handle;

/// All that a worker needs to make its own [`Proxy`](super::Proxy). Crosses threads; a `Proxy` does not.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// `[upstream]`
    pub upstream: config::Upstream,
    /// `[requests]`
    pub requests: config::Requests,
    /// `log.access`
    pub access: AccessLog,
    /// `token.wait_timeout`
    pub wait_timeout: Duration,
    /// `http` or `https`, of `upstream.base_url`.
    pub scheme: Scheme,
    /// Host and port of `upstream.base_url`.
    pub authority: Authority,
    /// Who may call.
    pub callers: Callers,
    /// Whom to trust.
    pub tls: ClientConfig,
    /// Where the tokens come from.
    pub tokens: Handles,
    /// Below which paths the Orders credential is used.
    pub orders_paths: Vec<String>,
    /// The routes that answer 401 whatever the token, over all workers.
    pub routes: Routes,
    /// The memory for answers that may hold a token, over all workers.
    pub search_memory: SearchMemory,
    /// The requests under way over all workers.
    pub in_flight: Arc<InFlight>,
    /// Where to count.
    pub metrics: Metrics,
}

/// The ways to the credentials' managers.
#[derive(Debug, Clone)]
pub struct Handles {
    /// Of the API key.
    pub api: Handle,
    /// Of the Orders credential, where there is one.
    pub orders: Option<Handle>,
}

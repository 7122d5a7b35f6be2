//! Every metric of the program, defined in one place and encoded as OpenMetrics text.

mod tally;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use self::tally::{Tallies, Tally};

/// The `Content-Type` of [`Metrics::encode`]'s text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A gauge in seconds.
type Seconds = Gauge<f64, AtomicU64>;

/// All of them. Cheap to clone: the clones count into the same metrics.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
    /// Where this clone counts requests.
    requests: Tally,
}

struct Inner {
    registry: Registry,
    requests: Tallies,
    broken_off: Family<ByLabels, Counter>,
    own_answers: Family<CodeLabels, Counter>,
    rate_limited: Family<RetryAfterLabels, Counter>,
    sent_again: Family<OutcomeLabels, Counter>,
    connections_open: Gauge,
    connections: Counter,
    connections_closed: Family<ReasonLabels, Counter>,
    turned_away: Family<ListenerLabels, Counter>,
    upstream_connects: Family<OutcomeLabels, Counter>,
    authentications: Family<AuthenticationLabels, Counter>,
    token_expiry: Family<CredentialLabels, Seconds>,
    token_remaining: Family<CredentialLabels, Seconds>,
    token_age: Family<CredentialLabels, Seconds>,
    clock_skew: Family<CredentialLabels, Seconds>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByLabels {
    by: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RetryAfterLabels {
    retry_after: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabels {
    listener: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuthenticationLabels {
    credential: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CredentialLabels {
    credential: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
    environment: &'static str,
}

/// Who broke an exchange off before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokenOff {
    /// The app went away.
    Client,
    /// The API, or the way to it, failed in the middle of its answer.
    Upstream,
}

/// A token as the gauges show it. Durations are measured now.
#[derive(Debug, Clone, Copy)]
pub struct TokenTimes {
    /// The server's `exp`, Unix milliseconds.
    pub expires_at_ms: u64,
    /// Time left; zero once it has ended.
    pub remaining: Duration,
    /// Time since the request for it was sent.
    pub age: Duration,
}

impl Metrics {
    /// A fresh set, with nothing counted.
    pub fn new(environment: &'static str) -> Self {
        let mut inner = Inner {
            registry: Registry::with_prefix("liquid_proxy"),
            requests: Tallies::default(),
            broken_off: Family::default(),
            own_answers: Family::default(),
            rate_limited: Family::default(),
            sent_again: Family::default(),
            connections_open: Gauge::default(),
            connections: Counter::default(),
            connections_closed: Family::default(),
            turned_away: Family::default(),
            upstream_connects: Family::default(),
            authentications: Family::default(),
            token_expiry: Family::default(),
            token_remaining: Family::default(),
            token_age: Family::default(),
            clock_skew: Family::default(),
        };
        inner.register(environment);
        Self { requests: inner.requests.add(), inner: Arc::new(inner) }
    }

    /// The same metrics for one worker more, which counts its requests where nobody else does.
    pub fn of_worker(&self) -> Self {
        Self { requests: self.inner.requests.add(), inner: self.inner.clone() }
    }

    /// The text of `/metrics`, in the format of [`CONTENT_TYPE`].
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.inner.registry)?;
        Ok(text)
    }

    /// A request has come in.
    pub fn request_started(&self) {
        self.requests.started();
    }

    /// A request's answer has its head, `after` the request's.
    pub fn head_ready(&self, method: &Method, status: StatusCode, after: Duration) {
        self.requests.head_ready(method, status, after);
    }

    /// A request is over, `after` its head came in.
    pub fn request_ended(&self, after: Duration, broken_off: Option<BrokenOff>) {
        self.requests.ended(after);
        if let Some(by) = broken_off {
            let by = match by {
                BrokenOff::Client => "client",
                BrokenOff::Upstream => "upstream",
            };
            self.inner.broken_off.get_or_create(&ByLabels { by }).inc();
        }
    }

    /// Requests in flight now.
    pub fn in_flight(&self) -> i64 {
        self.inner.requests.in_flight()
    }

    /// The proxy has given an answer of its own.
    pub fn own_answer(&self, code: &'static str) {
        self.inner.own_answers.get_or_create(&CodeLabels { code }).inc();
    }

    /// A 429 of the API was passed on; `derived` tells whether `Retry-After` was added.
    pub fn rate_limit_passed(&self, derived: bool) {
        let retry_after = if derived { "derived" } else { "given" };
        self.inner.rate_limited.get_or_create(&RetryAfterLabels { retry_after }).inc();
    }

    /// A request was sent a second time after a 401; `accepted` tells whether it got another answer then.
    pub fn sent_again(&self, accepted: bool) {
        let outcome = if accepted { "accepted" } else { "rejected" };
        self.inner.sent_again.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// An app has connected.
    pub fn connection_opened(&self) {
        self.inner.connections.inc();
        self.inner.connections_open.inc();
    }

    /// An app's connection is closed; `reason` tells what ended it.
    pub fn connection_closed(&self, reason: &'static str) {
        self.inner.connections_open.dec();
        self.inner.connections_closed.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// An app's connection was closed at once, because there are as many as there may be.
    pub fn connection_too_many(&self) {
        self.inner.connections.inc();
        self.inner.connections_closed.get_or_create(&ReasonLabels { reason: "max_connections" }).inc();
    }

    /// A connection to a listener, `app` or `admin`, was closed at once, because its user may not connect.
    pub fn connection_turned_away(&self, listener: &'static str) {
        self.inner.turned_away.get_or_create(&ListenerLabels { listener }).inc();
    }

    /// Open connections of apps.
    pub fn connections_open(&self) -> i64 {
        self.inner.connections_open.get()
    }

    /// A connection to the API was tried.
    pub fn upstream_connect(&self, succeeded: bool) {
        let outcome = if succeeded { "connected" } else { "failed" };
        self.inner.upstream_connects.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// The authentication endpoint was asked.
    pub fn authentication(&self, credential: &'static str, outcome: &'static str) {
        self.inner.authentications.get_or_create(&AuthenticationLabels { credential, outcome }).inc();
    }

    /// How far the server's clock is ahead of ours, in seconds; negative when it is behind.
    pub fn clock_skew(&self, credential: &'static str, seconds: f64) {
        self.inner.clock_skew.get_or_create(&CredentialLabels { credential }).set(seconds);
    }

    /// Brings the token gauges up to date; `None` removes them.
    pub fn token(&self, credential: &'static str, times: Option<TokenTimes>) {
        let labels = CredentialLabels { credential };
        let gauges = [&self.inner.token_expiry, &self.inner.token_remaining, &self.inner.token_age];
        match times {
            Some(TokenTimes { expires_at_ms, remaining, age }) => {
                let values = [expires_at_ms as f64 / 1000.0, remaining.as_secs_f64(), age.as_secs_f64()];
                for (gauge, value) in gauges.into_iter().zip(values) {
                    gauge.get_or_create(&labels).set(value);
                }
            }
            None => {
                for gauge in gauges {
                    gauge.remove(&labels);
                }
            }
        }
    }
}

impl Inner {
    fn register(&mut self, environment: &'static str) {
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION"), environment }).set(1);

        let r = &mut self.registry;
        r.register("build", "Always 1; the labels tell what runs", build);
        r.register_collector(Box::new(self.requests.clone()));
        r.register("requests_broken_off", "Requests that did not come to their end", self.broken_off.clone());
        r.register("own_answers", "Answers that the proxy gave itself, by code", self.own_answers.clone());
        r.register(
            "rate_limits_passed",
            "429s of the API that were passed on, by whether Retry-After was given or derived",
            self.rate_limited.clone(),
        );
        r.register(
            "requests_sent_again",
            "Requests sent a second time with a newer token after a 401, by what came of it",
            self.sent_again.clone(),
        );
        r.register("connections_open", "Open connections of apps", self.connections_open.clone());
        r.register("connections", "Connections accepted from apps", self.connections.clone());
        r.register(
            "connections_closed",
            "Connections of apps closed, by what ended them",
            self.connections_closed.clone(),
        );
        r.register(
            "connections_turned_away",
            "Connections closed at once, because their user may not connect",
            self.turned_away.clone(),
        );
        r.register("upstream_connects", "Connections to the API tried", self.upstream_connects.clone());
        r.register(
            "authentication_attempts",
            "Calls of the authentication endpoint, by outcome",
            self.authentications.clone(),
        );
        r.register_with_unit(
            "token_expiry_timestamp",
            "When the current token ends, by the server's clock, Unix time",
            Unit::Seconds,
            self.token_expiry.clone(),
        );
        r.register_with_unit(
            "token_remaining",
            "Time that the current token has left",
            Unit::Seconds,
            self.token_remaining.clone(),
        );
        r.register_with_unit(
            "token_age",
            "Time since the current token was asked for",
            Unit::Seconds,
            self.token_age.clone(),
        );
        r.register_with_unit(
            "clock_skew",
            "How far the server's clock is ahead of ours",
            Unit::Seconds,
            self.clock_skew.clone(),
        );
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

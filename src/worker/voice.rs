//! What the worker says itself, where no request gets to the data path.

use bytes::Bytes;

use super::life::Reason;
use crate::config::{AccessLog, ConnectionLimits, Requests};
use crate::proxy::error::Refusal;
use crate::proxy::last_words;
use crate::telemetry::metrics::Metrics;

/// What an answer of hyper's own begins with: it gives one to what its parser does not take, without a body.
const HYPERS: [(&[u8], Reason); 3] = [
    (b"HTTP/1.1 400 ", Reason::NotHttp),
    (b"HTTP/1.1 414 ", Reason::UriTooLong),
    (b"HTTP/1.1 431 ", Reason::HeadTooLarge),
];

/// Speaks for a worker.
#[derive(Debug)]
pub(super) struct Voice {
    limits: ConnectionLimits,
    max_headers: usize,
    max_head: usize,
    max_uri: usize,
    access: AccessLog,
    metrics: Metrics,
}

impl Voice {
    pub(super) fn new(
        limits: ConnectionLimits,
        requests: &Requests,
        access: AccessLog,
        metrics: Metrics,
    ) -> Self {
        let Requests { max_headers, max_head, max_uri, .. } = *requests;
        Self { limits, max_headers, max_head, max_uri, access, metrics }
    }

    /// To a client that sends its head too slowly.
    pub(super) fn head_is_late(&self) -> Bytes {
        self.say(&Refusal::HeadTimeout(self.limits.head_timeout))
    }

    /// To one connection too many.
    pub(super) fn there_are_too_many(&self) -> Bytes {
        let most = self.limits.max_connections;
        self.say(&Refusal::Overloaded(format!(
            "{most} connections are open, as many as listen.max_connections allows"
        )))
    }

    /// To a client that speaks plain HTTP where TLS is spoken.
    pub(super) fn tls_is_spoken(&self) -> Bytes {
        self.say(&Refusal::RequestMalformed("TLS is spoken here: use https"))
    }

    /// In place of what hyper is about to write, if that is an answer of its own; and why it gives one.
    pub(super) fn instead_of(&self, bytes: &[u8]) -> Option<(Bytes, Reason)> {
        let (_, reason) = *HYPERS.iter().find(|(begin, _)| bytes.starts_with(begin))?;
        let refusal = match reason {
            Reason::UriTooLong => Refusal::UriTooLong(self.max_uri),
            Reason::HeadTooLarge => Refusal::HeadTooLarge(format!(
                "the request has more than {} headers or {} bytes of them, the most that requests.max_headers \
                 and requests.max_head allow",
                self.max_headers, self.max_head
            )),
            _ => Refusal::RequestMalformed("its head cannot be read"),
        };
        Some((self.say(&refusal), reason))
    }

    fn say(&self, refusal: &Refusal) -> Bytes {
        last_words(refusal, &self.metrics, self.access)
    }
}

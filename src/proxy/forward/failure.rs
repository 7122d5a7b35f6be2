//! What a failed call of the API's means for the client.

use std::error::Error;
use std::io;

use h2::Reason;
use tracing::debug;

use super::connect::ConnectTimeout;
use super::tunnel::TunnelError;
use crate::proxy::error::Refusal;
use crate::proxy::upload::Progress;

/// Why there is no connection: it may be that of many requests.
#[derive(Debug, Clone)]
pub(super) struct Unconnected {
    /// Its name in `Proxy-Status` (RFC 9209, section 2.3).
    kind: &'static str,
    reason: String,
}

/// A request that got no answer.
#[derive(Debug)]
pub(in crate::proxy) struct Unanswered {
    /// What its client is told.
    pub refusal: Refusal,
    /// What is known of what the API did with it.
    pub fate: Fate,
}

/// What the API may have done with a request that it did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Fate {
    /// Nothing: it says so.
    Untouched,
    /// Nothing, most likely: it closed a connection that had been idle just when the request came. A request that
    /// may be carried out twice may be sent again (RFC 9110, section 9.2.2).
    Crossed,
    /// Anything.
    Unknown,
}

impl From<Unanswered> for Refusal {
    fn from(unanswered: Unanswered) -> Self {
        unanswered.refusal
    }
}

impl From<Refusal> for Unanswered {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, fate: Fate::Unknown }
    }
}

impl Unconnected {
    /// The worker ends.
    pub(super) fn stopped() -> Self {
        Self { kind: "connection_terminated", reason: "the proxy is ending".to_owned() }
    }

    /// The connection is there, and HTTP cannot be spoken on it.
    pub(super) fn unspoken(error: &hyper::Error) -> Self {
        unconnected(error)
    }

    /// The refusal for the requests that wanted a connection to the API at `place`.
    pub(super) fn refusal(self, place: &str) -> Refusal {
        let Self { kind, reason } = self;
        Refusal::UpstreamUnreachable { reason: format!("{place}: {reason}"), kind }
    }
}

/// What a call that failed tells of its request. `was_used`: the connection had served another request before.
pub(super) fn unanswered(error: &hyper::Error, progress: &Progress, was_used: bool) -> Unanswered {
    if progress.is_too_large() {
        return Refusal::RequestTooLarge(progress.limit()).into();
    }
    // HTTP/2 resets its stream without a word of why.
    if progress.is_broken() {
        return Refusal::RequestBroken.into();
    }
    debug!(causes = causes(error), "the API did not answer");
    let is_closed = error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    let fate = if chain(error).any(is_untouched) {
        Fate::Untouched
    } else if was_used && (is_closed || chain(error).any(is_reset)) {
        Fate::Crossed
    } else {
        Fate::Unknown
    };
    let reason = if is_closed {
        "the connection closed before the answer".to_owned()
    } else if error.is_parse_too_large() {
        "its head, or the length it tells, is too large".to_owned()
    } else if error.is_parse() {
        "it is not HTTP".to_owned()
    } else {
        error.to_string()
    };
    Unanswered { refusal: Refusal::UpstreamProtocolError(reason), fate }
}

/// Whether the API says that it has not looked at the request (RFC 9113, section 8.7).
fn is_untouched(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<h2::Error>().is_some_and(|error| {
        error.reason() == Some(Reason::REFUSED_STREAM) || error.is_go_away() && error.is_remote()
    })
}

/// Whether the other side has closed the connection, TLS' last word said or not.
fn is_reset(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof
        )
    })
}

/// Why there is no connection.
pub(super) fn unconnected(error: &(dyn Error + 'static)) -> Unconnected {
    debug!(causes = causes(error), "the API was not reached");
    let (kind, reason) = cause_of(error);
    Unconnected { kind, reason }
}

fn cause_of(error: &(dyn Error + 'static)) -> (&'static str, String) {
    chain(error)
        .find_map(connecting)
        .unwrap_or(("destination_unavailable", "the connection could not be made".to_owned()))
}

/// Why a connection could not be made: its name in `Proxy-Status` (RFC 9209, section 2.3), and in words.
fn connecting(cause: &(dyn Error + 'static)) -> Option<(&'static str, String)> {
    if let Some(timeout) = cause.downcast_ref::<ConnectTimeout>() {
        return Some(("connection_timeout", timeout.to_string()));
    }
    if let Some(error) = cause.downcast_ref::<TunnelError>() {
        return Some(match (error.kind(), error.source()) {
            (None, Some(source)) => {
                let (kind, reason) = cause_of(source);
                (kind, format!("{error}: {reason}"))
            }
            (kind, _) => (kind.unwrap_or("destination_unavailable"), error.to_string()),
        });
    }
    if cause.to_string() == "dns error" {
        return Some(("dns_error", "its name was not found".to_owned()));
    }
    let io = cause.downcast_ref::<io::Error>()?;
    match io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error @ rustls::Error::InvalidCertificate(_)) => {
            return Some(("tls_certificate_error", format!("its TLS certificate is not accepted: {error}")));
        }
        Some(error) => return Some(("tls_protocol_error", format!("TLS failed: {error}"))),
        None => {}
    }
    match io.kind() {
        io::ErrorKind::ConnectionRefused => Some(("connection_refused", "connection refused".to_owned())),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            Some(("destination_ip_unroutable", io.to_string()))
        }
        // An error of another's that is wrapped in this one tells more.
        _ if io.get_ref().is_some() => None,
        _ => Some(("connection_terminated", io.to_string())),
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause: &&'a (dyn Error + 'static)| deeper(*cause))
}

fn deeper<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    // An `io::Error` hides the error that it wraps from `source`.
    match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => cause.source(),
    }
}

/// The causes for the log. They come from libraries that know no header and no body.
fn causes(error: &(dyn Error + 'static)) -> String {
    chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

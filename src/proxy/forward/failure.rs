//! What a failed call of the API's means for the client.

use std::error::Error;
use std::io;

use hyper_util::client::legacy;
use tracing::debug;

use super::connect::ConnectTimeout;
use super::tunnel::TunnelError;
use crate::proxy::error::Refusal;
use crate::proxy::upload::Progress;

/// The refusal for a call that gave no answer from the API at `place`.
pub(super) fn refusal(error: &legacy::Error, progress: &Progress, place: &str) -> Refusal {
    if progress.is_too_large() {
        return Refusal::RequestTooLarge(progress.limit());
    }
    // HTTP/2 resets its stream without a word of why.
    if progress.is_broken() {
        return Refusal::RequestBroken;
    }
    debug!(causes = causes(error), "the API was not reached or did not answer");
    if error.is_connect() {
        let (kind, reason) = unconnected(error);
        return Refusal::UpstreamUnreachable { reason: format!("{place}: {reason}"), kind };
    }
    let reason = match chain(error).find_map(|cause| cause.downcast_ref::<hyper::Error>()) {
        Some(error) if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => {
            "the connection closed before the answer".to_owned()
        }
        Some(error) if error.is_parse_too_large() => {
            "its head, or the length it tells, is too large".to_owned()
        }
        Some(error) if error.is_parse() => "it is not HTTP".to_owned(),
        Some(error) => error.to_string(),
        None => "the connection failed".to_owned(),
    };
    Refusal::UpstreamProtocolError(reason)
}

fn unconnected(error: &(dyn Error + 'static)) -> (&'static str, String) {
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
                let (kind, reason) = unconnected(source);
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
fn causes(error: &legacy::Error) -> String {
    chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

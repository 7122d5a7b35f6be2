//! The sections, read one after another, each with the rules that go beyond one key.
//!
//! A function reads all its keys before it gives up on any, so that all their problems are noted.

mod credentials;
mod files;

use std::net::SocketAddr;

use super::kind::Refusal;
use super::reader::Reader;
use super::schema;
use super::{Admin, Config, Listen, Log, Requests, Shutdown, Token, Upstream};

/// Reads everything; `None` if anything that has to be there is missing or wrong.
pub(super) fn config(reader: &mut Reader<'_>) -> Option<Config> {
    let environment = reader.required(&schema::ENVIRONMENT);
    let listeners = listeners(reader);
    let upstream = upstream(reader);
    let credentials = credentials::credentials(reader, environment);
    let token = token(reader);
    let requests = requests(reader);
    let shutdown = shutdown(reader);
    let log = log(reader);
    let (listen, admin) = listeners?;
    Some(Config {
        environment: environment?,
        listen,
        admin,
        upstream: upstream?,
        credentials: credentials?,
        token: token?,
        requests: requests?,
        shutdown: shutdown?,
        log: log?,
    })
}

fn listeners(reader: &mut Reader<'_>) -> Option<(Listen, Admin)> {
    let address = reader.required(&schema::LISTEN_ADDRESS);
    let allow_remote = reader.required(&schema::LISTEN_ALLOW_REMOTE);
    let admin = reader.required(&schema::ADMIN_ADDRESS);

    // Who reaches the app's listener uses the key; who reaches the admin's reads what goes on.
    if allow_remote == Some(false) {
        if address.is_some_and(is_remote) {
            reader.refuse(&schema::LISTEN_ADDRESS, refused_remote());
        }
        if admin.is_some_and(is_remote) {
            reader.refuse(&schema::ADMIN_ADDRESS, refused_remote());
        }
    }
    let (address, allow_remote, admin) = (address?, allow_remote?, admin?);
    if collide(address, admin) {
        reader.refuse(&schema::ADMIN_ADDRESS, Refusal::new("is taken by listen.address"));
    }
    Some((Listen { address, allow_remote }, Admin { address: admin }))
}

fn is_remote(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

fn refused_remote() -> Refusal {
    Refusal::new("could be reached from other machines, which needs listen.allow_remote = true")
}

/// A wildcard address takes the port on every address.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let overlap = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    overlap && a.port() == b.port() && a.port() != 0
}

fn upstream(reader: &mut Reader<'_>) -> Option<Upstream> {
    // Staging and production bring their own in their file, so none is missing there.
    let base_url = reader.optional(&schema::UPSTREAM_BASE_URL);
    let ca_file = reader.optional(&schema::UPSTREAM_CA_FILE);
    if let Some(Err(refusal)) = ca_file.as_deref().map(files::check_certificates) {
        reader.refuse(&schema::UPSTREAM_CA_FILE, refusal);
    }
    let connect_timeout = reader.required(&schema::UPSTREAM_CONNECT_TIMEOUT);
    let response_timeout = reader.required(&schema::UPSTREAM_RESPONSE_TIMEOUT);
    let idle_timeout = reader.required(&schema::UPSTREAM_IDLE_TIMEOUT);
    let http2 = reader.required(&schema::UPSTREAM_HTTP2);
    let send_api_key = reader.required(&schema::UPSTREAM_SEND_API_KEY);
    Some(Upstream {
        base_url,
        ca_file,
        connect_timeout: connect_timeout?,
        response_timeout: response_timeout?,
        idle_timeout: idle_timeout?,
        http2: http2?,
        send_api_key: send_api_key?,
    })
}

fn token(reader: &mut Reader<'_>) -> Option<Token> {
    let wait_timeout = reader.required(&schema::TOKEN_WAIT_TIMEOUT);
    let refresh_ratio = reader.required(&schema::TOKEN_REFRESH_RATIO);
    let in_band = reader.required(&schema::TOKEN_IN_BAND);
    Some(Token { wait_timeout: wait_timeout?, refresh_ratio: refresh_ratio?, in_band: in_band? })
}

fn requests(reader: &mut Reader<'_>) -> Option<Requests> {
    let max_body = reader.required(&schema::REQUESTS_MAX_BODY);
    let max_in_flight = reader.required(&schema::REQUESTS_MAX_IN_FLIGHT);
    let replay_buffer = reader.required(&schema::REQUESTS_REPLAY_BUFFER);
    let replay_deny = reader.required(&schema::REQUESTS_REPLAY_DENY);
    Some(Requests {
        max_body: max_body?,
        max_in_flight: max_in_flight?,
        // Saturates on no machine: the key's limit is far below.
        replay_buffer: usize::try_from(replay_buffer?).unwrap_or(usize::MAX),
        replay_deny: replay_deny?,
    })
}

fn shutdown(reader: &mut Reader<'_>) -> Option<Shutdown> {
    let delay = reader.required(&schema::SHUTDOWN_DELAY);
    let drain_timeout = reader.required(&schema::SHUTDOWN_DRAIN_TIMEOUT);
    Some(Shutdown { delay: delay?, drain_timeout: drain_timeout? })
}

fn log(reader: &mut Reader<'_>) -> Option<Log> {
    let format = reader.required(&schema::LOG_FORMAT);
    let level = reader.required(&schema::LOG_LEVEL);
    let access = reader.required(&schema::LOG_ACCESS);
    Some(Log { format: format?, level: level?, access: access? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_takes_the_port_everywhere() {
        for (a, b, taken) in [
            ("127.0.0.1:8000", "127.0.0.1:8000", true),
            ("0.0.0.0:8000", "127.0.0.1:8000", true),
            ("127.0.0.1:8000", "[::]:8000", true),
            ("127.0.0.1:8000", "127.0.0.1:8001", false),
            ("127.0.0.1:8000", "127.0.0.2:8000", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            assert_eq!(collide(a.parse().unwrap(), b.parse().unwrap()), taken, "{a} {b}");
        }
    }

    #[test]
    fn loopback_is_loopback_in_every_notation() {
        for (address, remote) in [
            ("127.9.9.9:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("10.0.0.1:1", true),
        ] {
            assert_eq!(is_remote(address.parse().unwrap()), remote, "{address}");
        }
    }
}

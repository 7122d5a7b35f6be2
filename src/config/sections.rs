//! The sections, read one after another, each with the rules that go beyond one key.
//!
//! A function reads all its keys before it gives up on any, so that all their problems are noted.

mod credentials;
mod files;
mod listeners;
mod outbound;

use super::reader::Reader;
use super::schema;
use super::{Config, Log, Preset, Requests, Rule, Shutdown, Token, Upstream};

/// Reads everything; `None` if anything that has to be there is missing or wrong.
pub(super) fn config(reader: &mut Reader<'_>) -> Option<Config> {
    let environment = reader.required(&schema::ENVIRONMENT);
    let listeners = listeners::listeners(reader);
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

fn upstream(reader: &mut Reader<'_>) -> Option<Upstream> {
    // Staging and production bring their own in their file, so none is missing there.
    let base_url = reader.optional(&schema::UPSTREAM_BASE_URL);
    let ca_file = reader.optional(&schema::UPSTREAM_CA_FILE);
    if let Some(Err(refusal)) = ca_file.as_deref().map(files::check_certificates) {
        reader.refuse(&schema::UPSTREAM_CA_FILE, refusal);
    }
    let proxy = outbound::proxy(reader, base_url.as_ref());
    let connect_timeout = reader.required(&schema::UPSTREAM_CONNECT_TIMEOUT);
    let response_timeout = reader.required(&schema::UPSTREAM_RESPONSE_TIMEOUT);
    let idle_timeout = reader.required(&schema::UPSTREAM_IDLE_TIMEOUT);
    let http2 = reader.required(&schema::UPSTREAM_HTTP2);
    let send_api_key = reader.required(&schema::UPSTREAM_SEND_API_KEY);
    Some(Upstream {
        base_url,
        ca_file,
        proxy,
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
    let max_headers = reader.required(&schema::REQUESTS_MAX_HEADERS);
    let max_head = reader.required(&schema::REQUESTS_MAX_HEAD);
    let max_uri = reader.required(&schema::REQUESTS_MAX_URI);
    let replay_buffer = reader.required(&schema::REQUESTS_REPLAY_BUFFER);
    let replay_deny = reader.required(&schema::REQUESTS_REPLAY_DENY);
    let allow = reader.required(&schema::REQUESTS_ALLOW);
    let deny = reader.required(&schema::REQUESTS_DENY);
    let presets = reader.required(&schema::REQUESTS_PRESETS)?;
    let with = |mut rules: Vec<Rule>, preset: fn(Preset) -> Vec<Rule>| {
        rules.extend(presets.iter().copied().flat_map(preset));
        rules
    };
    // Saturates on no machine: the keys' limits are far below.
    let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
    Some(Requests {
        max_body: max_body?,
        max_in_flight: max_in_flight?,
        max_headers: max_headers?,
        max_head: bytes(max_head?),
        max_uri: bytes(max_uri?),
        replay_buffer: bytes(replay_buffer?),
        replay_deny: replay_deny?,
        allow: with(allow?, Preset::allow),
        deny: with(deny?, Preset::deny),
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

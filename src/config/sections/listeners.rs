//! The two listeners: who reaches the app's uses the key, who reaches the admin's reads what goes on.

use super::files;
use crate::config::kind::{FilePath, List, Mode, Refusal, Uid};
use crate::config::reader::Reader;
use crate::config::schema::{self, Key};
use crate::config::{Address, Admin, ClientToken, ConnectionLimits, Listen, ServerTls, UnixAccess};
use crate::secret::SecretSource;

/// What there is of TLS: certificate, key, clients' authorities.
const TLS_KEYS: [&Key<FilePath>; 3] =
    [&schema::LISTEN_TLS_CERT_FILE, &schema::LISTEN_TLS_KEY_FILE, &schema::LISTEN_TLS_CLIENT_CA_FILE];

pub(super) fn listeners(reader: &mut Reader<'_>) -> Option<(Listen, Admin)> {
    let listen = reader.required(&schema::LISTEN_ADDRESS);
    let allow_remote = reader.required(&schema::LISTEN_ALLOW_REMOTE);
    let listen_unix =
        unix(reader, &schema::LISTEN_UNIX_MODE, &schema::LISTEN_UNIX_ALLOWED_UIDS, listen.as_ref());
    let admin = reader.required(&schema::ADMIN_ADDRESS);
    let admin_unix = unix(reader, &schema::ADMIN_UNIX_MODE, &schema::ADMIN_UNIX_ALLOWED_UIDS, admin.as_ref());

    if allow_remote == Some(false) {
        for (address, key) in [(&listen, &schema::LISTEN_ADDRESS), (&admin, &schema::ADMIN_ADDRESS)] {
            if address.as_ref().is_some_and(Address::is_remote) {
                let what = "could be reached from other machines, which needs listen.allow_remote = true";
                reader.refuse(key, Refusal::new(what));
            }
        }
    }
    let insecure_remote = reader.required(&schema::LISTEN_INSECURE_REMOTE);
    let allowed_hosts = reader.required(&schema::LISTEN_ALLOWED_HOSTS);
    let allowed_origins = reader.required(&schema::LISTEN_ALLOWED_ORIGINS);
    let client_token = client_token(reader);
    let tls = tls(reader, listen.as_ref());
    let limits = limits(reader);
    let (address, admin) = (listen?, admin?);
    if address.collides_with(&admin) {
        reader.refuse(&schema::ADMIN_ADDRESS, Refusal::new("is taken by listen.address"));
    }
    let listen = Listen {
        address,
        allow_remote: allow_remote?,
        insecure_remote: insecure_remote?,
        allowed_hosts: allowed_hosts?,
        allowed_origins: allowed_origins?,
        client_token,
        tls,
        limits: limits?,
        unix: listen_unix?,
    };
    if listen.allow_remote && !listen.allows(&listen.address) {
        let what = "would let everyone who can reach it use the credential: it needs listen.client_token_file, \
                    listen.tls.client_ca_file, or listen.insecure_remote = true";
        reader.refuse(&schema::LISTEN_ADDRESS, Refusal::new(what));
    }
    Some((listen, Admin { address: admin, unix: admin_unix? }))
}

/// `None` where there is none, or with a problem noted.
fn tls(reader: &mut Reader<'_>, address: Option<&Address>) -> Option<ServerTls> {
    let [cert, key, clients] = TLS_KEYS;
    let given = TLS_KEYS.into_iter().find(|&key| reader.source(key).is_some())?;
    if matches!(address, Some(Address::Unix(_))) {
        reader.refuse(given, Refusal::new("needs a port: who may use a Unix socket is known without TLS"));
    }
    for missing in [cert, key] {
        if reader.source(missing).is_none() {
            reader.refuse(missing, Refusal::new(format!("must be given where {} is", given.key)));
        }
    }
    let (cert_file, key_file) = (reader.optional(cert), reader.optional(key));
    let client_ca_file = reader.optional(clients);
    let tls = ServerTls { cert_file: cert_file?, key_file: key_file?, client_ca_file };
    if let Err(error) = tls.read() {
        let key = TLS_KEYS.into_iter().find(|key| key.key == error.key).unwrap_or(cert);
        reader.refuse(key, Refusal::new(error.what));
    }
    Some(tls)
}

fn limits(reader: &mut Reader<'_>) -> Option<ConnectionLimits> {
    let head_timeout = reader.required(&schema::LISTEN_HEAD_TIMEOUT);
    let idle_timeout = reader.required(&schema::LISTEN_IDLE_TIMEOUT);
    let send_timeout = reader.required(&schema::LISTEN_SEND_TIMEOUT);
    let max_connections = reader.required(&schema::LISTEN_MAX_CONNECTIONS);
    Some(ConnectionLimits {
        head_timeout: head_timeout?,
        idle_timeout: idle_timeout?,
        send_timeout: send_timeout?,
        max_connections: max_connections?,
    })
}

/// `None` where none is given, or with a problem noted.
fn client_token(reader: &mut Reader<'_>) -> Option<ClientToken> {
    let header = reader.required(&schema::LISTEN_CLIENT_TOKEN_HEADER);
    let path = reader.optional(&schema::LISTEN_CLIENT_TOKEN_FILE)?;
    if let Err(refusal) = files::check_secret(&path, "a file of its own") {
        reader.refuse(&schema::LISTEN_CLIENT_TOKEN_FILE, refusal);
    }
    Some(ClientToken { source: SecretSource::File(path), header: header? })
}

fn unix(
    reader: &mut Reader<'_>,
    mode: &'static Key<Mode>,
    allowed_uids: &'static Key<List<Uid>>,
    address: Option<&Address>,
) -> Option<UnixAccess> {
    let mode = reader.required(mode);
    let uids = reader.required(allowed_uids);
    // Whoever set it counts on it.
    if uids.as_ref().is_some_and(|uids| !uids.is_empty()) && matches!(address, Some(Address::Tcp(_))) {
        let what = "needs a Unix socket: nobody knows the users who connect to a port";
        reader.refuse(allowed_uids, Refusal::new(what));
    }
    Some(UnixAccess { mode: mode?, allowed_uids: uids? })
}

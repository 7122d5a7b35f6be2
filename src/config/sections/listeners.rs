//! The two listeners: who reaches the app's uses the key, who reaches the admin's reads what goes on.

use super::files;
use crate::config::kind::{List, Mode, Refusal, Uid};
use crate::config::reader::Reader;
use crate::config::schema::{self, Key};
use crate::config::{Address, Admin, ClientToken, ConnectionLimits, Listen, UnixAccess};
use crate::secret::SecretSource;

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
        limits: limits?,
        unix: listen_unix?,
    };
    if listen.allow_remote && !listen.allows(&listen.address) {
        let what = "would let everyone who can reach it use the credential: it needs listen.client_token_file, or \
                    listen.insecure_remote = true";
        reader.refuse(&schema::LISTEN_ADDRESS, Refusal::new(what));
    }
    Some((listen, Admin { address: admin, unix: admin_unix? }))
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

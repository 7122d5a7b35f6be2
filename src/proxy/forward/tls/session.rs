//! What a session makes of records, apart from where they come from and go to.

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, ReadTraffic, UnbufferedStatus, WriteTraffic,
};
use rustls::{CommonState, Error};
use tokio::io::ReadBuf;

use super::SAYING;
use super::kept::Kept;

/// What encryption adds to a record, at the most (RFC 8446, section 5.2; RFC 5246, section 6.2.3).
const MORE: usize = 64;

/// A session that can say something.
pub(super) type Traffic<'a> = WriteTraffic<'a, ClientConnectionData>;

/// A client's side of TLS.
pub(super) struct Session {
    tls: UnbufferedClientConnection,
    is_closed: bool,
}

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// For records, before anything can be said.
    Records,
    /// For nothing: something can be said, and records may come.
    Nothing,
    /// Until there is room for what it has opened.
    Room,
}

/// Where opened bytes go: to whoever reads, if anybody does, and what he has no room for to the rest, for the next
/// time. It is full when whoever reads has enough.
pub(super) struct Room<'a, 'b> {
    pub buffer: Option<&'a mut ReadBuf<'b>>,
    pub rest: &'a mut Kept,
}

/// What became of records.
pub(super) struct Done {
    /// Bytes at the front that are done with.
    pub used: usize,
    pub waits: Result<Waits, Error>,
}

impl Session {
    pub(super) fn new(tls: UnbufferedClientConnection) -> Self {
        Self { tls, is_closed: false }
    }

    /// What both sides have agreed on.
    pub(super) fn common(&self) -> &CommonState {
        &self.tls
    }

    /// Whether the API has said that it says no more (`close_notify`, RFC 8446, section 6.1).
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Opens the whole records in `records`, as long as there is room. What is to be sent for it is put behind
    /// `sealed`. What is left of `records` has to stand at the front the next time.
    pub(super) fn open(&mut self, records: &mut [u8], room: &mut Room<'_, '_>, sealed: &mut Kept) -> Done {
        self.say(records, room, sealed, |_| ()).0
    }

    /// The same, and then does with a session that can say something what `say` does.
    pub(super) fn say<S>(
        &mut self,
        records: &mut [u8],
        room: &mut Room<'_, '_>,
        sealed: &mut Kept,
        say: impl FnOnce(Traffic<'_>) -> S,
    ) -> (Done, Option<S>) {
        let mut used = 0;
        loop {
            let UnbufferedStatus { discard, state } = self.tls.process_tls_records(&mut records[used..]);
            used += discard;
            let waits = match state {
                Ok(ConnectionState::ReadTraffic(traffic)) => match room.take(traffic) {
                    Ok(more) => {
                        used += more;
                        if room.is_full() {
                            Ok(Waits::Room)
                        } else if used == records.len() && room.is_of_a_reader() {
                            // It would say the same.
                            Ok(Waits::Nothing)
                        } else {
                            continue;
                        }
                    }
                    Err(error) => Err(error),
                },
                Ok(ConnectionState::EncodeTlsData(data)) => {
                    encode(data, sealed);
                    continue;
                }
                // It is behind `sealed`, which is sent before anything else.
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    continue;
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.is_closed = true;
                    continue;
                }
                Ok(ConnectionState::WriteTraffic(traffic)) => {
                    return (Done { used, waits: Ok(Waits::Nothing) }, Some(say(traffic)));
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => Ok(Waits::Records),
                Ok(_) => Err(Error::General("a state of a session that no client is in".into())),
                Err(error) => {
                    self.alert(&mut records[used..], sealed);
                    Err(error)
                }
            };
            return (Done { used, waits }, None);
        }
    }

    /// What the API is told of a mistake of its own (RFC 8446, section 6.2).
    fn alert(&mut self, records: &mut [u8], sealed: &mut Kept) {
        // No more than that: it would go on to the same mistake.
        while self.tls.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(data)) = self.tls.process_tls_records(records).state
        {
            encode(data, sealed);
        }
    }
}

impl Room<'_, '_> {
    /// Takes what is opened, and tells how many bytes more are done with.
    fn take(&mut self, mut traffic: ReadTraffic<'_, '_, ClientConnectionData>) -> Result<usize, Error> {
        let mut used = 0;
        while let Some(record) = traffic.next_record() {
            let record = record?;
            used += record.discard;
            self.put(record.payload);
        }
        Ok(used)
    }

    fn put(&mut self, opened: &[u8]) {
        let room = self.buffer.as_ref().map_or(0, |buffer| buffer.remaining());
        let (now, later) = opened.split_at(opened.len().min(room));
        if let Some(buffer) = &mut self.buffer {
            buffer.put_slice(now);
        }
        self.rest.add(later);
    }

    fn is_of_a_reader(&self) -> bool {
        self.buffer.is_some()
    }

    fn is_full(&self) -> bool {
        self.buffer.as_ref().is_some_and(|buffer| buffer.remaining() == 0)
    }
}

fn encode(mut data: EncodeTlsData<'_, ClientConnectionData>, sealed: &mut Kept) {
    // The only way to ask how much it is.
    if let Err(EncodeError::InsufficientSize(needed)) = data.encode(&mut []) {
        // It has what it asked for, and nobody else has encoded it.
        let _ = data.encode(sealed.add_space(needed.required_size));
    }
}

/// Puts what `say` says into `out`, and tells how many bytes that makes. `out` grows where it has to, with room for
/// `size` bytes at once: it is asked for twice only where the session has something to say itself.
pub(super) fn seal(
    mut traffic: Traffic<'_>,
    out: &mut Vec<u8>,
    size: usize,
    mut say: impl FnMut(&mut Traffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
) -> Result<usize, EncryptError> {
    let least = size + MORE * (2 + size / SAYING);
    if out.len() < least {
        out.resize(least, 0);
    }
    loop {
        match say(&mut traffic, out) {
            Err(EncryptError::InsufficientSize(needed)) => out.resize(needed.required_size, 0),
            done => return done,
        }
    }
}

/// Says that nothing more is said (RFC 8446, section 6.1).
pub(super) fn close_notify(traffic: &mut Traffic<'_>, out: &mut [u8]) -> Result<usize, EncryptError> {
    traffic.queue_close_notify(out)
}

//! The limits of the apps' connections, as the worker's sweep and hyper's parsers need them.

use std::time::Duration;

use crate::config::{ConnectionLimits, Requests};

/// Rounds of the sweep, from any beginning on; wraps.
pub(super) type Tick = u32;

/// The sweep is no slower than this.
const SLOWEST: Duration = Duration::from_millis(500);

/// And no quicker.
const QUICKEST: Duration = Duration::from_millis(5);

/// How long a connection that is told to end may take for it, without a request under way.
const GRACE: Duration = Duration::from_secs(2);

/// How long the rest of a request's body may come after its answer; the data path reads that long.
const REST_OF_BODY: Duration = Duration::from_secs(6);

/// hyper's own limits lie so much behind those of the configuration, so that it is the proxy that answers:
/// its read buffer is never smaller than 8 KiB.
const BEHIND: usize = 8 * 1024;

/// What hyper's parser holds without memory of its own.
const HEADERS_ON_STACK: usize = 100;

/// How much HTTP/2 counts a header for beside its text (RFC 9113, section 6.5.2).
const HTTP2_HEADER: usize = 32;

/// `:method`, `:scheme`, `:authority` and `:path`, with a `Cookie` in pieces.
const HTTP2_MORE_HEADERS: usize = 64;

/// How many rounds each limit is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticks {
    /// How long a round takes.
    pub(super) round: Duration,
    pub(super) head: Tick,
    pub(super) idle: Tick,
    pub(super) send: Tick,
    pub(super) grace: Tick,
    pub(super) rest_of_body: Tick,
}

impl Ticks {
    pub(super) fn of(limits: &ConnectionLimits) -> Self {
        let ConnectionLimits { head_timeout, idle_timeout, send_timeout, .. } = *limits;
        let shortest = head_timeout.min(idle_timeout).min(send_timeout);
        let round = (shortest / 4).clamp(QUICKEST, SLOWEST);
        let ticks =
            |time: Duration| Tick::try_from(time.as_nanos().div_ceil(round.as_nanos())).unwrap_or(Tick::MAX);
        Self {
            round,
            head: ticks(head_timeout),
            idle: ticks(idle_timeout),
            send: ticks(send_timeout),
            grace: ticks(GRACE),
            rest_of_body: ticks(REST_OF_BODY),
        }
    }
}

/// What hyper's parsers take at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parsers {
    /// Bytes of a head, and of what is waiting to be written.
    pub(super) buffer: usize,
    /// Headers, where it is not hyper's own number.
    pub(super) headers: Option<usize>,
    /// Bytes of a header list, as HTTP/2 counts them.
    pub(super) header_list: u32,
}

impl Parsers {
    pub(super) fn of(requests: &Requests) -> Self {
        let buffer = requests.max_head + requests.max_head / 4 + BEHIND;
        let list = buffer + (requests.max_headers + HTTP2_MORE_HEADERS) * HTTP2_HEADER;
        Self {
            buffer,
            headers: (requests.max_headers > HEADERS_ON_STACK).then_some(requests.max_headers),
            header_list: u32::try_from(list).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_cut_short_by_its_rounds() {
        for head in [10, 25, 300, 10_000, 3_600_000].map(Duration::from_millis) {
            let idle = Duration::from_secs(120);
            let limits = ConnectionLimits {
                head_timeout: head,
                idle_timeout: idle,
                send_timeout: idle,
                max_connections: 1,
            };
            let ticks = Ticks::of(&limits);
            assert!(ticks.round * ticks.head >= head && ticks.round * ticks.idle >= idle, "{ticks:?}");
            assert!(ticks.round * ticks.head <= head + ticks.round, "{ticks:?}");
        }
    }
}

//! The attempts of late: what the floors are held against.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::clock::Moment;
use super::super::schedule;

/// When the last attempts were made.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    latest: Option<Moment>,
    failure: Option<Moment>,
    /// Newest first, no more than count.
    forced: VecDeque<Moment>,
}

impl Attempts {
    /// An attempt begins.
    pub(super) fn note(&mut self, now: Moment, forced: bool) {
        self.latest = Some(now);
        if forced {
            self.forced.push_front(now);
            self.forced.truncate(schedule::FORCED_MOST);
        }
    }

    /// The latest attempt has failed.
    pub(super) fn failed(&mut self, now: Moment) {
        self.failure = Some(now);
    }

    /// How long ago the latest failure was.
    pub(super) fn age(&self, now: Moment) -> Duration {
        self.failure.map_or(Duration::MAX, |failure| now.since(failure))
    }

    /// How long any attempt has to wait.
    pub(super) fn wait(&self, now: Moment) -> Duration {
        self.latest.map_or(Duration::ZERO, |latest| schedule::FLOOR_ALWAYS.saturating_sub(now.since(latest)))
    }

    /// How long a forced attempt has to wait.
    pub(super) fn forced_wait(&self, now: Moment) -> Duration {
        let age = |moment: &Moment| now.since(*moment);
        schedule::forced_wait(self.latest.as_ref().map(age), self.forced.iter().map(age))
    }
}

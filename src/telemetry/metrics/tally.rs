//! What is counted for each request, by each worker for itself: counters that all workers share would go from
//! core to core with every request. They are added up when somebody looks.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Upper bounds in microseconds: from a local answer to the longest wait that the timeouts allow.
const BOUNDS: [u64; 15] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000, 60_000_000,
];

/// The requests of one worker.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(Arc<Mutex<Counts>>);

/// Those of all workers.
#[derive(Debug, Clone, Default)]
pub(super) struct Tallies(Arc<Mutex<Vec<Tally>>>);

#[derive(Debug, Clone, Default)]
struct Counts {
    /// Few: methods that are known, and the statuses that the API gives.
    answered: Vec<(Labels, u64)>,
    in_flight: i64,
    until_head: Times,
    until_end: Times,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    status: u16,
}

/// How many took how long.
#[derive(Debug, Clone, Default)]
struct Times {
    /// Up to each of [`BOUNDS`] and above the one before; the last is without a bound.
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

impl Tally {
    pub(super) fn started(&self) {
        self.lock().in_flight += 1;
    }

    pub(super) fn head_ready(&self, method: &Method, status: StatusCode, after: Duration) {
        let labels = Labels { method: method_label(method), status: status.as_u16() };
        let mut counts = self.lock();
        counts.until_head.note(after);
        counts.answered(labels, 1);
    }

    pub(super) fn ended(&self, after: Duration) {
        let mut counts = self.lock();
        counts.in_flight -= 1;
        counts.until_end.note(after);
    }

    /// Nobody else holds this for long: only its worker counts, and whoever looks copies it.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tallies {
    /// One more worker's.
    pub(super) fn add(&self) -> Tally {
        let tally = Tally::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(tally.clone());
        tally
    }

    pub(super) fn in_flight(&self) -> i64 {
        self.sum().in_flight
    }

    fn sum(&self) -> Counts {
        let tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sum = Counts::default();
        for tally in &*tallies {
            sum.add(&tally.lock());
        }
        sum
    }
}

impl Counts {
    fn answered(&mut self, labels: Labels, count: u64) {
        match self.answered.iter_mut().find(|(known, _)| *known == labels) {
            Some((_, sum)) => *sum += count,
            None => self.answered.push((labels, count)),
        }
    }

    fn add(&mut self, other: &Self) {
        for (labels, count) in &other.answered {
            self.answered(*labels, *count);
        }
        self.in_flight += other.in_flight;
        self.until_head.add(&other.until_head);
        self.until_end.add(&other.until_end);
    }
}

impl Times {
    fn note(&mut self, time: Duration) {
        let micros = time.as_micros();
        let bucket = BOUNDS.iter().position(|bound| micros <= u128::from(*bound)).unwrap_or(BOUNDS.len());
        self.counts[bucket] += 1;
        self.sum += time;
    }

    fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }

    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let bounds = BOUNDS.iter().map(|bound| *bound as f64 / 1e6).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(self.counts).collect();
        encoder.encode_histogram::<NoLabelSet>(
            self.sum.as_secs_f64(),
            self.counts.iter().sum(),
            &buckets,
            None,
        )
    }
}

impl Collector for Tallies {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = self.sum();
        let mut requests =
            encoder.encode_descriptor("requests", "Requests answered", None, MetricType::Counter)?;
        for (labels, count) in &counts.answered {
            ConstCounter::new(*count).encode(requests.encode_family(labels)?)?;
        }
        let help = "Time from a request's head to its answer's head";
        counts.until_head.encode(encoder.encode_descriptor(
            "request_head",
            help,
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?)?;
        let help = "Time from a request's head to its answer's end";
        counts.until_end.encode(encoder.encode_descriptor(
            "request",
            help,
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?)?;
        let in_flight = ConstGauge::new(counts.in_flight);
        let help = "Requests under way";
        in_flight.encode(encoder.encode_descriptor("requests_in_flight", help, None, MetricType::Gauge)?)
    }
}

/// A client may send any method: only those that are known become a label, so that labels stay few.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_workers_count_is_added_up() {
        let tallies = Tallies::default();
        let (one, other) = (tallies.add(), tallies.add());
        for (tally, status, ms) in [(&one, 200, 1), (&other, 200, 2), (&other, 404, 90_000)] {
            let after = Duration::from_millis(ms);
            tally.started();
            tally.head_ready(&Method::GET, StatusCode::from_u16(status).unwrap(), after);
            tally.ended(after);
        }
        one.started();
        let sum = tallies.sum();
        let count =
            |status| sum.answered.iter().find(|(labels, _)| labels.status == status).map(|found| found.1);
        assert_eq!((count(200), count(404), tallies.in_flight()), (Some(2), Some(1), 1));
        assert_eq!(
            (sum.until_head.counts[0], sum.until_head.counts[1]),
            (1, 1),
            "a bound belongs to its bucket"
        );
        assert_eq!(sum.until_end.counts[BOUNDS.len()], 1);
        assert_eq!(sum.until_end.sum, Duration::from_millis(90_003));
    }
}

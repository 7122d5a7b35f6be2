//! What is kept of a request while it is under way: one of the places in flight, its metrics, and
//! the line that the access log may get when it is over.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode};
use tracing::{info, warn};

use crate::config::AccessLog;
use crate::telemetry::metrics::{BrokenOff, Metrics};

/// The requests in flight over all workers, and how many there may be.
#[derive(Debug)]
pub struct InFlight {
    now: AtomicUsize,
    most: usize,
}

/// The same as one worker sees them.
#[derive(Debug, Clone)]
#[expect(clippy::redundant_allocation, reason = "requests count their handles where no other worker does")]
pub struct Places(Rc<Arc<InFlight>>);

/// One of the places in flight, given back when dropped.
#[derive(Debug)]
pub struct Place(Places);

impl InFlight {
    /// Room for `most` requests at once.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { now: AtomicUsize::new(0), most })
    }
}

impl Places {
    /// The places of the worker that calls this.
    pub fn of(in_flight: Arc<InFlight>) -> Self {
        Self(Rc::new(in_flight))
    }

    /// A place, if there is one.
    pub fn enter(&self) -> Option<Place> {
        let before = self.0.now.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.clone());
        (before < self.0.most).then_some(place)
    }

    /// How many there may be.
    pub fn most(&self) -> usize {
        self.0.most
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request under way. Dropped before it is closed, it was given up by its client.
#[derive(Debug)]
pub struct Record {
    method: Method,
    path: Option<PathAndQuery>,
    started: Instant,
    answer: Option<Answer>,
    broken_off: Option<BrokenOff>,
    closed: bool,
    place: Option<Place>,
    metrics: Metrics,
    access: AccessLog,
}

/// The head of an answer, as the log shows it.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    own: Option<Own>,
}

/// What tells an answer of the proxy's own from the API's.
#[derive(Debug, Clone)]
pub struct Own {
    /// The code, see [`super::error::Refusal::code`].
    pub code: &'static str,
    /// The `requestId` in the answer's envelope.
    pub request_id: String,
    /// What the client was told.
    pub message: String,
}

impl Record {
    /// Opens the record of a request that has just come in.
    pub fn open<B>(request: &Request<B>, metrics: &Metrics, access: AccessLog) -> Self {
        metrics.request_started();
        Self {
            method: request.method().clone(),
            path: request.uri().path_and_query().cloned(),
            started: Instant::now(),
            answer: None,
            broken_off: None,
            closed: false,
            place: None,
            metrics: metrics.clone(),
            access,
        }
    }

    /// Keeps a place in flight for as long as this request is under way.
    pub fn keep(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// Hands the place in flight to whoever knows better when the answer is out.
    pub fn take_place(&mut self) -> Option<Place> {
        self.place.take()
    }

    /// The path that was asked for.
    pub fn path(&self) -> &str {
        self.path.as_ref().map_or("", PathAndQuery::path)
    }

    /// The head of the answer is there.
    pub fn answered(&mut self, status: StatusCode, own: Option<Own>) {
        self.metrics.head_ready(&self.method, status, self.started.elapsed());
        if let Some(own) = &own {
            self.metrics.own_answer(own.code);
        }
        self.answer = Some(Answer { status, own });
    }

    /// The request itself did not come to its end, although there is an answer to it.
    pub fn broken_off_by_client(&mut self) {
        self.broken_off = Some(BrokenOff::Client);
    }

    /// The answer is out, or broken off.
    pub fn close(mut self, broken_off: Option<BrokenOff>) {
        // No body belongs to the answer to a HEAD: that none was sent is no one's fault.
        let broken_off = self.broken_off.or(broken_off.filter(|_| self.method != Method::HEAD));
        self.finish(broken_off);
    }

    fn finish(&mut self, broken_off: Option<BrokenOff>) {
        self.closed = true;
        let elapsed = self.started.elapsed();
        self.metrics.request_ended(elapsed, broken_off);
        let failed = broken_off.is_some()
            || self.answer.as_ref().is_none_or(|answer| {
                answer.own.is_some() || answer.status.is_client_error() || answer.status.is_server_error()
            });
        match self.access {
            AccessLog::All => {}
            AccessLog::Errors if failed => {}
            AccessLog::Errors | AccessLog::Off => return,
        }
        self.log(broken_off, elapsed.as_secs_f64() * 1000.0);
    }

    /// Method, path and outcome. No query, no header, no body: they may hold what is nobody's business.
    fn log(&self, broken_off: Option<BrokenOff>, ms: f64) {
        let (method, path) = (self.method.as_str(), self.path());
        let status = self.answer.as_ref().map(|answer| answer.status.as_u16());
        let broken_off_by = broken_off.map(|by| match by {
            BrokenOff::Client => "client",
            BrokenOff::Upstream => "upstream",
        });
        match self.answer.as_ref().and_then(|answer| answer.own.as_ref()) {
            Some(Own { code, request_id, message }) => {
                warn!(method, path, status, code, request_id, message, ms, broken_off_by, "answered");
            }
            None => info!(method, path, status, ms, broken_off_by, "request"),
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.closed {
            self.finish(Some(BrokenOff::Client));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back() {
        let in_flight = Places::of(InFlight::new(1));
        let first = in_flight.enter();
        assert!(first.is_some());
        assert!(in_flight.enter().is_none());
        assert!(in_flight.enter().is_none(), "a refused request must not take a place for ever");
        drop(first);
        assert!(in_flight.enter().is_some());
    }

    #[test]
    fn a_record_that_is_dropped_open_was_given_up_by_the_client() {
        let metrics = Metrics::new("sandbox");
        let request = Request::get("/catalog/search").body(()).unwrap();
        drop(Record::open(&request, &metrics, AccessLog::Off));
        let text = metrics.encode().unwrap();
        assert!(text.contains(r#"requests_broken_off_total{by="client"} 1"#), "{text}");
        assert_eq!(metrics.in_flight(), 0);
    }

    #[test]
    fn an_answer_to_head_is_complete_without_its_body() {
        let metrics = Metrics::new("sandbox");
        let request = Request::head("/").body(()).unwrap();
        let mut record = Record::open(&request, &metrics, AccessLog::Off);
        record.answered(StatusCode::OK, None);
        record.close(Some(BrokenOff::Client));
        assert!(!metrics.encode().unwrap().contains("broken_off_total{"));
    }
}

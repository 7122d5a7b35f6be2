//! What the sandbox saw: every call as soon as its body was read, so that one that is never answered
//! is seen too.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode, Version};

/// The most bytes of a body that are remembered.
const REMEMBERED_BODY_BYTES: usize = 16 * 1024;

/// One request as the sandbox received it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Its target as it came, without scheme and authority.
    pub path_and_query: String,
    /// The version of HTTP that it came in.
    pub version: Version,
    /// Its headers; `Host` stands there for HTTP/2's `:authority`, too.
    pub headers: HeaderMap,
    /// Its body's first 16 KiB.
    pub body: Bytes,
    /// The status of the answer; 0 while there is none.
    pub status: u16,
    /// When it had arrived, body and all.
    pub at: Instant,
}

impl Call {
    /// Takes what is worth remembering from a request.
    pub(super) fn new(parts: &Parts, body: &Bytes) -> Self {
        let mut headers = parts.headers.clone();
        let authority =
            parts.uri.authority().and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
        if let (Some(authority), false) = (authority, headers.contains_key(HOST)) {
            headers.insert(HOST, authority);
        }
        Self {
            method: parts.method.clone(),
            path_and_query: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            version: parts.version,
            headers,
            // A copy, not a slice: a slice would keep the whole body alive.
            body: Bytes::copy_from_slice(&body[..body.len().min(REMEMBERED_BODY_BYTES)]),
            status: 0,
            at: Instant::now(),
        }
    }

    fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or_default()
    }
}

/// The last calls and the count of attempts to authenticate.
#[derive(Debug)]
pub(super) struct Calls {
    room: usize,
    oldest_first: VecDeque<Call>,
    /// The number of the first call that is still here; numbers are never used twice.
    first: u64,
    pub(super) authentications: u64,
    pub(super) order_authentications: u64,
}

impl Calls {
    pub(super) fn new(room: usize) -> Self {
        Self { room, oldest_first: VecDeque::new(), first: 0, authentications: 0, order_authentications: 0 }
    }

    /// Notes a call's arrival and gives it the number by which its status is noted.
    pub(super) fn arrived(&mut self, call: Call) -> u64 {
        match endpoint_path(call.path()) {
            "/authentication" => self.authentications += 1,
            "/order-authentication" => self.order_authentications += 1,
            _ => {}
        }
        let number = self.first + self.oldest_first.len() as u64;
        self.oldest_first.push_back(call);
        if self.oldest_first.len() > self.room {
            self.oldest_first.pop_front();
            self.first += 1;
        }
        number
    }

    /// Notes what a call was answered; one that was forgotten meanwhile stays so.
    pub(super) fn answered(&mut self, number: u64, status: StatusCode) {
        let place = number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        if let Some(call) = place.and_then(|place| self.oldest_first.get_mut(place)) {
            call.status = status.as_u16();
        }
    }

    pub(super) fn all(&self) -> Vec<Call> {
        self.oldest_first.iter().cloned().collect()
    }

    pub(super) fn count(&self, path: &str) -> usize {
        let wanted = endpoint_path(path);
        self.oldest_first.iter().filter(|call| endpoint_path(call.path()) == wanted).count()
    }

    pub(super) fn forget(&mut self) {
        self.first += self.oldest_first.len() as u64;
        self.oldest_first.clear();
    }
}

/// A path without the `/api` that every endpoint may have in front.
pub(super) fn endpoint_path(path: &str) -> &str {
    match path.strip_prefix("/api") {
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(target: &str) -> Call {
        let (parts, ()) = http::Request::builder().uri(target).body(()).unwrap().into_parts();
        Call::new(&parts, &Bytes::from(vec![0; 2 * REMEMBERED_BODY_BYTES]))
    }

    #[test]
    fn with_and_without_api_is_one_endpoint() {
        let mut calls = Calls::new(10);
        for target in ["/cart/update", "/api/cart/update?a=b", "/apis/cart/update", "/api/authentication"] {
            calls.arrived(call(target));
        }
        assert_eq!(calls.count("/cart/update"), 2);
        assert_eq!(calls.count("/api/cart/update"), 2);
        assert_eq!((calls.authentications, calls.order_authentications), (1, 0));
    }

    #[test]
    fn a_status_finds_its_call_after_others_were_forgotten() {
        let mut calls = Calls::new(2);
        let numbers: Vec<_> =
            ["/1", "/2", "/3"].into_iter().map(|target| calls.arrived(call(target))).collect();
        calls.answered(numbers[0], StatusCode::IM_A_TEAPOT);
        calls.answered(numbers[2], StatusCode::OK);
        let seen: Vec<_> =
            calls.all().iter().map(|call| (call.path_and_query.clone(), call.status)).collect();
        assert_eq!(seen, [("/2".to_owned(), 0), ("/3".to_owned(), 200)]);
        calls.forget();
        calls.answered(numbers[1], StatusCode::OK);
        assert_eq!(calls.all().len(), 0);
    }

    #[test]
    fn a_body_is_remembered_up_to_its_bound() {
        assert_eq!(call("/").body.len(), REMEMBERED_BODY_BYTES);
    }
}

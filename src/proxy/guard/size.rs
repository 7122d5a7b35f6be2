//! How large a request may be: its head as it came, its body as it says it is.
//!
//! hyper's parser has limits of its own behind these (see `worker`): what exceeds those never gets here.

use http::{HeaderMap, request};

use crate::config::Requests;
use crate::proxy::error::Refusal;

/// Colon, space and line end of a header; the line end of a request's line and its spaces are as many.
const AROUND: usize = 4;

/// The version in a request's line.
const VERSION: usize = "HTTP/1.1".len();

/// The most of a request that is passed on.
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy) struct Limits {
    pub(in crate::proxy) max_body: u64,
    pub(in crate::proxy) max_headers: usize,
    pub(in crate::proxy) max_head: usize,
    pub(in crate::proxy) max_uri: usize,
}

impl Limits {
    pub(in crate::proxy) fn of(requests: &Requests) -> Self {
        Self {
            max_body: requests.max_body,
            max_headers: requests.max_headers,
            max_head: requests.max_head,
            max_uri: requests.max_uri,
        }
    }

    pub(super) fn check_head(&self, head: &request::Parts) -> Result<(), Refusal> {
        let uri = head.uri.path_and_query().map_or(0, |path| path.as_str().len());
        if uri > self.max_uri {
            return Err(Refusal::UriTooLong(self.max_uri));
        }
        let most = self.max_headers;
        if head.headers.len() > most {
            return Err(Refusal::HeadTooLarge(format!(
                "the request has more than {most} headers, the most that requests.max_headers allows"
            )));
        }
        let line = head.method.as_str().len() + uri + VERSION + AROUND;
        let size = head.headers.iter().fold(line, |size, (name, value)| {
            size.saturating_add(name.as_str().len() + value.len() + AROUND)
        });
        let most = self.max_head;
        if size > most {
            return Err(Refusal::HeadTooLarge(format!(
                "the request's head has more than {most} bytes, the most that requests.max_head allows"
            )));
        }
        Ok(())
    }

    /// A body that says it is too large is refused before a byte of it is read.
    pub(super) fn check_body(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let length = headers
            .get(http::header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse::<u64>().ok());
        match length {
            Some(length) if length > self.max_body => Err(Refusal::RequestTooLarge(self.max_body)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const LIMITS: Limits = Limits { max_body: 100, max_headers: 3, max_head: 200, max_uri: 20 };

    fn code(request: request::Builder) -> Result<(), &'static str> {
        let (head, ()) = request.body(()).unwrap().into_parts();
        LIMITS.check_head(&head).map_err(|refusal| refusal.code())
    }

    #[test]
    fn each_part_of_a_head_has_its_limit() {
        let path = format!("/{}", "x".repeat(19));
        assert_eq!(code(Request::get(&path)), Ok(()));
        assert_eq!(code(Request::get(format!("{path}?"))), Err("uri_too_long"));

        let headers = |count: usize| {
            (0..count).fold(Request::get("/"), |request, number| request.header("x", number.to_string()))
        };
        assert_eq!(code(headers(3)), Ok(()));
        assert_eq!(code(headers(4)), Err("head_too_large"));

        let line = "GET / HTTP/1.1\r\n".len();
        let long = |size: usize| Request::get("/").header("a", "v".repeat(size - line - "a: \r\n".len()));
        assert_eq!(code(long(200)), Ok(()));
        assert_eq!(code(long(201)), Err("head_too_large"));
    }
}

//! A request's head, kept to send it again. Few are: it takes less than a copy of the head as it is.

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Uri, request};

/// What of a head is sent: the rest is for whoever sends it.
#[derive(Debug)]
pub(in crate::proxy) struct SavedHead {
    method: Method,
    target: Option<PathAndQuery>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl SavedHead {
    pub(in crate::proxy) fn of(head: &request::Parts) -> Self {
        let mut headers = Vec::with_capacity(head.headers.len());
        for (name, value) in &head.headers {
            headers.push((name.clone(), value.clone()));
        }
        Self { method: head.method.clone(), target: head.uri.path_and_query().cloned(), headers }
    }
}

impl From<SavedHead> for request::Parts {
    fn from(saved: SavedHead) -> Self {
        let mut request = Request::new(());
        *request.method_mut() = saved.method;
        if let Some(target) = saved.target {
            *request.uri_mut() = Uri::from(target);
        }
        for (name, value) in saved.headers {
            request.headers_mut().append(name, value);
        }
        request.into_parts().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_as_it_was() {
        let request = Request::post("http://localhost/cart/update?a=b%20c")
            .header("cookie", "a=1")
            .header("x-mine", "1")
            .header("cookie", "b=2")
            .header("content-length", "3");
        let (head, ()) = request.body(()).unwrap().into_parts();
        let again = request::Parts::from(SavedHead::of(&head));
        assert_eq!((&again.method, again.uri.to_string()), (&head.method, "/cart/update?a=b%20c".into()));
        assert_eq!(again.headers, head.headers);
        assert_eq!(again.headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
    }
}

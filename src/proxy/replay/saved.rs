//! A request's head, kept to send it again. Few are: it takes less than a copy of the head as it is.

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Uri, request};

/// What of a head is sent, but for its method: the rest is for whoever sends it.
#[derive(Debug)]
pub(in crate::proxy) struct SavedHead {
    target: Option<PathAndQuery>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl SavedHead {
    pub(in crate::proxy) fn of(head: &request::Parts) -> Self {
        let mut headers = Vec::with_capacity(head.headers.len());
        for (name, value) in &head.headers {
            headers.push((name.clone(), value.clone()));
        }
        Self { target: head.uri.path_and_query().cloned(), headers }
    }

    /// The head, of a request with this method.
    pub(in crate::proxy) fn into_head(self, method: Method) -> request::Parts {
        let mut request = Request::new(());
        *request.method_mut() = method;
        if let Some(target) = self.target {
            *request.uri_mut() = Uri::from(target);
        }
        for (name, value) in self.headers {
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
        let again = SavedHead::of(&head).into_head(head.method.clone());
        assert_eq!((&again.method, again.uri.to_string()), (&head.method, "/cart/update?a=b%20c".into()));
        assert_eq!(again.headers, head.headers);
        assert_eq!(again.headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
    }
}

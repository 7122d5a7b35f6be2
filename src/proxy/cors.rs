//! Cross-origin requests (Fetch, section 3.2) of the pages that may call: tower-http's layer answers their
//! preflights and marks their answers. Requests of all others never get here.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use http::header::{ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{HeaderValue, Method, Request, Response, request};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};

use super::body::Body;
use super::proxy_status;

/// How long browsers may keep the answer to a preflight.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);

/// Whose pages may call.
#[derive(Debug, Clone)]
pub(super) struct Cors(CorsLayer);

/// A request of a page that may call, as far as the layer looks at it.
#[derive(Debug)]
pub(super) struct Page(Request<()>);

impl Cors {
    /// Pages of these origins may call, with any method and headers, and see all of the answers.
    pub(super) fn new(origins: &[HeaderValue]) -> Self {
        Self(
            CorsLayer::new()
                .allow_origin(AllowOrigin::list(origins.iter().cloned()))
                .allow_methods(AllowMethods::mirror_request())
                .allow_headers(AllowHeaders::mirror_request())
                .expose_headers(ExposeHeaders::any())
                .max_age(MAX_AGE),
        )
    }

    /// The answer to a preflight.
    pub(super) async fn preflight(&self, page: Page) -> Response<Body> {
        let mut response = self.complete(page, Response::new(Body::default())).await;
        proxy_status::append(
            response.headers_mut(),
            None,
            Some("preflight of a page in listen.allowed_origins"),
        );
        response
    }

    /// The answer with what its page needs to see it.
    pub(super) async fn complete(&self, page: Page, response: Response<Body>) -> Response<Body> {
        let mut answer = Some(response);
        let answering = service_fn(move |_: Request<()>| {
            ready(Ok::<_, Infallible>(answer.take().unwrap_or_else(|| Response::new(Body::default()))))
        });
        match self.0.layer(answering).oneshot(page.0).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

impl Page {
    /// The page that makes a request with this head; its origin is one that may.
    pub(super) fn of(head: &request::Parts) -> Self {
        let is_preflight =
            head.method == Method::OPTIONS && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let mut request = Request::new(());
        // The layer takes every OPTIONS for a preflight.
        *request.method_mut() = if is_preflight { Method::OPTIONS } else { Method::GET };
        for name in [ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_REQUEST_HEADERS] {
            for value in head.headers.get_all(&name) {
                request.headers_mut().append(name.clone(), value.clone());
            }
        }
        Self(request)
    }

    /// Whether the browser asks what it may send.
    pub(super) fn is_preflight(&self) -> bool {
        self.0.method() == Method::OPTIONS
    }
}

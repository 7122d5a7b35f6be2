//! Pages in a browser on this machine reach the admin listener as they reach any port: none of them may ask.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::Admin;

/// Lets by who may ask.
pub(super) async fn guard(State(Admin(parts)): State<Admin>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match parts.callers.check(&head) {
        Ok(()) => next.run(Request::from_parts(head, body)).await,
        Err(refusal) => refusal.into_plain_response(head.uri.path()).map(Body::from),
    }
}

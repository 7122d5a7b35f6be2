//! `POST /webhook/test`: takes an endpoint's URL and says that it was called. It calls nobody.

use http::Uri;
use serde::Deserialize;
use serde_json::json;

use super::endpoint::Asked;
use super::envelope::{Answer, Refusal};
use super::world::World;

#[derive(Debug, Deserialize)]
struct Test {
    endpoint: String,
}

/// Accepts any `http` or `https` URL.
pub(super) fn test(_: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let Test { endpoint } = asked.body()?;
    let scheme = endpoint.parse::<Uri>().ok().and_then(|uri| uri.scheme_str().map(str::to_owned));
    match scheme.as_deref() {
        Some("http" | "https") => Ok(Answer::Data(json!({ "endpoint": endpoint, "delivered": true }))),
        _ => Err(Refusal::invalid("endpoint must be an http or https URL")),
    }
}

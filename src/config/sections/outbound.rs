//! `upstream.proxy` and `upstream.no_proxy`: whether the API is reached through a proxy.
//!
//! It is decided here, once, for every way to the API.

use http::Uri;

use crate::config::Proxy;
use crate::config::kind::is_loopback;
use crate::config::origin::Source;
use crate::config::reader::Reader;
use crate::config::schema;

/// The proxy for the API at `base_url`; `None` if there is none, or with a problem noted.
pub(super) fn proxy(reader: &mut Reader<'_>, base_url: Option<&Uri>) -> Option<Proxy> {
    let exempt = reader.required(&schema::UPSTREAM_NO_PROXY);
    let source = reader.source(&schema::UPSTREAM_PROXY)?;
    let is_needed = base_url.is_some_and(|url| {
        !is_loopback(url) && !exempt.unwrap_or_default().iter().any(|exempt| exempt.covers(url))
    });
    // What stands in a variable for all programs is looked at only where it would be used: it may be right
    // for those that it is meant for.
    if !is_needed && matches!(source, Source::Shared(_)) {
        return None;
    }
    let proxy = reader.optional(&schema::UPSTREAM_PROXY)??;
    is_needed.then(|| Proxy { from: source.to_string(), ..proxy })
}

//! `Proxy-Status` (RFC 9209): this proxy's own member of the list.

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{KeyRef, ListSerializer, StringRef, TokenRef};

/// The field's name.
pub(super) const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Details that are longer are cut: a header is no place for an essay.
const MAX_DETAILS: usize = 240;

/// Appends `liquid-auth-proxy;error=…;details="…"`, behind what the servers before us have said.
pub(super) fn append(headers: &mut HeaderMap, error: Option<&'static str>, details: Option<&str>) {
    if let Some(value) = render(error, details) {
        headers.append(PROXY_STATUS, value);
    }
}

fn render(error: Option<&'static str>, details: Option<&str>) -> Option<HeaderValue> {
    let mut list = ListSerializer::new();
    let mut member = list.bare_item(TokenRef::from_str(env!("CARGO_PKG_NAME")).ok()?);
    if let Some(error) = error {
        member = member.parameter(KeyRef::from_str("error").ok()?, TokenRef::from_str(error).ok()?);
    }
    if let Some(details) = details {
        // An sf-string holds visible ASCII and spaces (RFC 9651, section 3.3.3).
        let details: String = details
            .chars()
            .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
            .take(MAX_DETAILS)
            .collect();
        let _ = member.parameter(KeyRef::from_str("details").ok()?, StringRef::from_str(&details).ok()?);
    }
    HeaderValue::try_from(list.finish()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_and_cut() {
        let value = render(Some("dns_error"), Some("no \"such\" höst\n")).unwrap();
        assert_eq!(value, r#"liquid-auth-proxy;error=dns_error;details="no \"such\" h?st?""#);
        assert!(render(None, Some(&"x".repeat(1000))).unwrap().len() < MAX_DETAILS + 40);
    }

    #[test]
    fn what_others_said_stays_in_front() {
        let mut headers = HeaderMap::new();
        headers.insert(PROXY_STATUS, HeaderValue::from_static("cdn.example"));
        append(&mut headers, None, Some("derived"));
        let all: Vec<_> = headers.get_all(PROXY_STATUS).iter().collect();
        assert_eq!(all, ["cdn.example", r#"liquid-auth-proxy;details="derived""#]);
    }
}

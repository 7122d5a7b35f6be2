//! Who may call: names under which the proxy is reached, origins of pages, a header's name.

use config::ValueKind;
use http::{HeaderName, HeaderValue, Uri};

use super::{Kind, Parse, Refusal, text};
use crate::config::HostName;

/// A name in `Host`, without a port.
pub(in crate::config) struct AllowedHost;

impl Kind for AllowedHost {
    fn allowed(&self) -> String {
        "host names or IP addresses (IPv6 in brackets), without a port".into()
    }
}

impl Parse for AllowedHost {
    type Value = HostName;

    fn parse(&self, value: &ValueKind) -> Result<HostName, Refusal> {
        let given = text(value)?;
        if given.contains('*') {
            return Err(Refusal::new("is a pattern; each name must be given in full"));
        }
        match HostName::parse(given) {
            Some((name, None)) => Ok(name),
            Some((_, Some(_))) => Err(Refusal::new("has a port; every port is allowed")),
            None => Err(Refusal::new("is no host name")),
        }
    }
}

/// The origin of a page (RFC 6454, section 7).
pub(in crate::config) struct Origin;

impl Kind for Origin {
    fn allowed(&self) -> String {
        "origins as browsers send them: `http://localhost:3000`, `https://app.example`".into()
    }
}

impl Parse for Origin {
    type Value = HeaderValue;

    fn parse(&self, value: &ValueKind) -> Result<HeaderValue, Refusal> {
        let given = text(value)?;
        if given == "*" || given == "null" {
            return Err(Refusal::new("would let every page in"));
        }
        let url: Uri = given.parse().map_err(|_| Refusal::new("is no origin"))?;
        let (Some("http" | "https"), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(Refusal::new("is no origin of a page: a scheme and a host"));
        };
        if given.strip_suffix('/').is_some() || url.path_and_query().is_some_and(|path| path != "/") {
            return Err(Refusal::new("has a path, which no origin has"));
        }
        if given.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(Refusal::new("has capital letters, which browsers do not send"));
        }
        let default = matches!(
            (url.scheme_str(), authority.port_u16()),
            (Some("http"), Some(80)) | (Some("https"), Some(443))
        );
        if default || HostName::parse(authority.as_str()).is_none() {
            return Err(Refusal::new("is not what a browser sends: no default port, no user"));
        }
        HeaderValue::from_str(given).map_err(|_| Refusal::new("is no origin"))
    }
}

/// A header's name.
pub(in crate::config) struct FieldName;

/// What the proxy or HTTP itself has another use for.
const TAKEN: [&str; 14] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "origin",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-liquid-api-key",
    "proxy-authorization",
];

impl Kind for FieldName {
    fn allowed(&self) -> String {
        "name of a header that nothing else uses".into()
    }
}

impl Parse for FieldName {
    type Value = HeaderName;

    fn parse(&self, value: &ValueKind) -> Result<HeaderName, Refusal> {
        let name = HeaderName::from_bytes(text(value)?.as_bytes());
        let name = name.map_err(|_| Refusal::new("is no name of a header"))?;
        if TAKEN.contains(&name.as_str()) {
            return Err(Refusal::new("has another use"));
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_hosts_has_no_ports_and_no_patterns() {
        assert!(AllowedHost.parse(&"proxy.internal".into()).is_ok());
        assert!(AllowedHost.parse(&"[::1]".into()).is_ok());
        for (given, why) in [
            ("*", "pattern"),
            ("*.example", "pattern"),
            ("localhost:8000", "port"),
            ("", "empty"),
            ("http://localhost", "no host name"),
            ("::1", "no host name"),
        ] {
            let refusal = AllowedHost.parse(&given.into()).unwrap_err();
            assert!(refusal.what.contains(why), "{given}: {refusal:?}");
        }
    }

    #[test]
    fn origins_are_what_browsers_send() {
        for given in ["http://localhost:3000", "https://app.example", "http://[::1]:5173"] {
            assert_eq!(Origin.parse(&given.into()).unwrap(), given);
        }
        for given in [
            "*",
            "null",
            "",
            "localhost:3000",
            "http://localhost:3000/",
            "https://app.example/x",
            "https://App.example",
            "ftp://host",
            "file:///x",
            "http://host:80",
            "https://host:443",
            "http://user@host",
            "http://host?x",
        ] {
            assert!(Origin.parse(&given.into()).is_err(), "{given}");
        }
    }

    #[test]
    fn a_field_of_another_use_is_no_field_for_a_token() {
        assert_eq!(FieldName.parse(&"X-Liquid-Client-Token".into()).unwrap(), "x-liquid-client-token");
        for given in ["Authorization", "host", "X-LIQUID-API-KEY", "", "a b", "a:"] {
            assert!(FieldName.parse(&given.into()).is_err(), "{given}");
        }
    }
}

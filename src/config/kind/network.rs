//! Whom to call. The one place in the configuration where a host's name may stand; it is not looked up here.

use std::net::IpAddr;

use config::ValueKind;
use http::Uri;
use rustls::pki_types::ServerName;

use super::{Kind, Parse, Refusal, text};

/// Scheme and authority of an HTTP server.
pub(in crate::config) struct BaseUrl;

impl Kind for BaseUrl {
    fn allowed(&self) -> String {
        "`https://host` or `https://host:port`, no path; `http:` only to `localhost` or a loopback IP".into()
    }
}

impl Parse for BaseUrl {
    type Value = Uri;

    fn parse(&self, value: &ValueKind) -> Result<Uri, Refusal> {
        let given = text(value)?;
        // User and query are where people put secrets: such a URL is not repeated. The URL type
        // drops a fragment without a word, so all three are looked for in the text.
        for (mark, what) in [('@', "has a user name"), ('?', "has a query"), ('#', "has a fragment")] {
            if given.contains(mark) {
                return Err(Refusal::new(what).hiding_value());
            }
        }
        let url: Uri = given.parse().map_err(|_| Refusal::new("is not a URL"))?;
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(Refusal::new("is not a URL with a scheme and a host"));
        };
        if !matches!(url.path(), "" | "/") {
            return Err(Refusal::new("has a path; requests keep their own"));
        }
        let host = authority.host();
        if ServerName::try_from(without_brackets(host)).is_err() {
            return Err(Refusal::new("has no valid host"));
        }
        if authority.as_str().len() > host.len() && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(Refusal::new("has no valid port"));
        }
        match scheme {
            "https" => Ok(url),
            "http" if is_loopback(&url) => Ok(url),
            "http" => Err(Refusal::new("would send the key and tokens in the clear")),
            _ => Err(Refusal::new("has a scheme other than https")),
        }
    }
}

/// Whether a URL names this machine: `localhost` or a loopback address.
pub(in crate::config) fn is_loopback(url: &Uri) -> bool {
    url.host().is_some_and(|host| match ServerName::try_from(without_brackets(host)) {
        Ok(ServerName::DnsName(name)) => name.as_ref().eq_ignore_ascii_case("localhost"),
        Ok(ServerName::IpAddress(ip)) => IpAddr::from(ip).to_canonical().is_loopback(),
        _ => false,
    })
}

/// A host as it is named outside of a URL: there an IPv6 address has brackets.
pub(super) fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_a_scheme_and_a_host() {
        for given in [
            "https://api.liquidcommerce.cloud",
            "https://api.liquidcommerce.cloud/",
            "https://10.0.0.1:8443",
            "http://localhost:9000",
            "http://127.8.0.1",
            "http://[::1]:9000",
        ] {
            let url = BaseUrl.parse(&given.into()).unwrap();
            assert_eq!(url.to_string().trim_end_matches('/'), given.trim_end_matches('/'));
        }
        for (given, why) in [
            ("api.liquidcommerce.cloud", "scheme"),
            ("/api", "scheme"),
            ("ftp://localhost", "scheme"),
            ("https://", "not a URL"),
            ("https://a b", "not a URL"),
            ("https://host/api", "path"),
            ("https://host?x=1", "query"),
            ("https://host#x", "fragment"),
            ("https://user:pass@host", "user"),
            ("https://host:", "port"),
            ("https://host:0", "port"),
            ("https://host:65536", "port"),
            ("https://ex!ample", "host"),
            ("http://api.liquidcommerce.cloud", "in the clear"),
            ("http://localhost.example.com", "in the clear"),
            ("http://0.0.0.0", "in the clear"),
            ("http://10.0.0.1", "in the clear"),
        ] {
            let refusal = BaseUrl.parse(&given.into()).unwrap_err();
            assert!(refusal.what.contains(why), "{given}: {refusal:?}");
        }
    }
}

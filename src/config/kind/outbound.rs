//! A proxy on the way to the API, and what needs none. Whoever writes a proxy's URL may put a password
//! into it, so none that is wrong is repeated.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use config::ValueKind;
use http::Uri;
use http::uri::Authority;
use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;
use rustls::pki_types::{DnsName, ServerName};
use zeroize::Zeroizing;

use super::network::without_brackets;
use super::{Kind, Parse, Refusal, text};
use crate::config::outbound::Proxy;
use crate::secret::Secret;

/// What stands for no proxy, whatever the variables of other programs say.
const NONE: &str = "none";

/// An HTTP proxy, or `none`.
pub(in crate::config) struct HttpProxy;

impl Kind for HttpProxy {
    fn allowed(&self) -> String {
        "`http://host:port` or `http://user:password@host:port`, or `none`; not `https:`, not SOCKS".into()
    }

    fn shown(&self, value: &ValueKind) -> String {
        match self.parse(value) {
            Ok(Some(proxy)) => {
                let user = if proxy.credentials.is_some() { "<redacted>@" } else { "" };
                format!("\"http://{user}{proxy}\"")
            }
            Ok(None) => format!("{NONE:?}"),
            Err(_) => "<redacted>".into(),
        }
    }
}

impl Parse for HttpProxy {
    /// Without the name of what set it: that is known elsewhere.
    type Value = Option<Proxy>;

    fn parse(&self, value: &ValueKind) -> Result<Self::Value, Refusal> {
        match text(value)? {
            NONE => Ok(None),
            given => parse(given).map(Some).map_err(|what| Refusal::new(what).hiding_value()),
        }
    }
}

fn parse(given: &str) -> Result<Proxy, &'static str> {
    let rest = match given.split_once("://") {
        None => given,
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => {
            return Err("is a proxy that is spoken to over TLS, which is not supported");
        }
        Some((scheme, _)) if scheme.to_ascii_lowercase().starts_with("socks") => {
            return Err("is a SOCKS proxy, which is not supported");
        }
        Some(_) => return Err("has a scheme other than http"),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (user_info, host) = match rest.rsplit_once('@') {
        Some((user_info, host)) => (Some(user_info), host),
        None => (None, rest),
    };
    // URL types end the host at these, so that part of a password would be taken for it.
    if user_info.is_some_and(|info| info.contains(['/', '?', '#', '\\'])) {
        return Err("has a `/`, `\\`, `?` or `#` in its user or password: write it percent-encoded");
    }
    if host.contains(['/', '?', '#']) {
        return Err("has a path, a query or a fragment");
    }
    let authority: Authority = host.parse().map_err(|_| "has no valid host and port")?;
    ServerName::try_from(without_brackets(authority.host())).map_err(|_| "has no valid host")?;
    let authority = match authority.port_u16() {
        Some(1..) => authority,
        // The port that the URL has by its scheme is said, as nobody expects it.
        None if authority.as_str() == authority.host() => {
            format!("{host}:80").parse().map_err(|_| "has no valid host and port")?
        }
        _ => return Err("has no valid port"),
    };
    let credentials = user_info.map(credentials).transpose()?;
    Ok(Proxy { authority, credentials, from: String::new() })
}

fn credentials(user_info: &str) -> Result<Secret, &'static str> {
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let user = Zeroizing::new(percent_decode_str(user).collect::<Vec<u8>>());
    let password = Zeroizing::new(percent_decode_str(password).collect::<Vec<u8>>());
    if user.contains(&b':') {
        return Err("has a colon in its user, which would end it");
    }
    // RFC 7617, section 2: none may hold a control character.
    if user.iter().chain(password.iter()).any(u8::is_ascii_control) {
        return Err("has a control character in its user or password");
    }
    let pair = Zeroizing::new([&user[..], b":", &password[..]].concat());
    Secret::parse(BASE64.encode(&*pair)).map_err(|_| "has a user and password that are too long")
}

/// One item of `NO_PROXY`: a host, or several, that are reached without the proxy.
pub(in crate::config) struct NoProxy;

/// Hosts that need no proxy.
#[derive(Debug, PartialEq)]
pub(in crate::config) struct Exempt {
    /// In the notation of the matcher: a domain with all below it, an address, a network, or `*`.
    host: String,
    /// Of these hosts only what listens here.
    port: Option<u16>,
}

impl Kind for NoProxy {
    fn allowed(&self) -> String {
        "domains (each with all below it), IP addresses, networks such as `10.0.0.0/8`, or `*` for everything, with `:port` for one port of them".into()
    }

    fn most_items(&self) -> usize {
        // It is looked at once, and lists for a whole company are long.
        1024
    }
}

impl Parse for NoProxy {
    type Value = Exempt;

    fn parse(&self, value: &ValueKind) -> Result<Exempt, Refusal> {
        let given = text(value)?;
        if let Ok(ip) = without_brackets(given).parse::<IpAddr>() {
            return Ok(Exempt { host: ip.to_string(), port: None });
        }
        if is_network(given) {
            return Ok(Exempt { host: given.to_owned(), port: None });
        }
        let (host, port) = match given.rsplit_once(':') {
            Some((host, port)) => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (host, Some(port.ok_or_else(|| Refusal::new("has no valid port").hiding_value())?))
            }
            None => (given, None),
        };
        if let Ok(ip) = without_brackets(host).parse::<IpAddr>() {
            return Ok(Exempt { host: ip.to_string(), port });
        }
        // `*.` and `.` in front say nothing more: a domain stands for all below it.
        let domain = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        let domain = domain.strip_prefix('.').unwrap_or(domain).trim_end_matches('.');
        if host != "*" && DnsName::try_from(domain).is_err() {
            let refusal = Refusal::new("is neither a domain, an IP address, a network nor `*`");
            // A proxy's URL in the wrong place.
            return Err(if given.contains('@') { refusal.hiding_value() } else { refusal });
        }
        let host = if host == "*" { host } else { domain };
        Ok(Exempt { host: host.to_owned(), port })
    }
}

/// `10.0.0.0/8`, `2001:db8::/32`
fn is_network(given: &str) -> bool {
    let Some((address, length)) = given.split_once('/') else { return false };
    let most = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.bytes().all(|b| b.is_ascii_digit()) && length.parse::<u8>().is_ok_and(|length| length <= most)
}

impl Exempt {
    /// Whether the server at `url` (`https:`) is one of these.
    pub(in crate::config) fn covers(&self, url: &Uri) -> bool {
        if self.port.is_some_and(|port| url.port_u16().unwrap_or(443) != port) {
            return false;
        }
        // To the matcher that is every name, but no address.
        if self.host == "*" {
            return true;
        }
        let Some(host) = url.host() else { return false };
        // A dot at its end makes a name no other.
        let Ok(host) = Uri::try_from(format!("https://{}/", host.trim_end_matches('.'))) else {
            return false;
        };
        let matcher = Matcher::builder().https("http://proxy.invalid").no(self.host.as_str()).build();
        matcher.intercept(&host).is_none()
    }
}

#[cfg(test)]
mod tests;

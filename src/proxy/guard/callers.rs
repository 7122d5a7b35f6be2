//! Who may call. A port on localhost is open to every page in a browser on this machine and to every
//! name that somebody lets point at it, so a request must say that it was meant for this proxy.

use std::net::IpAddr;
use std::sync::OnceLock;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Version, request};

use super::super::error::Refusal;
use super::super::present::Present;
use crate::config::{Address, HostName, Listen};
use crate::secret::shared::Shared;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What browsers say of a request that no other site made (Fetch Metadata, section 2.3).
const OWN: [&str; 2] = ["same-origin", "none"];

/// Who may call.
#[derive(Debug, Clone)]
pub struct Callers {
    hosts: Vec<HostName>,
    /// Whether `Host` may say anything: no name leads to a Unix socket.
    any_host: bool,
    /// Whether it may be any address: only names can be made to point here.
    any_ip: bool,
    origins: Vec<HeaderValue>,
    token: Option<(HeaderName, Shared)>,
    /// The first name that was one of the proxy's, with its port: most requests after it bear the same.
    usual: OnceLock<Box<[u8]>>,
}

impl Callers {
    /// Who may call by these rules. `address` is that of the listener, `None` for a Unix socket.
    pub fn new(listen: &Listen, address: Option<IpAddr>, token: Option<Shared>) -> Self {
        let header = listen.client_token.as_ref().map(|token| token.header.clone());
        let own =
            address.filter(|address| !address.is_unspecified()).map(|ip| HostName::Ip(ip.to_canonical()));
        Self {
            hosts: listen.allowed_hosts.iter().cloned().chain(own).collect(),
            any_host: address.is_none(),
            any_ip: false,
            origins: listen.allowed_origins.clone(),
            token: header.zip(token),
            usual: OnceLock::new(),
        }
    }

    /// Who may ask at the admin listener at `address`. Where other machines reach it, probes and collectors name
    /// it by whatever address it has there.
    pub fn of_admin(listen: &Listen, address: &Address) -> Self {
        let any_ip = address.is_remote();
        Self { any_ip, origins: Vec::new(), ..Self::new(listen, address.ip(), None) }
    }

    /// Refuses what was not meant for this proxy, or comes from another site's page.
    ///
    /// # Errors
    /// [`Refusal::HostNotAllowed`] and [`Refusal::OriginNotAllowed`].
    pub fn check(&self, head: &request::Parts) -> Result<(), Refusal> {
        self.check_by(head, Present::of(&head.headers))
    }

    /// The same of a request whose headers have been looked at.
    pub(in crate::proxy) fn check_by(&self, head: &request::Parts, present: Present) -> Result<(), Refusal> {
        self.host(head)?;
        if present.any(Present::ORIGIN.or(Present::SEC_FETCH_SITE)) {
            self.origin(&head.headers)?;
        }
        Ok(())
    }

    /// Whether the request is made by a page that may.
    pub(in crate::proxy) fn is_of_page(&self, headers: &HeaderMap) -> bool {
        if self.origins.is_empty() {
            return false;
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        matches!((origins.next(), origins.next()), (Some(origin), None) if self.origins.contains(origin))
    }

    /// The origins that may call.
    pub(in crate::proxy) fn origins(&self) -> &[HeaderValue] {
        &self.origins
    }

    /// Every name that the request was sent to must be one of the proxy's. A rebound name (DNS rebinding)
    /// stands in `Host` as it is. There must be one `Host`, whoever reads the request (RFC 9112, section 3.2).
    fn host(&self, head: &request::Parts) -> Result<(), Refusal> {
        let mut fields = head.headers.get_all(HOST).iter();
        let (first, second) = (fields.next(), fields.next());
        if second.is_some() {
            return Err(Refusal::HostNotAllowed("the request has more than one Host".into()));
        }
        // In HTTP/2 the authority takes the place of `Host` (RFC 9113, section 8.3.1).
        if first.is_none() && !(head.version == Version::HTTP_2 && head.uri.authority().is_some()) {
            return Err(Refusal::HostNotAllowed("the request has no Host".into()));
        }
        let host = first.filter(|_| !self.any_host).map(HeaderValue::as_bytes);
        let target = head.uri.authority().filter(|_| !(self.any_host && head.version == Version::HTTP_2));
        for name in target.map(|target| target.as_str().as_bytes()).into_iter().chain(host) {
            if self.usual.get().is_some_and(|usual| usual[..] == *name) {
                continue;
            }
            let text = std::str::from_utf8(name).unwrap_or_default();
            if HostName::parse(text).is_some_and(|(host, _)| self.knows(&host)) {
                self.usual.get_or_init(|| name.into());
            } else {
                let shown = String::from_utf8_lossy(name).into_owned();
                return Err(Refusal::HostNotAllowed(format!("{shown:?} is not in listen.allowed_hosts")));
            }
        }
        Ok(())
    }

    fn knows(&self, host: &HostName) -> bool {
        self.hosts.contains(host) || self.any_ip && matches!(host, HostName::Ip(_))
    }

    /// A page of another site must not use the credential. Programs send neither of the two headers.
    fn origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.is_of_page(headers) {
            return Ok(());
        }
        if let Some(origin) = headers.get(ORIGIN) {
            return Err(Refusal::OriginNotAllowed(String::from_utf8_lossy(origin.as_bytes()).into_owned()));
        }
        let foreign = headers
            .get_all(SEC_FETCH_SITE)
            .iter()
            .find(|site| !OWN.iter().any(|own| site.as_bytes().eq_ignore_ascii_case(own.as_bytes())));
        match foreign {
            Some(site) => Err(Refusal::OriginNotAllowed(format!(
                "another site ({})",
                String::from_utf8_lossy(site.as_bytes())
            ))),
            None => Ok(()),
        }
    }

    /// The header that bears the client token, if one is asked for.
    pub(in crate::proxy) fn token_header(&self) -> Option<&HeaderName> {
        self.token.as_ref().map(|(name, _)| name)
    }

    /// Takes the client token, if there is one, off a request; refuses a request without it.
    pub(in crate::proxy) fn take_token(&self, headers: &mut HeaderMap) -> Result<(), Refusal> {
        let Some((name, token)) = &self.token else { return Ok(()) };
        Self::token(name, token, headers)?;
        headers.remove(name);
        Ok(())
    }

    fn token(name: &HeaderName, token: &Shared, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut given = headers.get_all(name).iter();
        match (given.next(), given.next()) {
            (Some(given), None) if token.is(given.as_bytes()) => Ok(()),
            (Some(_), _) => Err(Refusal::ClientNotAllowed(name.clone(), "does not hold the client token")),
            (None, _) => Err(Refusal::ClientNotAllowed(name.clone(), "is missing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::secret::Secret;

    fn callers(origins: &[&'static str], address: Option<&str>) -> Callers {
        let hosts =
            ["localhost", "127.0.0.1", "[::1]", "0.0.0.0"].map(|name| HostName::parse(name).unwrap().0);
        let own = address.map(|address| HostName::Ip(address.parse().unwrap()));
        let token = Shared::new(Secret::parse("let-me-in".into()).unwrap());
        Callers {
            hosts: hosts.into_iter().chain(own).collect(),
            any_host: address.is_none(),
            any_ip: false,
            origins: origins.iter().map(|origin| HeaderValue::from_static(origin)).collect(),
            token: Some((HeaderName::from_static("x-token"), token)),
            usual: OnceLock::new(),
        }
    }

    fn checked(
        callers: &Callers,
        uri: &str,
        version: Version,
        headers: &[(&str, &str)],
    ) -> Result<(), String> {
        let mut request = Request::get(uri).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        callers.check(&head).map_err(|refusal| refusal.code().to_owned())
    }

    fn sent_to(host: &str) -> Result<(), String> {
        checked(&callers(&[], Some("192.0.2.7")), "/", Version::HTTP_11, &[("host", host)])
    }

    #[test]
    fn the_host_is_one_of_the_proxys() {
        for host in [
            "localhost",
            "LOCALHOST:8000",
            "127.0.0.1:1",
            "0.0.0.0:8000",
            "[::1]:8000",
            "[0:0::1]",
            "[::ffff:127.0.0.1]",
            "192.0.2.7:8000",
            "localhost:",
        ] {
            assert_eq!(sent_to(host), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "evil-localhost",
            "xlocalhost",
            "localhost.",
            "127.0.0.1.nip.io",
            "127.0.0.2",
            "127.1",
            "2130706433",
            "0x7f.1",
            "[::2]",
            "user@localhost",
            "localhost:8000@evil.example",
            "localhost, evil.example",
            "localhost evil.example",
            "",
            " ",
            "localhost/x",
        ] {
            assert_eq!(sent_to(host), Err("host_not_allowed".into()), "{host}");
        }
    }

    #[test]
    fn where_other_machines_ask_any_address_will_do_and_no_other_name() {
        let callers = Callers { any_ip: true, ..callers(&[], Some("0.0.0.0")) };
        let sent_to = |host: &str| checked(&callers, "/", Version::HTTP_11, &[("host", host)]);
        for host in ["10.1.2.3:8001", "[fd00::7]:8001", "localhost"] {
            assert_eq!(sent_to(host), Ok(()), "{host}");
        }
        for host in ["evil.example", "10.1.2.3.evil.example", ""] {
            assert_eq!(sent_to(host), Err("host_not_allowed".into()), "{host}");
        }
    }

    #[test]
    fn there_is_one_host() {
        let callers = callers(&[], Some("192.0.2.7"));
        let at = |uri: &str, version, headers: &[(&str, &str)]| checked(&callers, uri, version, headers);
        let host = ("host", "localhost");
        assert!(at("/", Version::HTTP_11, &[]).is_err());
        assert!(at("/", Version::HTTP_10, &[]).is_err());
        assert!(at("/", Version::HTTP_11, &[host, host]).is_err());
        assert!(at("/", Version::HTTP_11, &[host, ("host", "evil.example")]).is_err());
        assert!(at("http://localhost/", Version::HTTP_11, &[host]).is_ok());
        assert!(at("http://evil.example/", Version::HTTP_11, &[host]).is_err());
        assert!(at("http://localhost/", Version::HTTP_11, &[("host", "evil.example")]).is_err());
        assert!(at("http://localhost/", Version::HTTP_11, &[]).is_err());
        assert!(at("http://localhost:8000/", Version::HTTP_2, &[]).is_ok());
        assert!(at("http://evil.example/", Version::HTTP_2, &[]).is_err());
        assert!(at("http://evil.example/", Version::HTTP_2, &[host]).is_err());
        assert!(at("http://localhost/", Version::HTTP_2, &[("host", "evil.example")]).is_err());
    }

    #[test]
    fn over_a_unix_socket_any_one_name_will_do() {
        let callers = callers(&[], None);
        let at = |uri: &str, headers: &[(&str, &str)]| checked(&callers, uri, Version::HTTP_11, headers);
        assert!(at("/", &[("host", "anything")]).is_ok());
        assert!(at("/", &[]).is_err());
        assert!(at("http://localhost/", &[("host", "anything")]).is_ok());
        let other = at("http://api.example/", &[("host", "api.example")]);
        assert!(other.is_err(), "that is for a general proxy");
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let none = callers(&[], Some("127.0.0.1"));
        let some = callers(&["http://localhost:3000"], Some("127.0.0.1"));
        let with = |callers: &Callers, headers: &[(&str, &str)]| {
            let headers: Vec<_> = [("host", "localhost")].iter().chain(headers).copied().collect();
            checked(callers, "/", Version::HTTP_11, &headers)
        };
        let refused = Err("origin_not_allowed".to_owned());
        // What programs send: Node's fetch tells its mode and nothing of a site.
        assert_eq!(with(&none, &[("sec-fetch-mode", "cors")]), Ok(()));
        assert_eq!(with(&none, &[("sec-fetch-site", "none")]), Ok(()));
        assert_eq!(with(&none, &[("sec-fetch-site", "same-origin")]), Ok(()));
        for site in ["cross-site", "same-site", "Cross-Site", "", "anything"] {
            assert_eq!(with(&none, &[("sec-fetch-site", site)]), refused, "{site}");
        }
        for origin in ["http://evil.example", "null", "", "http://localhost:8000", "http://localhost:3000"] {
            assert_eq!(with(&none, &[("origin", origin)]), refused, "{origin}");
        }
        let allowed = ("origin", "http://localhost:3000");
        assert_eq!(with(&some, &[allowed]), Ok(()));
        assert_eq!(with(&some, &[allowed, ("sec-fetch-site", "same-site")]), Ok(()));
        assert_eq!(with(&some, &[allowed, allowed]), refused);
        assert_eq!(with(&some, &[allowed, ("origin", "http://evil.example")]), refused);
        for origin in
            ["http://localhost:3001", "https://localhost:3000", "http://localhost:3000.evil.example"]
        {
            assert_eq!(with(&some, &[("origin", origin)]), refused, "{origin}");
        }
        assert_eq!(with(&some, &[("sec-fetch-site", "cross-site")]), refused);
    }

    #[test]
    fn the_client_token_is_taken_off() {
        let callers = callers(&[], Some("127.0.0.1"));
        let taken = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-token", HeaderValue::from_static(value));
            }
            let taken = callers.take_token(&mut headers).map_err(|refusal| refusal.code().to_owned());
            assert!(taken.is_err() || headers.is_empty());
            taken
        };
        assert_eq!(taken(&["let-me-in"]), Ok(()));
        for values in [&[][..], &["let-me-out"], &["let-me-in", "let-me-in"], &[""]] {
            assert_eq!(taken(values), Err("client_not_allowed".into()), "{values:?}");
        }
    }
}

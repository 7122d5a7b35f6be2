//! The variables of proxies, which many programs read, as a layer.
//!
//! It lies below everything that somebody wrote for this program: the variables are there for all programs
//! of a machine. `HTTP_PROXY` is not among them: the API speaks `https:`, and where a server turns a
//! request's headers into variables, that one is a `Proxy:` header.

use super::kind::Parse;
use super::layer::Layer;
use super::origin::Source;
use super::schema::{UPSTREAM_NO_PROXY, UPSTREAM_PROXY};

/// Who asks first. Each name may be in capitals or not; the capitals win.
const PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Whether a variable is one of these.
pub(super) fn is_known(name: &str) -> bool {
    PROXY.contains(&name) || NO_PROXY.contains(&name)
}

/// What the variables say of a proxy.
pub(super) fn read(variables: &[(String, String)]) -> Layer {
    let mut layer = Layer::default();
    if let Some((name, value)) = first(variables, &PROXY) {
        layer.set_text(&UPSTREAM_PROXY, value, Source::Shared(name));
    }
    if let Some((name, value)) = first(variables, &NO_PROXY) {
        // The list is written for many programs, with what only some of them understand.
        let items = value.split([',', ' ', '\t']).filter(|item| !item.is_empty());
        let ours = items.filter(|item| UPSTREAM_NO_PROXY.kind.0.parse(&(*item).into()).is_ok());
        layer.set(&UPSTREAM_NO_PROXY, ours.collect::<Vec<_>>().into(), Source::Shared(name));
    }
    layer
}

/// The first of the names that is set. One that is empty is not: so it is switched off.
fn first<'a>(variables: &'a [(String, String)], names: &[&'static str]) -> Option<(&'static str, &'a str)> {
    names.iter().find_map(|name| {
        let (_, value) = variables.iter().find(|(given, value)| given == name && !value.trim().is_empty())?;
        Some((*name, value.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(given: &[(&str, &str)]) -> Layer {
        read(&given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn each_name_is_read_and_the_first_that_says_something_wins() {
        let all = [
            ("all_proxy", "http://d"),
            ("ALL_PROXY", "http://c"),
            ("https_proxy", "http://b"),
            ("HTTPS_PROXY", "http://a"),
        ];
        for (count, name) in (1..=4).zip(["all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"]) {
            let layer = read_all(&all[..count]);
            assert_eq!(layer.value("upstream.proxy"), Some(&all[count - 1].1.into()));
            assert_eq!(layer.source("upstream.proxy"), Some(&Source::Shared(name)));
            assert!(is_known(name));
        }
        let layer = read_all(&[("HTTPS_PROXY", " "), ("https_proxy", ""), ("ALL_PROXY", " http://c ")]);
        assert_eq!(layer.value("upstream.proxy"), Some(&"http://c".into()));
    }

    #[test]
    fn the_proxy_of_plain_http_is_no_concern_of_ours() {
        for name in ["HTTP_PROXY", "http_proxy", "FTP_PROXY", "Https_Proxy"] {
            assert!(!is_known(name) && read_all(&[(name, "http://a")]).source("upstream.proxy").is_none());
        }
    }

    #[test]
    fn of_a_list_for_everyone_what_is_understood_is_taken() {
        let layer =
            read_all(&[("no_proxy", "localhost,.corp.example, 10.0.0.0/8 <local>,a/b,,*:x,host:8443")]);
        let expected: config::ValueKind =
            vec!["localhost", ".corp.example", "10.0.0.0/8", "host:8443"].into();
        assert_eq!(layer.value("upstream.no_proxy"), Some(&expected));
        assert!(read_all(&[("NO_PROXY", ""), ("no_proxy", " ")]).source("upstream.no_proxy").is_none());
    }
}

use super::*;

fn proxy(given: &str) -> Proxy {
    HttpProxy.parse(&given.into()).unwrap().unwrap()
}

fn authorization(given: &str) -> Option<String> {
    let value = proxy(given).authorization()?;
    assert!(value.is_sensitive());
    let text = value.to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
    Some(String::from_utf8(BASE64.decode(text).unwrap()).unwrap())
}

#[test]
fn a_proxy_is_a_host_and_a_port() {
    for (given, authority) in [
        ("http://proxy.example:3128", "proxy.example:3128"),
        ("http://proxy.example:3128/", "proxy.example:3128"),
        ("HTTP://proxy.example:80", "proxy.example:80"),
        ("proxy:8080", "proxy:8080"),
        ("http://proxy.example", "proxy.example:80"),
        ("http://[2001:db8::1]/", "[2001:db8::1]:80"),
        ("http://10.0.0.1:3128", "10.0.0.1:3128"),
        ("http://[2001:db8::1]:3128", "[2001:db8::1]:3128"),
        ("http://user:password@proxy.example:3128", "proxy.example:3128"),
        ("user:password@proxy.example:3128", "proxy.example:3128"),
    ] {
        let proxy = proxy(given);
        assert_eq!(proxy.to_string(), authority, "{given}");
        assert_eq!(proxy.uri().to_string(), format!("http://{authority}/"));
    }
    assert!(HttpProxy.parse(&"none".into()).unwrap().is_none());
}

#[test]
fn a_user_and_a_password_are_decoded() {
    for (given, pair) in [
        ("http://proxy:1", None),
        ("http://user:password@proxy:1", Some("user:password")),
        ("http://user@proxy:1", Some("user:")),
        ("http://:password@proxy:1", Some(":password")),
        ("http://us%20er:p%40s%3As%2F@proxy:1", Some("us er:p@s:s/")),
        ("http://user:p@ss:word@proxy:1", Some("user:p@ss:word")),
        ("http://user:100%@proxy:1", Some("user:100%")),
        ("http://user:s%C3%A9same@proxy:1", Some("user:sésame")),
    ] {
        assert_eq!(authorization(given).as_deref(), pair, "{given}");
    }
}

#[test]
fn what_is_wrong_is_told_and_not_repeated() {
    for (given, why) in [
        ("https://canary:canary@proxy:3128", "over TLS"),
        ("socks5://canary:canary@proxy:1080", "SOCKS"),
        ("SOCKS5h://proxy:1080", "SOCKS"),
        ("ftp://proxy:3128", "scheme"),
        ("http://proxy:0", "port"),
        ("http://proxy:65536", "port"),
        ("http://proxy:", "port"),
        ("http://:3128", "host"),
        ("http://", "host"),
        ("http://canary:canary@", "host"),
        ("http://pro xy:1", "host"),
        ("http://pro!xy:1", "host"),
        ("http://proxy:3128/canary", "path"),
        ("http://proxy:3128?canary", "query"),
        // What a URL type would take for the host `canary`, port 12.
        ("http://canary:12#ss@proxy:1", "percent-encoded"),
        ("http://canary:12/ss@proxy:1", "percent-encoded"),
        ("http://canary:12?ss@proxy:1", "percent-encoded"),
        ("http://canary%3Ax:password@proxy:1", "colon"),
        ("http://user:canary%0Ax@proxy:1", "control"),
        (&format!("http://user:{}@proxy:1", "k".repeat(9000)), "too long"),
    ] {
        let refusal = HttpProxy.parse(&given.into()).unwrap_err();
        assert!(refusal.what.contains(why) && refusal.hides_value, "{given}: {refusal:?}");
        assert!(!refusal.what.contains("canary"), "{refusal:?}");
        assert_eq!(HttpProxy.shown(&given.into()), "<redacted>");
    }
}

#[test]
fn people_see_the_host_and_no_credentials() {
    let secret = "http://canary-1:canary-2@proxy.example:3128";
    assert_eq!(HttpProxy.shown(&secret.into()), r#""http://<redacted>@proxy.example:3128""#);
    assert_eq!(HttpProxy.shown(&"proxy:80".into()), r#""http://proxy:80""#);
    assert_eq!(HttpProxy.shown(&"none".into()), r#""none""#);
    let shown = format!("{:?} {0}", proxy(secret));
    assert!(!shown.contains("canary") && !shown.contains(&BASE64.encode("canary-1:")[..10]), "{shown}");
}

fn covers(item: &str, url: &str) -> bool {
    NoProxy.parse(&item.into()).unwrap().covers(&url.parse().unwrap())
}

#[test]
fn a_domain_stands_for_all_below_it() {
    for item in ["example.com", ".example.com", "*.example.com", "Example.COM", "example.com.", "*"] {
        for url in [
            "https://example.com",
            "https://api.example.com",
            "https://API.Example.com.",
            "https://a.b.example.com:8443",
        ] {
            assert!(covers(item, url), "{item} {url}");
        }
    }
    for item in ["example.com", ".example.com"] {
        for url in
            ["https://notexample.com", "https://example.com.evil.example", "https://com", "https://10.0.0.1"]
        {
            assert!(!covers(item, url), "{item} {url}");
        }
    }
}

#[test]
fn addresses_and_networks_are_those_of_the_url() {
    for (item, url, covered) in [
        ("10.0.0.1", "https://10.0.0.1", true),
        ("10.0.0.1", "https://10.0.0.2", false),
        ("10.0.0.0/8", "https://10.255.0.1:8443", true),
        ("10.9.9.9/8", "https://10.255.0.1", true),
        ("10.0.0.0/8", "https://11.0.0.1", false),
        ("10.0.0.0/8", "https://10.example.com", false),
        ("0.0.0.0/0", "https://10.0.0.1", true),
        ("2001:db8::/32", "https://[2001:db8::1]", true),
        ("2001:db8::/32", "https://[2001:db9::1]", false),
        ("[2001:db8::1]", "https://[2001:db8::1]", true),
        ("2001:db8::1", "https://[2001:DB8:0::1]", true),
        ("*", "https://10.0.0.1", true),
        ("*", "https://[2001:db8::1]", true),
    ] {
        assert_eq!(covers(item, url), covered, "{item} {url}");
    }
}

#[test]
fn a_port_narrows_it_down() {
    for (item, url, covered) in [
        ("example.com:443", "https://api.example.com", true),
        ("example.com:443", "https://api.example.com:443", true),
        ("example.com:443", "https://api.example.com:8443", false),
        ("*:8443", "https://api.example.com:8443", true),
        ("10.0.0.1:8443", "https://10.0.0.1", false),
        ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443", true),
    ] {
        assert_eq!(covers(item, url), covered, "{item} {url}");
    }
}

#[test]
fn what_is_no_host_is_refused() {
    for item in [
        "",
        "<local>",
        "a b",
        "10.0.0.0/33",
        "10.0.0.0/+8",
        "10.0.0.0/",
        "a/8",
        "x:0",
        "x:port",
        "**",
        "*x",
        ".",
    ] {
        assert!(NoProxy.parse(&item.into()).is_err(), "{item}");
    }
}

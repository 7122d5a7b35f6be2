//! Which proxy the API is reached through, and how it is shown.

use super::{outcome, refusal};

const STAGING: [(&str, &str); 2] = [("LIQUID_ENVIRONMENT", "staging"), ("LIQUID_API_KEY", "key-1")];

/// What the API is reached through in staging, and the line of `check` that tells of the key.
fn chosen(file: &str, given: &[(&str, &str)]) -> (Option<String>, Option<(String, String)>) {
    let loaded = outcome(file, &[&STAGING, given].concat()).unwrap();
    let setting = loaded.settings.iter().find(|setting| setting.key == "upstream.proxy");
    let told = setting.map(|setting| (setting.value.clone(), setting.source.to_string()));
    (loaded.config.upstream.proxy.map(|proxy| proxy.to_string()), told)
}

#[test]
fn the_variables_of_all_programs_are_used_and_named() {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let (proxy, told) = chosen("", &[(name, "http://canary:canary@proxy:3128")]);
        assert_eq!(proxy.as_deref(), Some("proxy:3128"));
        assert_eq!(told, Some((r#""http://<redacted>@proxy:3128""#.into(), name.into())));
    }
    assert_eq!(chosen("", &[("HTTP_PROXY", "http://proxy:3128")]), (None, None));
}

#[test]
fn what_is_said_to_this_program_wins() {
    let shared = ("HTTPS_PROXY", "http://shared:1");
    let file = "upstream.proxy = 'http://file:2'";
    assert_eq!(chosen(file, &[shared]).0.as_deref(), Some("file:2"));
    let ours = ("LIQUID_UPSTREAM__PROXY", "http://ours:3");
    assert_eq!(chosen(file, &[shared, ours]).0.as_deref(), Some("ours:3"));
    let none = [shared, ("LIQUID_UPSTREAM__PROXY", "none")];
    assert_eq!(chosen(file, &none), (None, Some((r#""none""#.into(), "LIQUID_UPSTREAM__PROXY".into()))));
}

#[test]
fn who_needs_no_proxy_has_none() {
    let shared = ("HTTPS_PROXY", "http://proxy:1");
    for exempt in ["*", "liquidcommerce.cloud", ".cloud", "a, staging.api.liquidcommerce.cloud:443"] {
        assert_eq!(chosen("", &[shared, ("NO_PROXY", exempt)]), (None, None), "{exempt}");
        assert_eq!(chosen("", &[shared, ("no_proxy", exempt)]), (None, None), "{exempt}");
        assert_eq!(chosen("", &[shared, ("LIQUID_UPSTREAM__NO_PROXY", exempt)]), (None, None), "{exempt}");
    }
    for other in ["api.example", "staging.api.liquidcommerce.cloud:8443", "10.0.0.0/8"] {
        assert_eq!(chosen("", &[shared, ("NO_PROXY", other)]).0.as_deref(), Some("proxy:1"), "{other}");
    }
    // Ours replaces theirs, as one layer's list does another's.
    let (theirs, ours) = (("NO_PROXY", "*"), ("LIQUID_UPSTREAM__NO_PROXY", "none"));
    assert_eq!(chosen("", &[shared, theirs, ours]).0.as_deref(), Some("proxy:1"));
}

#[test]
fn this_machine_is_never_reached_through_one() {
    for url in ["http://localhost:9000", "https://127.0.0.1:9000", "https://LOCALHOST", "https://[::1]:9000"]
    {
        for (name, value) in [("HTTPS_PROXY", "http://proxy:1"), ("LIQUID_UPSTREAM__PROXY", "http://proxy:1")]
        {
            let given = [&STAGING[..], &[("LIQUID_UPSTREAM__BASE_URL", url), (name, value)]].concat();
            assert!(outcome("", &given).unwrap().config.upstream.proxy.is_none(), "{url}");
        }
    }
    let sandbox = outcome("environment = 'sandbox'", &[("HTTPS_PROXY", "http://proxy:1")]).unwrap();
    assert!(sandbox.config.upstream.proxy.is_none() && !sandbox.to_string().contains("proxy:1"));
}

#[test]
fn a_proxy_that_cannot_be_used_is_told_by_its_variable() {
    let socks = "socks5://canary:canary@proxy:1080";
    let given = [&STAGING[..], &[("ALL_PROXY", socks)]].concat();
    assert_eq!(refusal("", &given), "upstream.proxy is a SOCKS proxy, which is not supported");
    let super::Problems(problems) =
        super::load(&super::Sources { variables: super::variables(&given), ..super::Sources::default() })
            .unwrap_err();
    let told = problems[0].to_string();
    assert!(told.contains("from     ALL_PROXY") && told.contains("`http://host:port`"), "{told}");
    assert!(!told.contains("canary"), "{told}");
    // It may be right for those that it is meant for; what is said to this program is checked.
    for unused in [("NO_PROXY", "*"), ("LIQUID_UPSTREAM__BASE_URL", "http://localhost:9000")] {
        assert!(outcome("", &[&given[..], &[unused]].concat()).is_ok());
        let ours = [&STAGING[..], &[unused, ("LIQUID_UPSTREAM__PROXY", socks)]].concat();
        assert_eq!(refusal("", &ours), "upstream.proxy is a SOCKS proxy, which is not supported");
    }
    let items = [&STAGING[..], &[("LIQUID_UPSTREAM__NO_PROXY", "a, <local>")]].concat();
    assert!(
        refusal("", &items).starts_with("upstream.no_proxy item 2 is neither"),
        "{}",
        refusal("", &items)
    );
}

#[test]
fn a_list_for_a_whole_company_is_taken() {
    let list = (0..900).map(|n| format!("host-{n}.example")).collect::<Vec<_>>().join(",");
    let (proxy, _) = chosen("", &[("HTTPS_PROXY", "http://proxy:1"), ("NO_PROXY", &list)]);
    assert_eq!(proxy.as_deref(), Some("proxy:1"));
}

proptest::proptest! {
    #[test]
    fn no_part_of_a_password_is_ever_shown(
        scheme in "(http|https|socks5|x)?(://)?",
        before in "[^/@\\pC]{0,3}",
        after in "\\PC{0,3}",
        rest in "@?(proxy|[::1])?(:3128|:x)?(/[a-z]?)?",
        name in "HTTPS_PROXY|all_proxy|LIQUID_UPSTREAM__PROXY|NO_PROXY|LIQUID_UPSTREAM__PROXI",
    ) {
        use proptest::prelude::*;

        // Without the `@` there is no password but a host, which is shown.
        prop_assume!(rest.starts_with('@'));
        let value = format!("{scheme}{before}:canary-9431{after}{rest}");
        let given = [&STAGING[..], &[(name.as_str(), value.as_str())]].concat();
        let variables = super::variables(&given);
        let told = match super::load(&super::Sources { variables, ..super::Sources::default() }) {
            Ok(loaded) => format!("{loaded} {loaded:?}"),
            Err(problems) => format!("{problems} {problems:?}"),
        };
        prop_assert!(!told.contains("canary"), "{told}");
    }
}

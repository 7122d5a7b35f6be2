//! A search for secrets in whatever the proxy shows, in every form that they could have got there.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode;

/// Of a long secret a part is bad enough: this many bytes of its beginning or end are looked for.
const PART: usize = 24;

/// What must not be seen, and the forms in which it is looked for.
pub struct Secrets {
    forms: Vec<(String, Vec<u8>)>,
}

impl Secrets {
    /// Looks for these, each under the name that a finding is told by.
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut forms = Vec::new();
        for (name, secret) in secrets {
            assert!(secret.len() > 8, "{name} is too short to be told from chance");
            let bytes = secret.as_bytes();
            let parts = [&bytes[..bytes.len().min(PART)], &bytes[bytes.len().saturating_sub(PART)..]];
            for part in parts {
                forms.push((format!("{name}, plain"), part.to_vec()));
                forms.push((format!("{name}, hex"), hex(part)));
                forms.push((format!("{name}, numbers"), numbers(part)));
                forms.extend(base64(part).map(|form| (format!("{name}, base64"), form)));
            }
        }
        Self { forms }
    }

    /// The API key of the tests and every token that a sandbox has handed out.
    pub fn of_sandbox(handle: &liquid_auth_proxy::sandbox::Handle) -> Self {
        let tokens = handle.tokens();
        let named = tokens.iter().map(|token| ("a token", token.as_str()));
        Self::new(named.chain([("the key", super::daemon::KEY)]))
    }

    /// Panics when `text` holds any of them.
    pub fn assert_absent(&self, where_from: &str, text: impl AsRef<[u8]>) {
        let found = self.found(text.as_ref());
        assert!(found.is_empty(), "{where_from} holds {found:?}");
    }

    /// What `text` holds of them, also behind percent escapes or those of JSON.
    pub fn found(&self, text: &[u8]) -> Vec<&str> {
        let unescaped = percent_decode(text).collect::<Vec<_>>();
        let unquoted = text.iter().copied().filter(|byte| *byte != b'\\').collect::<Vec<_>>();
        let holds = |form: &[u8]| {
            [text, &unescaped, &unquoted].iter().any(|text| memchr::memmem::find(text, form).is_some())
        };
        self.forms.iter().filter(|(_, form)| holds(form)).map(|(name, _)| name.as_str()).collect()
    }
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

/// What the `Debug` of a list of bytes makes of them.
fn numbers(bytes: &[u8]) -> Vec<u8> {
    let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
    numbers.join(", ").into_bytes()
}

/// How the bytes look inside of base64 of something longer: at each of the three places that they can
/// have in a group, in both alphabets, without the characters that the neighbours have a part in.
fn base64(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..3).flat_map(move |before| {
        let padded = [&[0; 2][..before.min(2)], bytes].concat();
        let whole = padded.len() / 3 * 4;
        [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)]
            .map(|text| text.as_bytes()[before.div_ceil(3) * 4..whole].to_vec())
    })
}

#[test]
fn each_form_is_found_and_nothing_else() {
    let secret = "s3cret/of+some~length";
    let secrets = Secrets::new([("it", secret)]);
    let escaped: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut forms = vec![
        format!("…{secret}…"),
        format!("a=%20{escaped}"),
        secret.replace('/', "\\/"),
        String::from_utf8(hex(secret.as_bytes())).unwrap(),
        format!("{:?}", format!("a{secret}b").as_bytes()),
    ];
    for before in ["", "a", "ab", "abc", "user:"] {
        forms.push(STANDARD_NO_PAD.encode(format!("{before}{secret}:after")));
        forms.push(URL_SAFE_NO_PAD.encode(format!("{before}{secret}")));
    }
    for form in &forms {
        assert!(!secrets.found(form.as_bytes()).is_empty(), "{form}");
    }
    assert_eq!(secrets.found(b"s3cret/of some other length, Bearer placeholder"), [""; 0]);

    let long = "0123456789".repeat(60);
    let cut = format!("{}…", &long[..40]);
    assert_eq!(Secrets::new([("long", long.as_str())]).found(cut.as_bytes()).first(), Some(&"long, plain"));
}

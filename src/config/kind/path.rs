//! Prefixes of request paths. They decide about credentials and about sending twice, so they are
//! taken only where every server reads them alike.

use config::ValueKind;

use super::{Kind, Parse, Refusal, text};

/// The characters of a segment: those of RFC 3986, section 3.3, without escapes and without `;`, at
/// which some servers end a segment.
const PUNCTUATION: &str = "-._~!$&'()*+,=:@";

/// The beginning of a path, in whole segments.
pub(in crate::config) struct PathPrefix;

impl Kind for PathPrefix {
    fn allowed(&self) -> String {
        "plain paths such as `/orders`".into()
    }
}

impl Parse for PathPrefix {
    type Value = String;

    fn parse(&self, value: &ValueKind) -> Result<String, Refusal> {
        let path = text(value)?;
        match path {
            "/" => Err(Refusal::new("names no segment")),
            _ => plain(path).map(str::to_owned),
        }
    }
}

/// `/` and segments with one `/` between them, none of which could mean something else.
fn plain(path: &str) -> Result<&str, Refusal> {
    let Some(segments) = path.strip_prefix('/') else {
        return Err(Refusal::new("does not begin with a slash"));
    };
    if segments.ends_with('/') {
        return Err(Refusal::new("ends with a slash"));
    }
    for segment in segments.split('/') {
        match segment {
            "" => return Err(Refusal::new("has an empty segment")),
            "." | ".." => return Err(Refusal::new("has a segment of dots")),
            _ => {}
        }
        if !segment.chars().all(|c| c.is_ascii_alphanumeric() || PUNCTUATION.contains(c)) {
            let what = format!("has a character that is no letter, no digit and none of {PUNCTUATION}");
            return Err(Refusal::new(what));
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_plain() {
        for path in ["/orders", "/api/orders", "/a/b.c/~d", "/orders:list", "/a,b"] {
            assert_eq!(PathPrefix.parse(&path.into()).as_deref(), Ok(path));
        }
        for (path, why) in [
            ("", "is empty"),
            ("orders", "begin with a slash"),
            ("https://host/orders", "begin with a slash"),
            (" /orders", "begin with a slash"),
            ("/", "no segment"),
            ("//", "ends with a slash"),
            ("/orders/", "ends with a slash"),
            ("//orders", "empty segment"),
            ("/api//orders", "empty segment"),
            ("/./orders", "dots"),
            ("/orders/..", "dots"),
            ("/%6Frders", "character"),
            ("/orders;x", "character"),
            ("/orders?x=1", "character"),
            ("/orders#x", "character"),
            ("/api\\orders", "character"),
            ("/orders ", "character"),
            ("/commandé", "character"),
        ] {
            let refusal = PathPrefix.parse(&path.into()).unwrap_err();
            assert!(refusal.what.contains(why), "{path}: {refusal:?}");
        }
    }
}

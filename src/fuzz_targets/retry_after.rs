//! When to come back, read from any headers.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::split;
use crate::proxy::retry_after::{MAX, Origin, retry_after as read};

/// The headers that are read, by the letter that stands for each.
const NAMES: [(u8, &str); 5] = [
    (b'r', "retry-after"),
    (b'l', "ratelimit-reset"),
    (b'x', "x-ratelimit-reset"),
    (b'i', "ratelimit"),
    (b'd', "date"),
];

/// Four bytes of the local clock, and lines: a letter for the name, the value.
pub fn retry_after(data: &[u8]) {
    let Some((clock, mut rest)) = data.split_first_chunk() else { return };
    let now = UNIX_EPOCH + Duration::from_secs(u64::from(u32::from_be_bytes(*clock)));
    let mut headers = HeaderMap::new();
    while let [letter, ..] = rest {
        let (line, behind) = split(rest, b'\n');
        rest = behind;
        let name = NAMES.iter().find(|(known, _)| known == letter).map(|(_, name)| *name);
        let value = line.get(1..).and_then(|value| HeaderValue::from_bytes(value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }

    let found = read(&headers, now);
    assert!(found.wait <= MAX, "{found:?}");
    assert_eq!(found.wait.subsec_nanos(), 0, "{found:?}");
    assert!(found.origin == Origin::RetryAfter || found.wait >= Duration::from_secs(1), "{found:?}");
    if found.origin == Origin::Default {
        return;
    }
    // It was read from the header that it says, and from no other.
    assert!(headers.contains_key(found.origin.as_str()), "{found:?}");
    let mut others = headers.clone();
    others.remove(found.origin.as_str());
    assert_ne!(read(&others, now).origin, found.origin);
    for (_, name) in
        NAMES.iter().filter(|(_, name)| !found.origin.as_str().eq_ignore_ascii_case(name) && *name != "date")
    {
        let mut fewer = headers.clone();
        fewer.remove(*name);
        assert_eq!(read(&fewer, now), found);
    }
}

//! Which of the headers that the data path asks for a message has, told by one look at all of them: most are seldom
//! there, and a search for each costs more.

use http::HeaderMap;

/// A set of headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Present(u32);

macro_rules! headers {
    ($($constant:ident = $name:literal,)*) => {
        headers!(@constants 1; $($constant = $name,)*);

        impl Present {
            /// The set of one, or of none that is asked for. Names are in lower case (`http::HeaderName`).
            fn one(name: &str) -> Self {
                match name {
                    $($name => Self::$constant,)*
                    _ => Self(0),
                }
            }
        }

        #[cfg(test)]
        const ALL: &[(&str, Present)] = &[$(($name, Present::$constant),)*];
    };
    (@constants $bit:expr; $constant:ident = $name:literal, $($rest:tt)*) => {
        impl Present {
            pub(super) const $constant: Self = Self($bit);
        }
        headers!(@constants $bit << 1; $($rest)*);
    };
    (@constants $bit:expr;) => {};
}

headers! {
    AUTHORIZATION = "authorization",
    CONNECTION = "connection",
    CONTENT_LENGTH = "content-length",
    COOKIE = "cookie",
    EXPECT = "expect",
    HTTP2_SETTINGS = "http2-settings",
    KEEP_ALIVE = "keep-alive",
    API_KEY = "x-liquid-api-key",
    ORIGIN = "origin",
    PROXY_AUTHENTICATE = "proxy-authenticate",
    PROXY_AUTHORIZATION = "proxy-authorization",
    PROXY_CONNECTION = "proxy-connection",
    SEC_FETCH_SITE = "sec-fetch-site",
    TE = "te",
    TRANSFER_ENCODING = "transfer-encoding",
    UPGRADE = "upgrade",
}

impl Present {
    /// Those that a message has.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        headers.keys().fold(Self(0), |all, name| all.or(Self::one(name.as_str())))
    }

    /// Those of both.
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of these are among them.
    pub(super) const fn any(self, these: Self) -> bool {
        self.0 & these.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::token::API_KEY_HEADER;

    #[test]
    fn it_holds_what_is_there_and_nothing_else() {
        for (there, bit) in ALL {
            let mut headers = HeaderMap::new();
            headers.insert("x-other", HeaderValue::from_static("1"));
            assert_eq!(Present::of(&headers), Present(0));
            let name = HeaderName::from_bytes(there.to_ascii_uppercase().as_bytes()).unwrap();
            headers.append(&name, HeaderValue::from_static("1"));
            headers.append(&name, HeaderValue::from_static("2"));
            assert_eq!(Present::of(&headers), *bit, "{there}");
            for (other, one) in ALL {
                assert_eq!(Present::of(&headers).any(*one), other == there, "{other}");
            }
        }
        assert_eq!(Present::one(API_KEY_HEADER.as_str()), Present::API_KEY);
    }
}

//! A secret that others must show, and that may change while it is in use.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use subtle::ConstantTimeEq;

use super::Secret;

/// What is compared with what others show. All clones see the same secret.
#[derive(Clone)]
pub struct Shared(Arc<RwLock<Secret>>);

impl Shared {
    /// Wants `secret` to be shown.
    pub fn new(secret: Secret) -> Self {
        Self(Arc::new(RwLock::new(secret)))
    }

    /// Whether `shown` is the secret. The time that this takes tells nothing but its length.
    pub fn is(&self, shown: &[u8]) -> bool {
        let secret = self.0.read().unwrap_or_else(PoisonError::into_inner);
        secret.expose().as_bytes().ct_eq(shown).into()
    }

    /// Wants another secret from now on.
    pub fn replace(&self, secret: Secret) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = secret;
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::parse(text.to_owned()).unwrap()
    }

    #[test]
    fn only_the_secret_itself_will_do() {
        let shared = Shared::new(secret("open sesame".replace(' ', "-").as_str()));
        assert!(shared.is(b"open-sesame"));
        for other in [&b""[..], b"open-sesam", b"open-sesame ", b"Open-sesame", b"open-sesamf"] {
            assert!(!shared.is(other));
        }
        let clone = shared.clone();
        clone.replace(secret("another"));
        assert!(shared.is(b"another") && !shared.is(b"open-sesame"));
        assert_eq!(format!("{shared:?}"), "Shared(redacted)");
    }
}

//! Who gets a token, and for how long it is good.
//!
//! A token is opaque and unguessable, and about as long as a real one: a proxy that has room only
//! for short ones must fail here, not in production.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Settings;
use super::shelf::Shelf;

/// How many tokens are kept; the oldest stops being valid when there are more.
const TOKENS_KEPT: usize = 4096;
/// Random bytes in a token: 600 characters once they are written in base64.
const TOKEN_BYTES: usize = 450;

/// Which API a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Everything but orders.
    Api,
    /// Paths below `/orders`.
    Orders,
}

/// A token that was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) token: String,
    /// How much of its life is left.
    pub(super) left: Duration,
}

#[derive(Debug)]
struct Issued {
    audience: Audience,
    at: Instant,
    lifetime: Duration,
    revoked: bool,
}

impl Issued {
    fn left(&self, now: Instant) -> Duration {
        if self.revoked {
            return Duration::ZERO;
        }
        self.lifetime.saturating_sub(now.saturating_duration_since(self.at))
    }
}

/// The tokens' keeper.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) api_key: String,
    pub(super) orders_user_id: String,
    pub(super) orders_password: String,
    pub(super) token_lifetime: Duration,
    pub(super) orders_token_lifetime: Duration,
    issued: Shelf<Issued>,
}

impl Issuer {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            api_key: settings.api_key,
            orders_user_id: settings.orders_user_id,
            orders_password: settings.orders_password,
            token_lifetime: settings.token_lifetime,
            orders_token_lifetime: settings.orders_token_lifetime,
            issued: Shelf::new(TOKENS_KEPT),
        }
    }

    /// Hands out a new token.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(super) fn issue(&mut self, audience: Audience, now: Instant) -> Result<Grant, getrandom::Error> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes)?;
        let token = URL_SAFE_NO_PAD.encode(bytes);
        let lifetime = match audience {
            Audience::Api => self.token_lifetime,
            Audience::Orders => self.orders_token_lifetime,
        };
        self.issued.put(token.clone(), Issued { audience, at: now, lifetime, revoked: false });
        Ok(Grant { token, left: lifetime })
    }

    /// Hands out the last token again while more than a tenth of its life is left, else a new one.
    ///
    /// # Errors
    /// As for [`Issuer::issue`].
    pub(super) fn reissue(&mut self, audience: Audience, now: Instant) -> Result<Grant, getrandom::Error> {
        let last = self.issued.keys().rev().find_map(|token| {
            let issued = self.issued.get(token).filter(|issued| issued.audience == audience)?;
            Some((token, issued.left(now), issued.lifetime))
        });
        match last {
            Some((token, left, lifetime)) if left > lifetime / 10 => Ok(Grant { token: token.clone(), left }),
            _ => self.issue(audience, now),
        }
    }

    /// Which API a token is for, if it was issued here, was not revoked and has not expired.
    pub(super) fn audience(&self, token: &str, now: Instant) -> Option<Audience> {
        let issued = self.issued.get(token)?;
        (!issued.left(now).is_zero()).then_some(issued.audience)
    }

    pub(super) fn revoke_all(&mut self) {
        self.issued.values_mut().for_each(|issued| issued.revoked = true);
    }

    /// Every token that is still kept, valid or not, oldest first.
    pub(super) fn tokens(&self) -> Vec<String> {
        self.issued.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer() -> (Issuer, Instant) {
        let lifetime = Duration::from_secs(100);
        (Issuer::new(Settings { token_lifetime: lifetime, ..Settings::default() }), Instant::now())
    }

    #[test]
    fn a_token_is_good_until_its_end() {
        let (mut issuer, start) = issuer();
        let grant = issuer.issue(Audience::Api, start).unwrap();
        assert_eq!(grant.left, Duration::from_secs(100));
        assert_eq!(issuer.audience(&grant.token, start + Duration::from_millis(99_999)), Some(Audience::Api));
        assert_eq!(issuer.audience(&grant.token, start + Duration::from_secs(100)), None);
    }

    #[test]
    fn tokens_are_long_differ_and_fit_in_a_header() {
        let (mut issuer, start) = issuer();
        let first = issuer.issue(Audience::Api, start).unwrap().token;
        let second = issuer.issue(Audience::Orders, start).unwrap().token;
        assert_eq!(first.len(), 600);
        assert_ne!(first, second);
        assert!(first.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(issuer.tokens(), [first, second]);
    }

    #[test]
    fn a_new_lifetime_is_for_new_tokens() {
        let (mut issuer, start) = issuer();
        let old = issuer.issue(Audience::Api, start).unwrap();
        issuer.token_lifetime = Duration::from_secs(2);
        let new = issuer.issue(Audience::Api, start).unwrap();
        let later = start + Duration::from_secs(3);
        assert_eq!(issuer.audience(&old.token, later), Some(Audience::Api));
        assert_eq!(issuer.audience(&new.token, later), None);
    }

    #[test]
    fn a_revoked_token_is_refused_but_remembered() {
        let (mut issuer, start) = issuer();
        let grant = issuer.issue(Audience::Api, start).unwrap();
        issuer.revoke_all();
        assert_eq!(issuer.audience(&grant.token, start), None);
        assert_eq!(issuer.tokens(), [grant.token]);
    }

    #[test]
    fn the_same_token_comes_again_until_near_its_end() {
        let (mut issuer, start) = issuer();
        let first = issuer.reissue(Audience::Api, start).unwrap();
        let orders = issuer.reissue(Audience::Orders, start).unwrap();
        assert_ne!(first.token, orders.token);
        let again = issuer.reissue(Audience::Api, start + Duration::from_secs(80)).unwrap();
        assert_eq!(again, Grant { token: first.token.clone(), left: Duration::from_secs(20) });
        let near = issuer.reissue(Audience::Api, start + Duration::from_secs(91)).unwrap();
        assert_ne!(near.token, first.token);
        issuer.revoke_all();
        assert_ne!(issuer.reissue(Audience::Api, start).unwrap().token, near.token);
    }
}

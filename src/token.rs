//! Tokens: the vocabulary that the files below share.
//!
//! A [`Credential`] is exchanged for a [`Grant`] ([`exchange`]); one task for each credential
//! ([`manager`]) decides when ([`schedule`]) and publishes a [`State`]; the data path sees it through
//! a [`cell`], which can also nudge the task.

pub mod cell;
pub mod clock;
pub mod exchange;
pub mod grant;
pub mod manager;
pub mod schedule;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use self::clock::Deadline;
pub use self::clock::Moment;
pub use self::grant::{Grant, GrantError, Times};
use crate::secret::Secret;

/// The header that carries the API key (wire contract, "Getting an access token").
pub const API_KEY_HEADER: HeaderName = HeaderName::from_static("x-liquid-api-key");

/// What is exchanged for tokens. Each has a task, a state and metrics of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// The API key (wire contract, "Getting an access token").
    Api,
    /// User and password of the Orders API (wire contract, "The Orders API has its own credential").
    Orders,
}

impl Credential {
    /// Its name in metrics, latches and status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Orders => "orders",
        }
    }
}

/// Which of the tokens that a credential has had: a later one has a greater number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u64);

impl Generation {
    /// The generation after this one; the first one after `None`.
    pub fn after(previous: Option<Self>) -> Self {
        Self(previous.map_or(1, |Self(number)| number + 1))
    }

    /// What every token is newer than.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self(0)
    }

    #[cfg(test)]
    pub(crate) fn next(self) -> Self {
        Self::after(Some(self))
    }

    /// Its number, from 1.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// A token in use.
#[derive(Debug)]
pub struct Token {
    /// Which one it is.
    pub generation: Generation,
    /// `Bearer …`, marked sensitive (RFC 6750, section 2.1).
    pub authorization: HeaderValue,
    /// The API key that it, or the token before it, was exchanged for, marked sensitive.
    pub api_key: Option<HeaderValue>,
    /// The server's `exp`, Unix milliseconds by the server's clock.
    pub expires_at_ms: u64,
    /// How long it lives in all.
    pub lifetime: Duration,
    /// When its life began: when the request for it was sent.
    pub requested: Moment,
    /// When it must no longer be used.
    pub end: Deadline,
}

impl Token {
    /// The token of a grant. One that came in band was got with the key of the token before it.
    pub fn new(generation: Generation, grant: &Grant, previous: Option<&Self>) -> Self {
        let key = grant.key.as_ref().map(|key| header_value("", key));
        Self {
            generation,
            authorization: bearer(&grant.token),
            api_key: key.or_else(|| previous.and_then(|token| token.api_key.clone())),
            expires_at_ms: grant.expires_at_ms,
            lifetime: grant.lifetime,
            requested: grant.requested,
            end: grant.requested.after(grant.lifetime),
        }
    }

    /// This token with the end that `grant`, which holds the same one, gives it. Its life stays the
    /// longest that it was given, up to that end: it would seem short else whenever an answer came faster.
    pub fn until(&self, grant: &Grant) -> Self {
        let lifetime = self.lifetime.max(grant.lifetime);
        let requested = grant.requested.earlier(lifetime - grant.lifetime);
        Self { lifetime, requested, ..Self::new(self.generation, grant, Some(self)) }
    }

    /// Whether this is the very token of `grant`.
    pub fn is_of(&self, grant: &Grant) -> bool {
        self.authorization == bearer(&grant.token)
    }
}

/// `Bearer …` (RFC 6750, section 2.1), marked sensitive.
fn bearer(token: &Secret) -> HeaderValue {
    header_value("Bearer ", token)
}

/// A header's value that holds a secret behind `prefix`, marked sensitive.
pub fn header_value(prefix: &str, secret: &Secret) -> HeaderValue {
    // A secret is visible ASCII (see `Secret`), so it always fits a header.
    // Made in one piece, as one that grows leaves copies behind; its own memory is the library's.
    let mut value = HeaderValue::try_from([prefix, secret.expose()].concat())
        .unwrap_or_else(|_| HeaderValue::from_static("unusable"));
    value.set_sensitive(true);
    value
}

/// What a manager publishes.
#[derive(Debug, Clone)]
pub struct View {
    /// The token, or why there is none.
    pub state: State,
    /// How many exchanges have begun.
    pub begun: u64,
    /// How many exchanges have ended, whatever came of them.
    pub ended: u64,
    /// Whether the next token is to be asked for in an app's own request.
    pub in_band: bool,
}

/// What is known of a credential's token.
#[derive(Debug, Clone)]
pub enum State {
    /// The first exchange has not ended yet.
    Initializing,
    /// There is a token. It may be used until its end, whatever its renewal is going through.
    Available {
        /// The token.
        token: Arc<Token>,
        /// Why its renewal fails, if it does.
        renewal: Option<Arc<Trouble>>,
    },
    /// There is no token that may be used.
    Unavailable(Arc<Trouble>),
}

/// Why there is no (new) token. Its text is for people and holds nothing secret.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// What kind of trouble.
    pub kind: TroubleKind,
    /// What happened.
    pub message: String,
    /// How many attempts in a row have failed.
    pub attempts: u32,
    /// When the next attempt is due.
    pub retry_at: Deadline,
}

/// What an app is told about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// The API refuses the credential: waiting does not help, another key does.
    Refused,
    /// The authentication endpoint answered 429.
    RateLimited,
    /// No answer, or none that can be used. Waiting helps.
    Failing,
}

#[cfg(test)]
mod tests {
    use super::clock::Clock;
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn names_and_numbers_are_what_others_see() {
        assert_eq!([Credential::Api, Credential::Orders].map(Credential::as_str), ["api", "orders"]);
        let first = Generation::after(None);
        assert_eq!([first, first.next(), first.next().next()].map(Generation::number), [1, 2, 3]);
    }

    fn grant(clock: &Clock, lifetime: Duration) -> Grant {
        let token = Secret::parse("token-1".into()).unwrap();
        Grant { token, expires_at_ms: 7, lifetime, requested: clock.now(), skew_ms: None, key: None }
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_token_keeps_its_life_when_it_ends_later() {
        let clock = Clock::scripted();
        let start = clock.now();
        let token = Token::new(Generation::after(None), &grant(&clock, HOUR), None);
        tokio::time::advance(HOUR / 2).await;
        let little = token.until(&grant(&clock, HOUR / 2 + Duration::from_millis(20)));
        assert_eq!(little.generation, token.generation);
        assert_eq!(little.lifetime, HOUR, "an answer that came faster makes no life short");
        assert_eq!(little.requested.since(start), Duration::from_millis(20));
        assert_eq!(little.end.remaining(start), HOUR + Duration::from_millis(20));
        let much = token.until(&grant(&clock, 2 * HOUR));
        assert_eq!((much.lifetime, much.requested.since(start)), (2 * HOUR, HOUR / 2));
        assert_eq!(much.end.remaining(clock.now()), 2 * HOUR);
    }
}

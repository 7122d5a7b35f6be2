//! What the API hands out for a credential, read from its answers: pure.
//!
//! The envelope (`data.token`, `data.exp`, `metadata.timestamp`), the two bare shapes on record and
//! the `auth` of a refresh in band are all understood (wire contract, "Getting an access token",
//! "Refreshing in band" and "The Orders API has its own credential").

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Number, Value};
use zeroize::Zeroize;

use super::clock::Moment;
use crate::secret::Secret;

/// Below this, `exp` is a number of seconds from now.
const FIRST_UNIX_SECOND: u64 = 1_000_000_000;

/// From here on, `exp` is in Unix milliseconds; below, in Unix seconds.
const FIRST_UNIX_MILLISECOND: u64 = 100_000_000_000;

/// The life of a token whose answer does not tell it: the shortest on record.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

/// No life longer than this is believed.
const MAX_LIFETIME: Duration = Duration::from_secs(31 * 86_400);

/// A token and its life, as the server sees it.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The token itself.
    pub token: Secret,
    /// The end of `lifetime` by the server's clock, Unix milliseconds: its `exp`, where that can be believed.
    pub expires_at_ms: u64,
    /// How long it lives, counted from `requested`.
    pub lifetime: Duration,
    /// When the request for it was sent: the token cannot be older than that.
    pub requested: Moment,
    /// How far the server's clock is ahead of ours, milliseconds; `None` where it did not say.
    pub skew_ms: Option<i64>,
    /// The API key that it was exchanged for, where it was.
    pub key: Option<Secret>,
}

/// The times that an answer is read against.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// When the request was sent.
    pub requested: Moment,
    /// The answer's `Date` header, where it has one.
    pub date: Option<SystemTime>,
    /// The local clock when the answer came.
    pub now: SystemTime,
}

/// Why an answer cannot be used. Holds no part of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// No body.
    #[error("is empty")]
    Empty,
    /// No JSON object.
    #[error("is not the JSON object that it should be")]
    NotJson,
    /// No token, or an empty one.
    #[error("holds no token")]
    NoToken,
    /// Not a [`Secret`].
    #[error("holds a token that no header can carry")]
    UnusableToken,
    /// `exp` is not after the server's own time.
    #[error("holds a token that has ended already")]
    Ended,
}

impl Grant {
    /// Reads an authentication endpoint's answer.
    pub fn from_answer(body: &[u8], times: Times) -> Result<Self, GrantError> {
        Self::read(body, times, |answer| match answer.get("data") {
            Some(data) if token(data).is_some() => Some(data),
            _ => Some(answer),
        })
    }

    /// Reads the `auth` beside the data of an answer to a request that asked for a refresh in band.
    pub fn from_in_band(body: &[u8], times: Times) -> Result<Self, GrantError> {
        Self::read(body, times, |answer| answer.get("auth"))
    }

    fn read(body: &[u8], times: Times, choose: fn(&Value) -> Option<&Value>) -> Result<Self, GrantError> {
        if body.trim_ascii().is_empty() {
            return Err(GrantError::Empty);
        }
        // Only what is needed is looked at: any other member may be as it likes.
        let answer = Answer(serde_json::from_slice(body).map_err(|_| GrantError::NotJson)?);
        let Answer(answer) = &answer;
        if !answer.is_object() {
            return Err(GrantError::NotJson);
        }
        let timestamp = answer.get("metadata").and_then(|metadata| number(metadata.get("timestamp")?));
        let payload = choose(answer).ok_or(GrantError::NoToken)?;
        let token = token(payload).ok_or(GrantError::NoToken)?.to_owned();
        let exp = payload.get("exp").or_else(|| payload.get("expiresIn")).and_then(number);
        let token = Secret::parse(token).map_err(|_| GrantError::UnusableToken)?;

        let local_ms = unix_ms(times.now);
        let server_ms =
            timestamp.and_then(|n| whole(&n)).map(milliseconds).or_else(|| times.date.map(unix_ms));
        let reference_ms = server_ms.unwrap_or(local_ms);
        if exp.as_ref().and_then(Number::as_f64).is_some_and(|exp| exp < 0.0) {
            // Seconds from now, and before now.
            return Err(GrantError::Ended);
        }
        let claimed_ms = match exp.and_then(|exp| whole(&exp)) {
            Some(exp) if exp >= FIRST_UNIX_MILLISECOND => exp,
            Some(exp) if exp >= FIRST_UNIX_SECOND => exp * 1000,
            Some(exp) => reference_ms + exp * 1000,
            None => reference_ms + DEFAULT_LIFETIME.as_millis() as u64,
        };
        let lifetime = Duration::from_millis(claimed_ms.saturating_sub(reference_ms)).min(MAX_LIFETIME);
        if lifetime.is_zero() {
            return Err(GrantError::Ended);
        }
        // Apps are told this end, and the server's time that it is counted from: both must be true.
        let expires_at_ms = reference_ms + lifetime.as_millis() as u64;
        let skew_ms = server_ms.map(|server| server.cast_signed().saturating_sub(local_ms.cast_signed()));
        Ok(Self { token, expires_at_ms, lifetime, requested: times.requested, skew_ms, key: None })
    }
}

/// An answer that holds a token: its texts are wiped when it is dropped.
struct Answer(Value);

impl Drop for Answer {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn token(payload: &Value) -> Option<&str> {
    let token = payload.get("token").or_else(|| payload.get("accessToken"))?.as_str()?;
    (!token.trim().is_empty()).then_some(token)
}

/// A number, or a text that is one.
fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A point in time in Unix milliseconds, whichever of the two units it came in.
fn milliseconds(time: u64) -> u64 {
    if time >= FIRST_UNIX_MILLISECOND { time } else { time * 1000 }
}

/// A number that is not negative, without its fraction; `None` for what no clock shows.
fn whole(number: &Number) -> Option<u64> {
    let value = number.as_u64().or_else(|| {
        let value = number.as_f64()?;
        (value >= 0.0 && value < u64::MAX as f64).then_some(value as u64)
    })?;
    // Far below overflow when it is multiplied, far above any date.
    Some(value.min(u64::MAX / 1_000_000))
}

fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

#[cfg(test)]
mod tests;

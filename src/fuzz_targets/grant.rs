//! The API's answers that hold a token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::secret::MAX_SECRET_BYTES;
use crate::token::clock::Clock;
use crate::token::{Grant, GrantError, Times};

/// No life longer than this is believed.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);

/// What the server's clock may be off by where it was told with a fraction of a second.
const FRACTION_MS: u64 = 1000;

/// Four bytes of the local clock, four of the answer's `Date` (0 where it has none), and its body.
pub fn grant(data: &[u8]) {
    let Some((now, rest)) = data.split_first_chunk() else { return };
    let Some((date, body)) = rest.split_first_chunk() else { return };
    let seconds = |bytes: &[u8; 4]| u64::from(u32::from_be_bytes(*bytes));
    let time = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let date = Some(seconds(date)).filter(|date| *date > 0).map(time);
    let times = Times { requested: Clock::default().now(), date, now: time(seconds(now)) };
    let answer = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);

    let (of_answer, of_auth) = (Grant::from_answer(body, times), Grant::from_in_band(body, times));
    check(&of_answer, answer.as_ref(), times);
    check(&of_auth, answer.as_ref(), times);
    let Some(answer) = answer else { return };
    let token_of =
        |value: Option<&Value>| value.and_then(|v| Some(v.get("token")?.as_str()?.trim().to_owned()));
    if let Ok(grant) = &of_auth {
        let auth = answer.get("auth");
        let token = token_of(auth).or_else(|| Some(auth?.get("accessToken")?.as_str()?.trim().to_owned()));
        assert_eq!(token.as_deref(), Some(grant.token.expose()));
    }
    // An envelope's token goes before what stands beside it.
    if let (Ok(grant), Some(token)) = (&of_answer, token_of(answer.get("data")))
        && !token.is_empty()
    {
        assert_eq!(token, grant.token.expose());
    }
}

fn check(grant: &Result<Grant, GrantError>, answer: Option<&Value>, times: Times) {
    let Ok(grant) = grant else { return };
    let Some(answer) = answer else { panic!("a token of no JSON object") };
    let token = grant.token.expose();
    assert!(!token.is_empty() && token.len() <= MAX_SECRET_BYTES);
    assert!(token.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!grant.lifetime.is_zero() && grant.lifetime <= LONGEST, "{:?}", grant.lifetime);
    assert!(grant.key.is_none());

    // The end is counted from the server's own time: its timestamp, its `Date`, or else the local clock.
    let lifetime = u64::try_from(grant.lifetime.as_millis()).unwrap_or(u64::MAX);
    let Some(begin) = grant.expires_at_ms.checked_sub(lifetime) else { panic!("it ends before time began") };
    let local = unix_ms(times.now);
    let skew = i128::from(begin) - i128::from(local);
    match grant.skew_ms {
        Some(told) => assert_eq!(i128::from(told), skew),
        None => assert!(begin == local && times.date.is_none()),
    }
    let timestamp = answer.get("metadata").and_then(|metadata| metadata.get("timestamp"));
    if timestamp.is_none() {
        assert_eq!(begin, times.date.map_or(local, unix_ms));
    }
    if let Some(told) =
        timestamp.and_then(Value::as_u64).filter(|told| (100_000_000_000..4_000_000_000_000).contains(told))
    {
        assert!(begin.abs_diff(told) < FRACTION_MS);
    }
}

fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

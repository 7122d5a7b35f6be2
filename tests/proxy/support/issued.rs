//! What an API answers to a request for a token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The token that every authentication gives.
pub const TOKEN: &str = "real-token-91c2d7";

/// The answer to a request for a token.
pub fn authentication(token: &str, lifetime: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let body = serde_json::json!({
        "statusCode": 200, "message": "OK", "metadata": { "timestamp": now.as_millis() as u64 },
        "data": { "token": token, "type": "ACCESS_TOKEN", "exp": (now + lifetime).as_millis() as u64 },
    })
    .to_string();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

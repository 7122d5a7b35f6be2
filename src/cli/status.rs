//! `status`: how a running proxy is doing, for people. Scripts read `/status`.

use std::fmt::Write as _;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use super::ask::{self, in_runtime};
use super::{Exit, complain, say};
use crate::config::Address;

/// What is shown of `/status`. The proxy that answers may be of another version: what it does not say is
/// left out.
#[derive(Debug, Deserialize)]
struct Status {
    version: String,
    environment: String,
    ready: bool,
    #[serde(default)]
    uptime_seconds: u64,
    #[serde(default)]
    pending: Vec<Pending>,
    #[serde(default)]
    listen: String,
    #[serde(default)]
    admin: String,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    upstream: String,
    #[serde(default)]
    workers: usize,
    #[serde(default)]
    requests_in_flight: i64,
    #[serde(default)]
    connections_open: i64,
    #[serde(default)]
    credentials: Vec<Credential>,
}

#[derive(Debug, Deserialize)]
struct Pending {
    name: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Credential {
    name: String,
    state: String,
    #[serde(default)]
    source: String,
    remaining_seconds: Option<u64>,
    age_seconds: Option<u64>,
    trouble: Option<Trouble>,
}

#[derive(Debug, Deserialize)]
struct Trouble {
    message: String,
    #[serde(default)]
    attempts: u32,
    #[serde(default)]
    retry_in_seconds: u64,
}

/// Asks once, and prints what comes.
pub(super) fn status(admin: &Address) -> Exit {
    in_runtime(async {
        let why = match ask::get(admin, "/status").await {
            Ok((StatusCode::OK, text)) => match serde_json::from_str::<Status>(&text) {
                Ok(status) => {
                    say(status.summary().trim_end());
                    return Exit::Success;
                }
                Err(_) => format!("what answers at {admin} does not tell a proxy's status"),
            },
            Ok((status, _)) => format!("what answers at {admin} has no status of a proxy: {status}"),
            Err(silence) => silence.to_string(),
        };
        complain(why);
        Exit::Unavailable
    })
}

impl Status {
    fn summary(&self) -> String {
        let mut text = String::new();
        let state = if self.ready { "ready" } else { "not ready" };
        line(&mut text, "proxy", &format!("liquid-auth-proxy {}, {state}", self.version));
        for Pending { name, reason } in &self.pending {
            line(&mut text, "pending", &format!("{name}: {reason}"));
        }
        for warning in &self.warnings {
            line(&mut text, "warning", warning);
        }
        line(&mut text, "environment", &self.environment);
        line(&mut text, "up for", &time(self.uptime_seconds));
        line(&mut text, "apps", &self.listen);
        line(&mut text, "admin", &self.admin);
        line(&mut text, "upstream", &self.upstream);
        line(&mut text, "workers", &self.workers.to_string());
        line(&mut text, "requests", &format!("{} under way", self.requests_in_flight));
        line(&mut text, "connections", &format!("{} open", self.connections_open));
        for credential in &self.credentials {
            text.push('\n');
            credential.summarize(&mut text);
        }
        text
    }
}

impl Credential {
    fn summarize(&self, text: &mut String) {
        line(text, "credential", &self.name);
        line(text, "from", &self.source);
        let token = match (self.remaining_seconds, self.age_seconds) {
            (Some(left), Some(age)) => format!("{}, {} old, {} left", self.state, time(age), time(left)),
            _ => self.state.clone(),
        };
        line(text, "token", &token);
        if let Some(Trouble { message, attempts, retry_in_seconds }) = &self.trouble {
            line(text, "trouble", message);
            let next = time(*retry_in_seconds);
            line(text, "attempts", &format!("{attempts} failed in a row, the next one in {next}"));
        }
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{name:<12} {value}");
}

fn time(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_in_aligned_lines() {
        let status: Status = serde_json::from_str(
            r#"{
                "version": "0.1.0", "environment": "staging", "uptime_seconds": 3725, "now_ms": 1, "ready": false,
                "pending": [{ "name": "credential orders", "reason": "the endpoint answered 503" }],
                "warnings": ["everyone may call"], "listen": "unix:/run/app.sock", "admin": "127.0.0.1:8001", "upstream": "https://api.example/",
                "workers": 2, "requests_in_flight": 3, "connections_open": 4,
                "credentials": [
                    { "name": "api", "source": "/etc/key", "state": "available", "generation": 1,
                      "remaining_seconds": 86399, "age_seconds": 1 },
                    { "name": "orders", "source": "/etc/password", "state": "unavailable",
                      "trouble": { "kind": "failing", "message": "the endpoint answered 503", "attempts": 7,
                                   "retry_in_seconds": 30 } }
                ]
            }"#,
        )
        .unwrap();
        let expected = "\
proxy        liquid-auth-proxy 0.1.0, not ready
pending      credential orders: the endpoint answered 503
warning      everyone may call
environment  staging
up for       1h 2m 5s
apps         unix:/run/app.sock
admin        127.0.0.1:8001
upstream     https://api.example/
workers      2
requests     3 under way
connections  4 open

credential   api
from         /etc/key
token        available, 1s old, 23h 59m 59s left

credential   orders
from         /etc/password
token        unavailable
trouble      the endpoint answered 503
attempts     7 failed in a row, the next one in 30s
";
        assert_eq!(status.summary(), expected);
    }
}

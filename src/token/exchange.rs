//! One exchange: a credential goes to the authentication endpoint, a [`Grant`] comes back.
//!
//! Errors say whether waiting helps. Their texts never hold any part of an answer's body: a careless
//! server may echo the key.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, DATE};
use http::{HeaderMap, StatusCode, Uri};
use reqwest::{Client, redirect};
use rustls::ClientConfig;

use super::clock::Clock;
use super::grant::{Grant, Times};
use super::{API_KEY_HEADER, Credential, header_value};
use crate::proxy::retry_after;
use crate::secret::{SecretError, SecretSource};

/// An exchange takes no longer than this, connecting included.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most that is read of an answer. The documented one has about a kilobyte.
const MAX_ANSWER: usize = 64 * 1024;

/// Asks the authentication endpoint on behalf of one credential.
#[derive(Debug)]
pub struct Exchange {
    client: Client,
    url: String,
    credential: Credential,
    source: SecretSource,
    clock: Clock,
}

/// Why an exchange gave no token.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The API refuses the credential (400, 401 or 403), or it cannot be read: waiting does not help.
    #[error("{message}")]
    Refused {
        /// Which credential, where it came from, and what was said.
        message: String,
    },
    /// The authentication endpoint is rate limited.
    #[error("the authentication endpoint answered 429")]
    RateLimited {
        /// What its headers ask for, at most an hour.
        retry_after: Duration,
    },
    /// No answer, or none that can be used. Waiting helps.
    #[error("{message}")]
    Transient {
        /// What happened.
        message: String,
        /// What its headers ask for, at most an hour.
        retry_after: Option<Duration>,
    },
}

impl ExchangeError {
    /// The outcome's name in metrics.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::RateLimited { .. } => "rate_limited",
            Self::Transient { .. } => "failed",
        }
    }

    fn transient(message: impl Into<String>) -> Self {
        Self::Transient { message: message.into(), retry_after: None }
    }
}

impl Exchange {
    /// An exchange with the API at `base_url` (scheme and authority).
    pub fn new(
        base_url: &Uri,
        tls: ClientConfig,
        connect_timeout: Duration,
        credential: Credential,
        source: SecretSource,
        clock: Clock,
    ) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(connect_timeout)
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            // The next call is half a day away: no connection lives that long.
            .pool_max_idle_per_host(0)
            .build()?;
        let path = match credential {
            Credential::Api => "api/authentication",
        };
        Ok(Self { client, url: format!("{base_url}{path}"), credential, source, clock })
    }

    /// Asks once. A key file is read anew each time.
    pub async fn run(&self) -> Result<Grant, ExchangeError> {
        let secret = self.source.read().map_err(|error| self.unreadable(&error))?;
        let requested = self.clock.now();
        let mut response = self
            .client
            .get(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(API_KEY_HEADER, header_value("", &secret))
            .send()
            .await
            .map_err(|error| ExchangeError::transient(describe(&error)))?;
        self.check(response.status(), response.headers())?;

        let times = Times { requested, date: date(response.headers()), now: SystemTime::now() };
        let body = read(&mut response).await?;
        Grant::from_answer(&body, times).map_err(|error| {
            ExchangeError::transient(format!("the authentication endpoint's answer {error}"))
        })
    }

    fn check(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), ExchangeError> {
        let hint = retry_after::retry_after(headers, SystemTime::now());
        match status {
            _ if status.is_success() => Ok(()),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(ExchangeError::Refused {
                    message: format!(
                        "the API refused the {} from {} ({})",
                        self.what(),
                        self.source,
                        status.as_u16()
                    ),
                })
            }
            StatusCode::TOO_MANY_REQUESTS => Err(ExchangeError::RateLimited { retry_after: hint.wait }),
            _ => Err(ExchangeError::Transient {
                message: format!("the authentication endpoint answered {}", status.as_u16()),
                retry_after: (hint.origin == retry_after::Origin::RetryAfter).then_some(hint.wait),
            }),
        }
    }

    fn unreadable(&self, error: &SecretError) -> ExchangeError {
        ExchangeError::Refused { message: format!("the {} from {}: {error}", self.what(), self.source) }
    }

    fn what(&self) -> &'static str {
        match self.credential {
            Credential::Api => "API key",
        }
    }
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

/// The body, as far as it may go.
async fn read(response: &mut reqwest::Response) -> Result<Vec<u8>, ExchangeError> {
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| ExchangeError::transient(describe(&error)))?
    {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(ExchangeError::transient(format!(
                "the authentication endpoint's answer is longer than {MAX_ANSWER} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What went wrong on the way, down to the cause that tells most.
fn describe(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer from the authentication endpoint in time"
    } else if error.is_connect() {
        "cannot connect to the authentication endpoint"
    } else {
        "the authentication call failed"
    };
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    match cause {
        Some(cause) => format!("{what}: {cause}"),
        None => what.to_owned(),
    }
}

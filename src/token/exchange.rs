//! One exchange: a credential goes to the authentication endpoint, a [`Grant`] comes back.
//!
//! Errors say whether waiting helps. Their texts never hold any part of an answer's body: a careless
//! server may echo the key.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use reqwest::{Client, redirect};
use rustls::ClientConfig;
use zeroize::Zeroizing;

use super::clock::Clock;
use super::grant::{Grant, Times};
use super::{API_KEY_HEADER, Credential, header_value};
use crate::config::Proxy;
use crate::proxy::retry_after;
use crate::secret::{Secret, SecretError, SecretSource};

/// An exchange takes no longer than this, connecting included.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most that is read of an answer. The documented one has about a kilobyte.
const MAX_ANSWER: usize = 64 * 1024;

/// Asks the authentication endpoint on behalf of one credential.
#[derive(Debug)]
pub struct Exchange {
    client: Client,
    /// The proxy on the way, for people.
    proxy: Option<String>,
    url: String,
    login: Login,
    clock: Clock,
}

/// What is sent to the authentication endpoint.
#[derive(Debug, Clone)]
pub enum Login {
    /// The API key, in `X-LIQUID-API-KEY`.
    ApiKey(SecretSource),
    /// User and password of the Orders API, as `Basic` (RFC 7617).
    Orders {
        /// The user.
        user_id: String,
        /// Its password.
        password: SecretSource,
    },
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
    /// An exchange with the API at `base_url` (scheme and authority), through `proxy` if there is one.
    pub fn new(
        base_url: &Uri,
        tls: ClientConfig,
        proxy: Option<&Proxy>,
        connect_timeout: Duration,
        login: Login,
        clock: Clock,
    ) -> Result<Self, reqwest::Error> {
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(connect_timeout)
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            // Whether there is one is decided in the configuration, not by the library.
            .no_proxy()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            // The next call is half a day away: no connection lives that long.
            .pool_max_idle_per_host(0);
        if let Some(proxy) = proxy {
            let mut through = reqwest::Proxy::all(proxy.uri().to_string())?;
            if let Some(authorization) = proxy.authorization() {
                through = through.custom_http_auth(authorization);
            }
            builder = builder.proxy(through);
        }
        let client = builder.build()?;
        let proxy = proxy.map(Proxy::to_string);
        let path = match login {
            Login::ApiKey(_) => "api/authentication",
            Login::Orders { .. } => "api/order-authentication",
        };
        Ok(Self { client, proxy, url: format!("{base_url}{path}"), login, clock })
    }

    /// Asks once. A file with a secret is read anew each time.
    pub async fn run(&self) -> Result<Grant, ExchangeError> {
        let secret = self.login.source().read().map_err(|error| self.login.unreadable(&error))?;
        let (name, value, key) = match &self.login {
            Login::ApiKey(_) => (API_KEY_HEADER, header_value("", &secret), Some(secret)),
            Login::Orders { user_id, .. } => (AUTHORIZATION, basic(user_id, &secret), None),
        };
        let requested = self.clock.now();
        let mut response = self
            .client
            .get(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(name, value)
            .send()
            .await
            .map_err(|error| self.failed(&error))?;
        self.check(response.status(), response.headers())?;

        let times = Times { requested, date: date(response.headers()), now: SystemTime::now() };
        let body = self.read(&mut response).await?;
        let grant = Grant::from_answer(&body, times).map_err(|error| {
            ExchangeError::transient(format!("the authentication endpoint's answer {error}"))
        })?;
        Ok(Grant { key, ..grant })
    }

    fn check(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), ExchangeError> {
        let hint = retry_after::retry_after(headers, SystemTime::now());
        match status {
            _ if status.is_success() => Ok(()),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(ExchangeError::Refused {
                    message: format!("the API refused the {} ({})", self.login, status.as_u16()),
                })
            }
            StatusCode::TOO_MANY_REQUESTS => Err(ExchangeError::RateLimited { retry_after: hint.wait }),
            _ => Err(ExchangeError::Transient {
                message: format!("the authentication endpoint answered {}", status.as_u16()),
                retry_after: (hint.origin == retry_after::Origin::RetryAfter).then_some(hint.wait),
            }),
        }
    }

    /// The body, as far as it may go.
    async fn read(&self, response: &mut reqwest::Response) -> Result<Zeroizing<Vec<u8>>, ExchangeError> {
        // Room for all of it: a buffer that grows leaves copies of the token behind.
        let mut body = Zeroizing::new(Vec::with_capacity(MAX_ANSWER));
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
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
    fn failed(&self, error: &reqwest::Error) -> ExchangeError {
        let what = if error.is_timeout() {
            "no answer from the authentication endpoint in time"
        } else if error.is_connect() {
            "cannot connect to the authentication endpoint"
        } else {
            "the authentication call failed"
        };
        let through =
            self.proxy.as_ref().map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
        let mut cause = error.source();
        while let Some(deeper) = cause.and_then(Error::source) {
            cause = Some(deeper);
        }
        ExchangeError::transient(match cause {
            Some(cause) => format!("{what}{through}: {}", in_words(cause)),
            None => format!("{what}{through}"),
        })
    }
}

impl Login {
    /// Which credential this is.
    pub fn credential(&self) -> Credential {
        match self {
            Self::ApiKey(_) => Credential::Api,
            Self::Orders { .. } => Credential::Orders,
        }
    }

    /// Where its secret comes from.
    pub fn source(&self) -> &SecretSource {
        match self {
            Self::ApiKey(source) | Self::Orders { password: source, .. } => source,
        }
    }

    fn unreadable(&self, error: &SecretError) -> ExchangeError {
        let message = format!("the {self} cannot be used: it {error}");
        match error {
            // The system's trouble passes; that of a file's content does not.
            SecretError::Unreadable { .. } => ExchangeError::transient(message),
            SecretError::Empty | SecretError::TooLong | SecretError::NotVisibleAscii => {
                ExchangeError::Refused { message }
            }
        }
    }
}

/// What it is and where it comes from, never its value.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(source) => write!(f, "API key from {source}"),
            Self::Orders { user_id, password } => {
                write!(f, "Orders password of user {user_id} from {password}")
            }
        }
    }
}

/// `Basic …` (RFC 7617, section 2), marked sensitive.
fn basic(user_id: &str, password: &Secret) -> HeaderValue {
    let pair = Zeroizing::new([user_id, ":", password.expose()].concat());
    let encoded = Zeroizing::new(BASE64.encode(&*pair));
    let mut value = HeaderValue::try_from(["Basic ", &encoded].concat())
        .unwrap_or_else(|_| HeaderValue::from_static("unusable"));
    value.set_sensitive(true);
    value
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

/// What the library says of a tunnel that was not opened, in words that tell whom to ask.
fn in_words(cause: &dyn Error) -> String {
    let text = cause.to_string();
    match text.strip_prefix("tunnel error: ") {
        Some("proxy authorization required") => {
            "the proxy answered 407: it wants a user and password, or others".to_owned()
        }
        Some("unsuccessful") => "the proxy refused, or is no HTTP proxy".to_owned(),
        Some("unexpected end of file") => "the proxy closed the connection".to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests;

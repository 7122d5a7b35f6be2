//! A way through an HTTP proxy: `CONNECT` (RFC 9110, section 9.3.6), and then the connection is the API's.
//!
//! What the proxy says is told apart, as its operator is somebody else: who reads the reason must know
//! whom to ask.

use std::error::Error;

use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::ServiceExt;

use crate::config::Proxy;

/// The most bytes of the proxy's answer: it has a status and little else to say. The library's least.
const MAX_ANSWER: usize = 8 * 1024;

/// Opens tunnels to the API.
#[derive(Debug, Clone)]
pub(super) struct Tunnel {
    proxy: Uri,
    authorization: Option<HeaderValue>,
    source: String,
}

/// Why there is no tunnel. The texts are to be read after the proxy's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum TunnelError {
    /// The proxy itself is not there.
    #[error("the proxy cannot be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// 407: it wants other credentials, or any.
    #[error("the proxy answered 407, {0}")]
    Credentials(String),
    /// Any other answer that is none of success.
    #[error("the proxy refused with {}", .0.as_u16())]
    Refused(StatusCode),
    /// It closed the connection instead of an answer.
    #[error("the proxy closed the connection")]
    Closed(#[source] hyper::Error),
    /// What it sent is no answer.
    #[error("the proxy does not answer as an HTTP proxy does")]
    NotHttp(#[source] hyper::Error),
    /// It said more than its answer. The API speaks only when it is spoken to.
    #[error("the proxy sent data that the API cannot have sent")]
    Excess,
}

impl TunnelError {
    /// The error's type in `Proxy-Status` (RFC 9209, section 2.3); `None` where the cause tells.
    pub(super) fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable(_) => None,
            Self::Credentials(_) => Some("proxy_configuration_error"),
            Self::Refused(_) => Some("destination_unavailable"),
            Self::Closed(_) => Some("connection_terminated"),
            Self::NotHttp(_) | Self::Excess => Some("http_protocol_error"),
        }
    }
}

impl Tunnel {
    pub(super) fn new(proxy: &Proxy) -> Self {
        let source = proxy.source().to_owned();
        Self { proxy: proxy.uri(), authorization: proxy.authorization(), source }
    }

    /// A connection to the API at `api`, which has a host.
    pub(super) async fn open(
        &self,
        tcp: HttpConnector,
        api: &Uri,
    ) -> Result<TokioIo<TcpStream>, TunnelError> {
        let to_proxy = tcp.oneshot(self.proxy.clone()).await;
        let connection = to_proxy.map_err(|error| TunnelError::Unreachable(error.into()))?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_ANSWER)
            // As everyone writes them: some proxies are as old as that.
            .title_case_headers(true)
            .handshake::<_, Empty<Bytes>>(connection)
            .await
            .map_err(failed)?;
        let request = self.request(api);
        let asking = async {
            let answer = sender.send_request(request).await.map_err(failed)?;
            match answer.status() {
                status if status.is_success() => hyper::upgrade::on(answer).await.map_err(failed),
                StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(self.wants_credentials()),
                status => Err(TunnelError::Refused(status)),
            }
        };
        let mut asking = std::pin::pin!(asking);
        let connection = std::pin::pin!(connection.with_upgrades());
        let upgraded = tokio::select! {
            biased;
            upgraded = &mut asking => upgraded,
            // Whatever became of it, the other side has been told.
            _ = connection => asking.await,
        }?;
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) if parts.read_buf.is_empty() => Ok(parts.io),
            _ => Err(TunnelError::Excess),
        }
    }

    fn request(&self, api: &Uri) -> Request<Empty<Bytes>> {
        let host = api.host().unwrap_or_default();
        let authority = format!("{host}:{}", api.port_u16().unwrap_or(443));
        let mut request = Request::new(Empty::new());
        *request.method_mut() = http::Method::CONNECT;
        // What is made of a URL's host and a number is valid as both.
        if let (Ok(uri), Ok(value)) = (authority.parse(), HeaderValue::try_from(&authority)) {
            *request.uri_mut() = uri;
            request.headers_mut().insert(HOST, value);
        }
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        request
    }

    fn wants_credentials(&self) -> TunnelError {
        TunnelError::Credentials(match self.authorization {
            Some(_) => format!("it does not take the user and password of {}", self.source),
            None => format!("it wants a user and password, and {} has none", self.source),
        })
    }
}

fn failed(error: hyper::Error) -> TunnelError {
    if error.is_parse() || error.is_user() {
        return TunnelError::NotHttp(error);
    }
    TunnelError::Closed(error)
}

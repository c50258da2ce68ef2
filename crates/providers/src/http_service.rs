//! Requests to an HTTP service that is no provider: one that hands out credentials, or a collector of traces.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use tokio::time::timeout;
use url::{Position, Url};

use crate::cause::{ConnectCause, LocalResource};
use crate::client::{Client, ClientError, ConnectorError};

/// A longer response is an error.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// An HTTP service, with its idle connections.
#[derive(Debug)]
pub struct HttpService {
    client: Client,
    limit: Duration,
}

/// A whole response. Any status is one.
#[derive(Debug)]
pub struct HttpServiceResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most 64 KiB.
    pub body: Bytes,
}

/// Why a service gave no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpServiceError {
    /// The URL cannot be requested.
    #[error("has no valid address")]
    Address,
    /// No connection could be made.
    #[error("cannot be reached: {0}")]
    Unreachable(ConnectCause),
    /// This machine lacks something (C8).
    #[error("cannot be called: this machine is out of {0}")]
    Local(LocalResource),
    /// The connection was made, and ended or sent no HTTP.
    #[error("ended the connection early")]
    Interrupted,
    /// The response is longer than 64 KiB.
    #[error("sent more than 64 KiB")]
    TooLong,
    /// There was no whole response within the limit.
    #[error("did not answer in time")]
    Timeout,
}

impl HttpService {
    /// A service of this machine or its network, to which no proxy leads. `limit`: for each of its responses.
    ///
    /// # Errors
    /// When the URL has no host that can be connected to, or the system's authorities cannot be read.
    pub fn local(url: &Url, limit: Duration) -> Result<Self, ConnectorError> {
        Ok(Self { client: Client::without_proxy(url, limit)?, limit })
    }

    /// A service that is reached as providers are, by the proxy of the environment. `limit`: for each of its responses.
    ///
    /// # Errors
    /// As [`Self::local`]; also when the proxy's address is invalid.
    pub fn remote(url: &Url, limit: Duration) -> Result<Self, ConnectorError> {
        Ok(Self { client: Client::new(url, None, limit)?, limit })
    }

    /// The host as it is sent.
    pub(crate) const fn host(&self) -> &HeaderValue {
        self.client.host()
    }

    /// Makes a request, and reads its whole response. The URL has the host that the service was made with.
    ///
    /// # Errors
    /// When there is no whole response within the limit.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<HttpServiceResponse, HttpServiceError> {
        let text = if self.client.needs_absolute_uri() {
            &url[..Position::AfterQuery]
        } else {
            &url[Position::BeforePath..Position::AfterQuery]
        };
        let uri: Uri = text.parse().map_err(|_| HttpServiceError::Address)?;
        let request = async {
            let mut response =
                self.client.send(&method, &uri, |head| head.extend(&headers), (&body).into()).await?;
            let mut read = Vec::new();
            while let Some(chunk) = response.body.chunk().await? {
                if read.len() + chunk.len() > MAX_BODY_BYTES {
                    return Err(HttpServiceError::TooLong);
                }
                read.extend_from_slice(&chunk);
            }
            Ok(HttpServiceResponse { status: response.status, headers: response.headers, body: read.into() })
        };
        timeout(self.limit, request).await.map_err(|_| HttpServiceError::Timeout)?
    }
}

impl From<ClientError> for HttpServiceError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::NotConnected { cause, .. } => Self::Unreachable(cause),
            ClientError::Local(resource) => Self::Local(resource),
            ClientError::Interrupted => Self::Interrupted,
        }
    }
}

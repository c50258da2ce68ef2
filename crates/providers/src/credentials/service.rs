//! A request to a service that hands out credentials.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use tokio::time::timeout;
use url::{Position, Url};

use super::error::{CredentialsError, CredentialsService};
use crate::client::{Client, ClientError, ConnectorError};

/// More is no credentials.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A service that hands out credentials.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) service: CredentialsService,
    client: Client,
    limit: Duration,
}

impl Service {
    /// A service of this machine or its network, to which no proxy leads. `limit`: for each of its answers.
    pub(crate) fn local(
        service: CredentialsService,
        url: &Url,
        limit: Duration,
    ) -> Result<Self, CredentialsError> {
        Self::with(service, Client::without_proxy(url, limit), limit)
    }

    /// A service of the provider's maker, on the way that the provider is reached by.
    pub(crate) fn remote(
        service: CredentialsService,
        url: &Url,
        limit: Duration,
    ) -> Result<Self, CredentialsError> {
        Self::with(service, Client::new(url, None, limit), limit)
    }

    fn with(
        service: CredentialsService,
        client: Result<Client, ConnectorError>,
        limit: Duration,
    ) -> Result<Self, CredentialsError> {
        let client = client.map_err(|_| CredentialsError::Invalid {
            service,
            problem: "has no address that can be called",
        })?;
        Ok(Self { service, client, limit })
    }

    /// The host as it is sent.
    pub(crate) const fn host(&self) -> &HeaderValue {
        self.client.host()
    }

    /// Makes a request, and reads its whole response.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), CredentialsError> {
        let (status, _, body) = self.send_for_headers(method, url, headers, body).await?;
        Ok((status, body))
    }

    /// The same, with the headers of the response.
    pub(crate) async fn send_for_headers(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(StatusCode, HeaderMap, Bytes), CredentialsError> {
        let service = self.service;
        let text = if self.client.needs_absolute_uri() {
            url.as_str()
        } else {
            &url[Position::BeforePath..Position::AfterQuery]
        };
        let uri: Uri = text.parse().map_err(|_| self.invalid("has no valid address"))?;
        let request = async {
            let mut response = self
                .client
                .send(&method, &uri, |head| head.extend(&headers), (&body).into())
                .await
                .map_err(|error| failure(service, &error))?;
            let mut read = Vec::new();
            while let Some(chunk) = response.body.chunk().await.map_err(|error| failure(service, &error))? {
                if read.len() + chunk.len() > MAX_BODY_BYTES {
                    return Err(self.invalid("sent more than 64 KiB"));
                }
                read.extend_from_slice(&chunk);
            }
            Ok((response.status, response.headers, read.into()))
        };
        timeout(self.limit, request).await.map_err(|_| self.invalid("did not answer in time"))?
    }

    pub(crate) const fn invalid(&self, problem: &'static str) -> CredentialsError {
        CredentialsError::Invalid { service: self.service, problem }
    }

    pub(crate) const fn refused(&self, status: StatusCode, code: Option<String>) -> CredentialsError {
        CredentialsError::Refused { service: self.service, status: status.as_u16(), code }
    }
}

/// A service's code is a short name; anything else in its place is dropped.
pub(crate) fn identifier(code: &str) -> Option<String> {
    let is_name = (1..=64).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| code.to_owned())
}

fn failure(service: CredentialsService, error: &ClientError) -> CredentialsError {
    match error {
        ClientError::NotConnected { cause, .. } => CredentialsError::Unreachable { service, cause: *cause },
        ClientError::Local(_) => CredentialsError::Invalid {
            service,
            problem: "cannot be called: this machine is out of resources",
        },
        ClientError::Interrupted => {
            CredentialsError::Invalid { service, problem: "ended the connection early" }
        }
    }
}

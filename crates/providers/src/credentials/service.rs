//! A request to a service that hands out credentials.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use super::error::{CredentialsError, CredentialsService};
use crate::client::ConnectorError;
use crate::http_service::{HttpService, HttpServiceError};

/// A service that hands out credentials.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) service: CredentialsService,
    http: HttpService,
}

impl Service {
    /// A service of this machine or its network, to which no proxy leads. `limit`: for each of its answers.
    pub(crate) fn local(
        service: CredentialsService,
        url: &Url,
        limit: Duration,
    ) -> Result<Self, CredentialsError> {
        Self::with(service, HttpService::local(url, limit))
    }

    /// A service of the provider's maker, on the way that the provider is reached by.
    pub(crate) fn remote(
        service: CredentialsService,
        url: &Url,
        limit: Duration,
    ) -> Result<Self, CredentialsError> {
        Self::with(service, HttpService::remote(url, limit))
    }

    fn with(
        service: CredentialsService,
        http: Result<HttpService, ConnectorError>,
    ) -> Result<Self, CredentialsError> {
        let http = http.map_err(|_| CredentialsError::Invalid {
            service,
            problem: "has no address that can be called",
        })?;
        Ok(Self { service, http })
    }

    /// The host as it is sent.
    pub(crate) const fn host(&self) -> &HeaderValue {
        self.http.host()
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
        let response = self.http.send(method, url, headers, body).await;
        let response = response.map_err(|error| failure(self.service, error))?;
        Ok((response.status, response.headers, response.body))
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

const fn failure(service: CredentialsService, error: HttpServiceError) -> CredentialsError {
    let problem = match error {
        HttpServiceError::Unreachable(cause) => return CredentialsError::Unreachable { service, cause },
        HttpServiceError::Address => "has no valid address",
        HttpServiceError::Local(_) => "cannot be called: this machine is out of resources",
        HttpServiceError::Interrupted => "ended the connection early",
        HttpServiceError::TooLong => "sent more than 64 KiB",
        HttpServiceError::Timeout => "did not answer in time",
    };
    CredentialsError::Invalid { service, problem }
}

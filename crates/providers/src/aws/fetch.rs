//! A request to a service that hands out credentials.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::time::timeout;
use url::{Position, Url};

use super::credentials::{Credentials, CredentialsError, CredentialsService, CredentialsSource};
use crate::client::{Client, ClientError, ConnectorError};

/// More is no credentials.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A service that hands out credentials.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) service: CredentialsService,
    client: Client,
    limit: Duration,
}

impl Service {
    /// A service of this machine or its network, to which no proxy leads. `limit`: for each of its answers.
    pub(super) fn local(
        service: CredentialsService,
        url: &Url,
        limit: Duration,
    ) -> Result<Self, CredentialsError> {
        Self::with(service, Client::without_proxy(url, limit), limit)
    }

    /// A service of AWS, on the way that the provider is reached by.
    pub(super) fn remote(
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
    pub(super) const fn host(&self) -> &HeaderValue {
        self.client.host()
    }

    /// Makes a request, and reads its whole response.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), CredentialsError> {
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
                .send(&method, &uri, || headers.clone(), &body)
                .await
                .map_err(|error| failure(service, &error))?;
            let mut read = Vec::new();
            while let Some(chunk) = response.body.chunk().await.map_err(|error| failure(service, &error))? {
                if read.len() + chunk.len() > MAX_BODY_BYTES {
                    return Err(self.invalid("sent more than 64 KiB"));
                }
                read.extend_from_slice(&chunk);
            }
            Ok((response.status, read.into()))
        };
        timeout(self.limit, request).await.map_err(|_| self.invalid("did not answer in time"))?
    }

    pub(super) const fn invalid(&self, problem: &'static str) -> CredentialsError {
        CredentialsError::Invalid { service: self.service, problem }
    }

    pub(super) const fn refused(&self, status: StatusCode, code: Option<String>) -> CredentialsError {
        CredentialsError::Refused { service: self.service, status: status.as_u16(), code }
    }

    /// Credentials as JSON, in which containers and instances get them.
    pub(super) fn credentials(
        &self,
        body: &[u8],
        source: CredentialsSource,
    ) -> Result<Credentials, CredentialsError> {
        let no_credentials = || self.invalid("sent no credentials");
        let read: HandedOut = serde_json::from_slice(body).map_err(|_| no_credentials())?;
        if let Some(code) = read.code.filter(|code| code != "Success") {
            return Err(self.refused(StatusCode::INTERNAL_SERVER_ERROR, identifier(&code)));
        }
        let (Some(id), Some(secret)) = (read.access_key_id, read.secret_access_key) else {
            return Err(no_credentials());
        };
        Ok(Credentials {
            access_key_id: id,
            secret_access_key: secret.into(),
            session_token: read.token.map(SecretString::from),
            expires_at: read.expiration.as_deref().and_then(parse_time),
            source,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HandedOut {
    code: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    token: Option<String>,
    expiration: Option<String>,
}

/// `2026-01-02T03:04:05Z`.
pub(super) fn parse_time(text: &str) -> Option<SystemTime> {
    text.parse::<Timestamp>().ok().map(SystemTime::from)
}

/// A service's code is a short name; anything else in its place is dropped.
pub(super) fn identifier(code: &str) -> Option<String> {
    let is_name = (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
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

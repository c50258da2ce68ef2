//! The metadata server of Google's machines: Compute Engine, GKE, Cloud Run.
//!
//! <https://cloud.google.com/compute/docs/metadata/overview>

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use url::Url;

use super::settings::GoogleEnvironment;
use super::token::TokenResponse;
use crate::credentials::{CredentialsError, CredentialsService, Service};

const HOST: &str = "GCE_METADATA_HOST";

/// The older name of the same.
const ROOT: &str = "GCE_METADATA_ROOT";

/// Its address, so that no name has to be looked up on machines that are not Google's.
const DEFAULT_HOST: &str = "169.254.169.254";

/// For each answer, unless `GCE_METADATA_TIMEOUT` has seconds: google-auth's default. Another machine waits that long.
const LIMIT: Duration = Duration::from_secs(3);
const MAX_LIMIT: Duration = Duration::from_secs(10);

/// Both sides send it: other clouds have a service at the same address.
const FLAVOR: (HeaderName, HeaderValue) =
    (HeaderName::from_static("metadata-flavor"), HeaderValue::from_static("Google"));

const TOKEN: &str = "instance/service-accounts/default/token";
const PROJECT: &str = "project/project-id";

/// The metadata server of this machine.
pub(super) struct MetadataServer {
    service: Service,
    base: Url,
    /// It was named, so that its absence is an error.
    is_named: bool,
}

impl MetadataServer {
    /// `None`: it is not to be asked.
    pub(super) fn of(environment: &GoogleEnvironment) -> Result<Option<Self>, CredentialsError> {
        if environment.get("NO_GCE_CHECK").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let named = environment.get(HOST).or_else(|| environment.get(ROOT));
        let base = format!("http://{}/computeMetadata/v1/", named.unwrap_or(DEFAULT_HOST));
        let base: Url = base.parse().ok().filter(Url::has_host).ok_or(CredentialsError::Variable {
            variable: HOST,
            problem: "is no host, expected one such as metadata.google.internal",
        })?;
        let seconds = environment.get("GCE_METADATA_TIMEOUT").and_then(|text| text.parse().ok());
        let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let limit = limit.filter(|limit| !limit.is_zero()).map_or(LIMIT, |limit| limit.min(MAX_LIMIT));
        let service = Service::local(CredentialsService::GoogleMetadata, &base, limit)?;
        Ok(Some(Self { service, base, is_named: named.is_some() }))
    }

    /// The token of the machine's service account; `None`: this is no machine of Google's, or it has no account.
    pub(super) async fn token(&self) -> Result<Option<TokenResponse>, CredentialsError> {
        let Some(body) = self.get(TOKEN).await? else { return Ok(None) };
        TokenResponse::read(&body).map(Some).ok_or_else(|| self.service.invalid("sent no token"))
    }

    /// The machine's project.
    pub(super) async fn project(&self) -> Result<Option<String>, CredentialsError> {
        let body = self.get(PROJECT).await?;
        let text = body.map(|body| String::from_utf8_lossy(&body).trim().to_owned());
        Ok(text.filter(|text| !text.is_empty()))
    }

    async fn get(&self, path: &str) -> Result<Option<Bytes>, CredentialsError> {
        let url = self.base.join(path).map_err(|_| self.service.invalid("has no valid address"))?;
        let headers = HeaderMap::from_iter([FLAVOR]);
        let answer = self.service.send_for_headers(Method::GET, &url, headers, Bytes::new()).await;
        let (status, headers, body) = match answer {
            Ok(answer) => answer,
            // Elsewhere nothing is there, or nothing answers.
            Err(CredentialsError::Unreachable { .. } | CredentialsError::Invalid { .. })
                if !self.is_named =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if !self.is_named && headers.get(&FLAVOR.0) != Some(&FLAVOR.1) {
            return Ok(None);
        }
        match status {
            StatusCode::OK => Ok(Some(body)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(self.service.refused(status, None)),
        }
    }
}

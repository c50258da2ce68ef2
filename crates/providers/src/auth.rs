//! How a provider learns whose account a request is for.

use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret as _;
use url::Url;

use crate::aws::{AwsSettings, BodyHash, Credentials, Parts, Scope, sign};
use crate::config::ProviderConfig;
use crate::credentials::{CredentialsCache, CredentialsSource};
use crate::error::ProviderError;
use crate::google::{AccessToken, GoogleSettings};

/// AWS' name of the service, for which signatures are valid.
const SIGNING_NAME: &str = "bedrock";

/// Google's header for the project whose quota is used.
const QUOTA_PROJECT: HeaderName = HeaderName::from_static("x-goog-user-project");

/// How a provider learns whose account a request is for.
#[derive(Debug)]
pub(crate) enum Auth {
    /// It does not ask.
    None,
    /// By a header, which is always the same.
    Header(HeaderName, HeaderValue),
    /// By a signature of each request.
    Aws(CredentialsCache<AwsSettings>),
    /// By a token that expires.
    Google(CredentialsCache<GoogleSettings>),
}

/// What one request is authenticated with.
#[derive(Debug, Clone)]
pub(crate) enum RequestAuth<'a> {
    None,
    Header(&'a HeaderName, &'a HeaderValue),
    Aws { credentials: Arc<Credentials>, region: &'a str },
    Google(Arc<AccessToken>),
}

/// The key has characters that no header can have.
#[derive(Debug)]
pub(crate) struct InvalidKey;

impl Auth {
    pub(crate) fn new(config: &ProviderConfig) -> Result<Self, InvalidKey> {
        if let Some(key) = &config.api_key {
            let header = config.kind.key_header(key.expose_secret()).map_err(|_| InvalidKey)?;
            return Ok(Self::Header(header.0, header.1));
        }
        if let Some(settings) = &config.aws {
            return Ok(Self::Aws(CredentialsCache::new(settings.clone())));
        }
        if let Some(settings) = &config.google {
            return Ok(Self::Google(CredentialsCache::new(settings.clone())));
        }
        let basic = basic_authorization(&config.base_url);
        Ok(basic.map_or(Self::None, |(name, value)| Self::Header(name, value)))
    }

    /// What the next request is authenticated with. It waits only where there are no valid credentials.
    pub(crate) async fn for_request(&self) -> Result<RequestAuth<'_>, ProviderError> {
        Ok(match self {
            Self::None => RequestAuth::None,
            Self::Header(name, value) => RequestAuth::Header(name, value),
            Self::Aws(cache) => {
                RequestAuth::Aws { credentials: cache.get().await?, region: &cache.account().region }
            }
            Self::Google(cache) => RequestAuth::Google(cache.get().await?),
        })
    }

    /// Others than those that the provider has refused, if there are any.
    pub(crate) async fn instead_of(&self, refused: &RequestAuth<'_>) -> Option<RequestAuth<'_>> {
        match (self, refused) {
            (Self::Aws(cache), RequestAuth::Aws { credentials, .. }) => {
                cache.refused(credentials);
                let renewed = cache.get().await.ok()?;
                let is_new = renewed.access_key_id != credentials.access_key_id;
                let region = &cache.account().region;
                is_new.then_some(RequestAuth::Aws { credentials: renewed, region })
            }
            (Self::Google(cache), RequestAuth::Google(token)) => {
                cache.refused(token);
                let renewed = cache.get().await.ok()?;
                (renewed.authorization != token.authorization).then_some(RequestAuth::Google(renewed))
            }
            _ => None,
        }
    }

    /// Whether there may be others than those that the provider has refused.
    pub(crate) const fn is_renewable(&self) -> bool {
        matches!(self, Self::Aws(_) | Self::Google(_))
    }

    /// Whether requests are signed.
    pub(crate) const fn is_signing(&self) -> bool {
        matches!(self, Self::Aws(_))
    }
}

impl RequestAuth<'_> {
    /// The project that is called for, where the credentials say it.
    pub(crate) fn project(&self) -> Option<&str> {
        match self {
            Self::Google(token) => Some(&token.project),
            Self::None | Self::Header(..) | Self::Aws { .. } => None,
        }
    }

    /// Where fetched credentials are from.
    pub(crate) fn source(&self) -> Option<&CredentialsSource> {
        match self {
            Self::Aws { credentials, .. } => Some(&credentials.source),
            Self::Google(token) => Some(&token.source),
            Self::None | Self::Header(..) => None,
        }
    }

    /// The header value of a secret that is sent, and that a provider may quote.
    pub(crate) fn secret(&self) -> Option<HeaderValue> {
        match self {
            Self::None => None,
            Self::Header(_, value) => Some((*value).clone()),
            Self::Google(token) => token.authorization.clone(),
            // AWS quotes all headers that were signed where it calculates another signature.
            Self::Aws { credentials, .. } => {
                let mut value =
                    HeaderValue::try_from(credentials.session_token.as_ref()?.expose_secret()).ok()?;
                value.set_sensitive(true);
                Some(value)
            }
        }
    }

    /// The hash of a body that is to be signed.
    pub(crate) fn hash(&self, body: &Bytes) -> Option<BodyHash> {
        matches!(self, Self::Aws { .. }).then(|| BodyHash::of(body))
    }

    /// Adds the headers.
    pub(crate) fn add(
        &self,
        headers: &mut HeaderMap,
        method: &str,
        path: &str,
        host: &HeaderValue,
        body: Option<&BodyHash>,
    ) {
        match (self, body) {
            (Self::Header(name, value), _) => {
                headers.insert(*name, (*value).clone());
            }
            (Self::Aws { credentials, region }, Some(body)) => {
                let parts = Parts { method, path, host, body };
                let scope = Scope { region, service: SIGNING_NAME };
                // For the moment in which it is sent. It cannot fail: credentials were checked when they were fetched.
                let _ = sign(headers, parts, credentials, scope, SystemTime::now());
            }
            (Self::Google(token), _) => {
                headers.extend(token.authorization.clone().map(|value| (AUTHORIZATION, value)));
                headers.extend(token.quota_project.clone().map(|value| (QUOTA_PROJECT, value)));
            }
            (Self::None | Self::Aws { .. }, _) => {}
        }
    }
}

/// The user and password of a base URL.
fn basic_authorization(url: &Url) -> Option<(HeaderName, HeaderValue)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = (decode(url.username()), decode(url.password().unwrap_or_default()));
    if user.is_empty() && password.is_empty() {
        return None;
    }
    let mut value =
        HeaderValue::try_from(format!("Basic {}", BASE64.encode(format!("{user}:{password}")))).ok()?;
    value.set_sensitive(true);
    Some((AUTHORIZATION, value))
}

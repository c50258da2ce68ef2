//! The token that requests carry.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use serde::Deserialize;

use crate::credentials::{CredentialsSource, Expiring};

/// The token of an account.
pub(crate) struct AccessToken {
    /// The value of `authorization`; `None`: the token cannot stand in a header.
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) expires_at: Option<SystemTime>,
    /// The project that is called for.
    pub(crate) project: String,
    /// The project whose quota is used, where that is another one.
    pub(crate) quota_project: Option<HeaderValue>,
    pub(crate) source: CredentialsSource,
}

impl AccessToken {
    /// A token for this project, from an answer that came for a request of `asked_at`.
    pub(super) fn new(
        response: &TokenResponse,
        project: String,
        source: CredentialsSource,
        asked_at: SystemTime,
    ) -> Self {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", response.access_token)).ok();
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        let expires_at =
            response.expires_in.and_then(|seconds| asked_at.checked_add(Duration::from_secs(seconds)));
        Self { authorization, expires_at, project, quota_project: None, source }
    }
}

/// Without the token.
impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("source", &self.source)
            .field("project", &self.project)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Expiring for AccessToken {
    fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    fn is_usable(&self) -> bool {
        self.authorization.is_some()
    }
}

/// The answer of a service that hands out tokens.
#[derive(Deserialize)]
pub(super) struct TokenResponse {
    access_token: String,
    /// Seconds.
    expires_in: Option<u64>,
}

impl TokenResponse {
    /// `None`: there is no token in it.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(body).ok().filter(|response| !response.access_token.is_empty())
    }
}

//! AWS credentials.

use std::fmt;
use std::time::SystemTime;

use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

use crate::credentials::{CredentialsSource, Expiring};

/// What a request is signed with.
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: SecretString,
    /// Of temporary credentials.
    pub(crate) session_token: Option<SecretString>,
    /// `None`: they do not expire.
    pub(crate) expires_at: Option<SystemTime>,
    pub(crate) source: CredentialsSource,
}

/// Without keys.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("source", &self.source)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Expiring for Credentials {
    fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    fn is_usable(&self) -> bool {
        let is_usable = |text: &str| HeaderValue::try_from(text).is_ok();
        let token = self.session_token.as_ref().map(|token| token.expose_secret());
        is_usable(&self.access_key_id) && token.is_none_or(is_usable)
    }
}

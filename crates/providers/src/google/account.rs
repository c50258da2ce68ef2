//! An account of Google Cloud, whose tokens are fetched.

use std::time::Duration;

use super::chain;
use super::settings::GoogleSettings;
use super::token::AccessToken;
use crate::credentials::{Account, CredentialsError};

impl Account for GoogleSettings {
    type Credentials = AccessToken;

    /// google-auth's `REFRESH_THRESHOLD`: until 5 minutes before its end a metadata server hands out the same token again.
    const REFRESH_BEFORE: Duration = Duration::from_secs(225);

    async fn fetch(&self) -> Result<AccessToken, CredentialsError> {
        chain::load(self).await
    }
}

//! An AWS account, whose credentials are fetched.

use std::time::Duration;

use super::chain;
use super::credentials::Credentials;
use super::settings::AwsSettings;
use crate::credentials::{Account, CredentialsError};

impl Account for AwsSettings {
    type Credentials = Credentials;

    const REFRESH_BEFORE: Duration = Duration::from_secs(10 * 60);

    async fn fetch(&self) -> Result<Credentials, CredentialsError> {
        chain::load(self).await
    }
}

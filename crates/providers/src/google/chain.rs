//! Where Google's credentials are looked for, in the order of Application Default Credentials.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use http::HeaderValue;

use super::exchange::{ExchangeError, exchange};
use super::file::{self, CredentialsFile};
use super::metadata::MetadataServer;
use super::settings::GoogleSettings;
use super::token::AccessToken;
use crate::credentials::{CredentialsError, CredentialsSource};

/// Gets a token from the first place that has credentials.
pub(super) async fn load(settings: &GoogleSettings) -> Result<AccessToken, CredentialsError> {
    let environment = &settings.environment;
    let named = settings.credentials.clone();
    let named = named.or_else(|| environment.get("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from));
    if let Some(path) = named {
        let file = file::read(&path)?.ok_or_else(|| file::problem(&path, "there is no such file"))?;
        return from_file(settings, &path, file).await;
    }
    if let Some(path) = environment.gcloud_file()
        && let Some(file) = file::read(&path)?
    {
        return from_file(settings, &path, file).await;
    }
    from_metadata(settings).await
}

async fn from_file(
    settings: &GoogleSettings,
    path: &Path,
    file: CredentialsFile,
) -> Result<AccessToken, CredentialsError> {
    let CredentialsFile { identity, token_uri, project, quota_project } = file;
    let by_variable = || settings.environment.project().map(str::to_owned);
    // A person's file has no project but the one whose quota is used.
    let project = settings.project.clone().or(project).or_else(by_variable).or_else(|| quota_project.clone());
    let project = project.ok_or(CredentialsError::NoProject)?;
    let now = SystemTime::now();
    let response = exchange(&identity, token_uri.as_deref(), now).await.map_err(|error| match error {
        ExchangeError::File(problem) => file::problem(path, problem),
        ExchangeError::Credentials(error) => error,
    })?;
    let source = CredentialsSource::GoogleFile(path.display().to_string());
    let quota_project = settings.environment.get("GOOGLE_CLOUD_QUOTA_PROJECT").or(quota_project.as_deref());
    let quota_project = quota_project.and_then(|project| HeaderValue::try_from(project).ok());
    Ok(AccessToken { quota_project, ..AccessToken::new(&response, project, source, now) })
}

async fn from_metadata(settings: &GoogleSettings) -> Result<AccessToken, CredentialsError> {
    let server = MetadataServer::of(&settings.environment)?.ok_or(CredentialsError::NoGoogleCredentials)?;
    let now = SystemTime::now();
    let response = server.token().await?.ok_or(CredentialsError::NoGoogleCredentials)?;
    let project = match &settings.project {
        Some(project) => project.clone(),
        None => server.project().await?.ok_or(CredentialsError::NoProject)?,
    };
    Ok(AccessToken::new(&response, project, CredentialsSource::GoogleMetadata, now))
}

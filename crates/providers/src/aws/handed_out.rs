//! Credentials as JSON, in which containers and instances get them.

use std::time::SystemTime;

use http::StatusCode;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

use super::credentials::Credentials;
use crate::credentials::{CredentialsError, CredentialsSource, Service, identifier};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HandedOut {
    code: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    token: Option<String>,
    expiration: Option<String>,
}

/// Reads what a service has handed out.
pub(super) fn read(
    service: &Service,
    body: &[u8],
    source: CredentialsSource,
) -> Result<Credentials, CredentialsError> {
    let no_credentials = || service.invalid("sent no credentials");
    let read: HandedOut = serde_json::from_slice(body).map_err(|_| no_credentials())?;
    if let Some(code) = read.code.filter(|code| code != "Success") {
        return Err(service.refused(StatusCode::INTERNAL_SERVER_ERROR, identifier(&code)));
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

/// `2026-01-02T03:04:05Z`.
pub(super) fn parse_time(text: &str) -> Option<SystemTime> {
    text.parse::<Timestamp>().ok().map(SystemTime::from)
}

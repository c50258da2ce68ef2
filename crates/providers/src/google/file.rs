//! Files of credentials: of a service account, and the one that gcloud writes for a person.
//!
//! <https://google.aip.dev/auth/4110>

use std::path::Path;

use serde::Deserialize;

use super::assertion::Signer;
use super::exchange::Identity;
use crate::credentials::CredentialsError;

/// Types of files that get tokens in ways that are not supported, and what to do instead.
const UNSUPPORTED: [(&str, &str); 5] = [
    ("external_account", "use the key of a service account, or run on Google Cloud with a service account"),
    ("external_account_authorized_user", "use the key of a service account"),
    ("gdch_service_account", "use the key of a service account of Google Cloud"),
    (
        "impersonated_service_account",
        "use the key of that service account, or the account that impersonates it",
    ),
    ("", "use the key of a service account, or run `gcloud auth application-default login`"),
];

/// What a file has.
pub(super) struct CredentialsFile {
    pub(super) identity: Identity,
    pub(super) token_uri: Option<String>,
    /// The project that the account belongs to.
    pub(super) project: Option<String>,
    pub(super) quota_project: Option<String>,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "type", default)]
    kind: String,
    project_id: Option<String>,
    quota_project_id: Option<String>,
    token_uri: Option<String>,
    client_email: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    refresh_token: Option<String>,
}

/// Reads a file. `None`: there is none.
pub(super) fn read(path: &Path) -> Result<Option<CredentialsFile>, CredentialsError> {
    match std::fs::read(path) {
        Ok(text) => parse(path, &text).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(problem(path, error.kind().to_string())),
    }
}

/// That this file cannot be used.
pub(super) fn problem(path: &Path, problem: impl Into<String>) -> CredentialsError {
    CredentialsError::File { path: path.display().to_string(), problem: problem.into() }
}

fn parse(path: &Path, text: &[u8]) -> Result<CredentialsFile, CredentialsError> {
    // serde's message may quote the file.
    let fields: Fields =
        serde_json::from_slice(text).map_err(|_| problem(path, "it is no JSON object of credentials"))?;
    let missing = |name: &str| problem(path, format!("it has no {name}"));
    let identity = match fields.kind.as_str() {
        "service_account" => Identity::ServiceAccount(Signer {
            email: fields.client_email.ok_or_else(|| missing("client_email"))?,
            key_id: fields.private_key_id,
            private_key: fields.private_key.ok_or_else(|| missing("private_key"))?.into(),
        }),
        "authorized_user" => Identity::User {
            client_id: fields.client_id.ok_or_else(|| missing("client_id"))?,
            client_secret: fields.client_secret.ok_or_else(|| missing("client_secret"))?.into(),
            refresh_token: fields.refresh_token.ok_or_else(|| missing("refresh_token"))?.into(),
        },
        kind => {
            let [named @ .., any] = &UNSUPPORTED;
            let (_, advice) = named.iter().find(|(unsupported, _)| *unsupported == kind).unwrap_or(any);
            // It is a short word; anything else in its place is not shown.
            let kind = crate::credentials::identifier(kind).unwrap_or_default();
            return Err(CredentialsError::UnsupportedFile { path: path.display().to_string(), kind, advice });
        }
    };
    Ok(CredentialsFile {
        identity,
        token_uri: fields.token_uri,
        project: fields.project_id,
        quota_project: fields.quota_project_id,
    })
}

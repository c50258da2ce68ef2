//! Google's token endpoint, which exchanges what a file has for a token.
//!
//! <https://developers.google.com/identity/protocols/oauth2/service-account#httprest>

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::{Host, Url, form_urlencoded};

use super::assertion::{InvalidKey, Signer};
use super::token::TokenResponse;
use crate::clock;
use crate::credentials::{CredentialsError, CredentialsService, Service, identifier};

/// Where tokens are asked for, unless the file says something else.
const ENDPOINT: &str = "https://oauth2.googleapis.com/token";

/// A call waits for this.
const LIMIT: Duration = Duration::from_secs(5);

/// Who asks for a token.
pub(super) enum Identity {
    /// A service account.
    ServiceAccount(Signer),
    /// A person who has logged in by gcloud.
    User { client_id: String, client_secret: SecretString, refresh_token: SecretString },
}

/// Why nothing could be asked for, besides what the service answers.
pub(super) enum ExchangeError {
    /// Something of the file is not what it should be.
    File(&'static str),
    /// The service gave no token.
    Credentials(CredentialsError),
}

impl From<CredentialsError> for ExchangeError {
    fn from(error: CredentialsError) -> Self {
        Self::Credentials(error)
    }
}

/// Exchanges an identity for a token. `endpoint`: the file's own.
pub(super) async fn exchange(
    identity: &Identity,
    endpoint: Option<&str>,
    now: SystemTime,
) -> Result<TokenResponse, ExchangeError> {
    let url = endpoint.unwrap_or(ENDPOINT).parse().ok().filter(is_private);
    let url = url.ok_or(ExchangeError::File("its token_uri is no https:// address"))?;
    let form = form(identity, now)
        .map_err(|InvalidKey| ExchangeError::File("its private_key is no RSA key in PEM format"))?;
    let service = Service::remote(CredentialsService::GoogleToken, &url, LIMIT)?;
    let headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))]);
    let (status, headers, body) =
        service.send_for_headers(Method::POST, &url, headers, Bytes::from(form)).await?;
    if !status.is_success() {
        let code = error_code(&body);
        // "Invalid JWT: Token must be a short-lived token and in a reasonable timeframe."
        let refuses_proof = code.as_deref() == Some("invalid_grant");
        return Err(match clock::skew(&headers, now).filter(|_| refuses_proof) {
            Some(skew) => CredentialsError::Clock { service: CredentialsService::GoogleToken, skew },
            None => service.refused(status, code),
        }
        .into());
    }
    Ok(TokenResponse::read(&body).ok_or_else(|| service.invalid("sent no token"))?)
}

/// Whether what is sent there is read by nobody else.
fn is_private(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

fn form(identity: &Identity, now: SystemTime) -> Result<String, InvalidKey> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    match identity {
        Identity::ServiceAccount(signer) => {
            form.append_pair("assertion", &signer.assertion(now)?)
                .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
        }
        Identity::User { client_id, client_secret, refresh_token } => {
            form.append_pair("grant_type", "refresh_token")
                .append_pair("client_id", client_id)
                .append_pair("client_secret", client_secret.expose_secret())
                .append_pair("refresh_token", refresh_token.expose_secret());
        }
    }
    Ok(form.finish())
}

/// `{"error": "invalid_grant", "error_description": "…"}`; the description may quote.
fn error_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    identifier(&serde_json::from_slice::<Refusal>(body).ok()?.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_nowhere_in_the_clear() {
        for (url, expected) in [
            ("https://oauth2.googleapis.com/token", true),
            ("https://sts.example.com/token", true),
            ("http://127.0.0.1:8080/token", true),
            ("http://[::1]/token", true),
            ("http://localhost/token", true),
            ("http://oauth2.googleapis.com/token", false),
            ("ftp://127.0.0.1/", false),
            ("data:text", false),
        ] {
            assert_eq!(is_private(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_code_is_a_short_name() {
        let body = br#"{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}"#;
        assert_eq!(error_code(body).as_deref(), Some("invalid_grant"));
        for other in [&b""[..], b"{}", br#"{"error": {"code": 1}}"#, br#"{"error": "two words"}"#] {
            assert_eq!(error_code(other), None);
        }
    }
}

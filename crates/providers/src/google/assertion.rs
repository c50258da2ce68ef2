//! What a service account proves itself with: a JSON Web Token, signed with its key (RFC 7523).
//!
//! Own code, since it is short and needs nothing but the RSA of `aws-lc-rs`, which TLS brings along. A test compares with
//! google-auth, byte by byte.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

/// For whom an assertion is valid, wherever it is sent.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// What a token is asked for: all that the account may do.
///
/// <https://developers.google.com/identity/protocols/oauth2/scopes>
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// So long an assertion is valid: the longest that Google accepts.
const LIFETIME: Duration = Duration::from_secs(3600);

/// The identity of a service account.
pub(super) struct Signer {
    pub(super) email: String,
    pub(super) key_id: Option<String>,
    /// In PEM format.
    pub(super) private_key: SecretString,
}

/// The private key is none that can sign.
#[derive(Debug)]
pub(super) struct InvalidKey;

impl Signer {
    /// The assertion of a moment. The bytes are those of google-auth, which has a blank behind each comma and colon.
    pub(super) fn assertion(&self, at: SystemTime) -> Result<String, InvalidKey> {
        let key = self.key_pair()?;
        let issued = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let expires = issued + LIFETIME;
        let key_id = self.key_id.as_ref().map(|id| format!(r#", "kid": {}"#, json!(id)));
        let header = format!(r#"{{"typ": "JWT", "alg": "RS256"{}}}"#, key_id.unwrap_or_default());
        let claims = format!(
            r#"{{"iat": {}, "exp": {}, "iss": {}, "aud": "{AUDIENCE}", "scope": "{SCOPE}"}}"#,
            issued.as_secs(),
            expires.as_secs(),
            json!(self.email),
        );
        let mut assertion = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), assertion.as_bytes(), &mut signature)
            .map_err(|_| InvalidKey)?;
        assertion.push('.');
        BASE64.encode_string(signature, &mut assertion);
        Ok(assertion)
    }

    fn key_pair(&self) -> Result<RsaKeyPair, InvalidKey> {
        let key = PrivateKeyDer::from_pem_slice(self.private_key.expose_secret().as_bytes());
        match key.map_err(|_| InvalidKey)? {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(InvalidKey),
        }
        .map_err(|_| InvalidKey)
    }
}

#[cfg(test)]
mod tests;

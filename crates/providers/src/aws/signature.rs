//! AWS Signature Version 4, in headers, for requests with a body and without a query.
//!
//! The rules: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>. Own code, since it
//! is short, has not changed since 2012 and needs nothing but the SHA-256 and HMAC of `aws-lc-rs`, which TLS brings along:
//! `aws-sigv4` would add 28 crates, and `reqsign` encodes paths once, as no service but one has it. A test compares with botocore.

use std::fmt::Write as _;
use std::time::SystemTime;

use aws_lc_rs::{digest, hmac};
use http::header::{
    AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue,
};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use secrecy::ExposeSecret as _;

use super::credentials::Credentials;

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Of the other headers those are signed that the service acts on. What proxies may rewrite is not.
const SIGNED_PREFIX: &str = "x-amzn-bedrock-";

/// What AWS encodes in a part of a path.
pub(crate) const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path is encoded once more than it is sent.
const ENCODED_PATH: AsciiSet = ENCODED.remove(b'/');

/// For whom a signature is valid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) region: &'a str,
    /// Its signing name: `bedrock`, `sts`.
    pub(crate) service: &'a str,
}

/// The SHA-256 of a body. It is computed once for a request that may be sent twice.
#[derive(Debug)]
pub(crate) struct BodyHash(String);

impl BodyHash {
    pub(crate) fn of(body: &[u8]) -> Self {
        Self(sha256(body))
    }
}

/// The parts of a request that are signed besides its headers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) method: &'a str,
    /// As it is sent.
    pub(crate) path: &'a str,
    pub(crate) host: &'a HeaderValue,
    pub(crate) body: &'a BodyHash,
}

/// Adds the headers of a signature that is valid for five minutes before and after `at`.
pub(crate) fn sign(
    headers: &mut HeaderMap,
    parts: Parts<'_>,
    credentials: &Credentials,
    scope: Scope<'_>,
    at: SystemTime,
) -> Result<(), InvalidHeaderValue> {
    let time = basic_time(at);
    headers.insert(DATE, HeaderValue::try_from(&time)?);
    if let Some(token) = &credentials.session_token {
        headers.insert(SECURITY_TOKEN, secret_value(token.expose_secret())?);
    }
    let authorization = authorization(&signed_headers(headers, parts.host), parts, credentials, scope, &time);
    headers.insert(AUTHORIZATION, secret_value(&authorization)?);
    Ok(())
}

fn secret_value(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// `20260102T030405Z`.
fn basic_time(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The names and values of the headers that are signed, sorted.
fn signed_headers<'a>(headers: &'a HeaderMap, host: &'a HeaderValue) -> Vec<(&'a str, String)> {
    let is_signed = |name: &HeaderName| {
        *name == CONTENT_TYPE
            || *name == DATE
            || *name == SECURITY_TOKEN
            || name.as_str().starts_with(SIGNED_PREFIX)
    };
    let mut signed: Vec<_> = headers
        .keys()
        .filter(|name| is_signed(name))
        .map(|name| (name.as_str(), headers.get_all(name).iter().map(folded).collect::<Vec<_>>().join(",")))
        .collect();
    signed.push((HOST.as_str(), folded(host)));
    signed.sort_unstable();
    signed
}

/// Without blanks around it, and with one instead of many inside.
fn folded(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn authorization(
    headers: &[(&str, String)],
    parts: Parts<'_>,
    credentials: &Credentials,
    scope: Scope<'_>,
    time: &str,
) -> String {
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let mut canonical =
        format!("{}\n{}\n\n", parts.method, percent_encode(parts.path.as_bytes(), &ENCODED_PATH));
    for (name, value) in headers {
        // Writing to a string cannot fail.
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let _ = write!(canonical, "\n{names}\n{}", parts.body.0);
    let date = time.get(..8).unwrap_or(time);
    let valid_for = format!("{date}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{valid_for}\n{}", sha256(canonical.as_bytes()));
    let secret = format!("AWS4{}", credentials.secret_access_key.expose_secret());
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    for part in [date, scope.region, scope.service, "aws4_request"] {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
    }
    let signature = hex(hmac::sign(&key, to_sign.as_bytes()).as_ref());
    let id = &credentials.access_key_id;
    format!("AWS4-HMAC-SHA256 Credential={id}/{valid_for}, SignedHeaders={names}, Signature={signature}")
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;

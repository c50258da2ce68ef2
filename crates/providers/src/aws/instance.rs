//! The role of an EC2 instance, by version 2 of its metadata service.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-v2-how-it-works.html>

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use url::Url;

use super::credentials::Credentials;
use super::handed_out;
use super::settings::AwsEnvironment;
use crate::credentials::{CredentialsError, CredentialsService, CredentialsSource, Service};

const DISABLED: &str = "AWS_EC2_METADATA_DISABLED";
const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const ENDPOINT_MODE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
const IPV4: &str = "http://169.254.169.254";
const IPV6: &str = "http://[fd00:ec2::254]";

/// For each answer, unless `AWS_METADATA_SERVICE_TIMEOUT` has seconds: a machine outside of EC2 waits that long.
const LIMIT: Duration = Duration::from_secs(1);
const MAX_LIMIT: Duration = Duration::from_secs(10);

const TOKEN_TTL: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds"), HeaderValue::from_static("21600"));
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");

/// Below it stand the role's name, and its credentials under that name.
const ROLES: [&str; 5] = ["latest", "meta-data", "iam", "security-credentials", ""];

/// Fetches the credentials; `None`: this is no such instance, or it has no role.
pub(super) async fn fetch(environment: &AwsEnvironment) -> Result<Option<Credentials>, CredentialsError> {
    if environment.get(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let base = base(environment)?;
    let seconds = environment.get("AWS_METADATA_SERVICE_TIMEOUT").and_then(|text| text.parse().ok());
    let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let limit = limit.filter(|limit| !limit.is_zero()).map_or(LIMIT, |limit| limit.min(MAX_LIMIT));
    let service = Service::local(CredentialsService::InstanceMetadata, &base, limit)?;
    let token_url = below(&base, &["latest", "api", "token"]);
    let token = service.send(Method::PUT, &token_url, HeaderMap::from_iter([TOKEN_TTL]), Bytes::new()).await;
    let token = match token {
        Ok((StatusCode::OK, token)) => token,
        Ok((status, _)) => return Err(service.refused(status, None)),
        // Outside of EC2 nothing is there, or nothing answers.
        Err(CredentialsError::Unreachable { .. } | CredentialsError::Invalid { .. })
            if environment.get(ENDPOINT).is_none() =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut token =
        HeaderValue::from_maybe_shared(token).map_err(|_| service.invalid("sent no valid token"))?;
    token.set_sensitive(true);
    let headers = HeaderMap::from_iter([(TOKEN, token)]);
    let get = |url: Url| {
        let headers = headers.clone();
        let service = &service;
        async move { service.send(Method::GET, &url, headers, Bytes::new()).await }
    };
    let (status, roles) = get(below(&base, &ROLES)).await?;
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let roles = String::from_utf8_lossy(&roles).into_owned();
    let role = roles.lines().next().map(str::trim).filter(|role| !role.is_empty() && status.is_success());
    let Some(role) = role else { return Err(service.refused(status, None)) };
    let (status, body) = get(below(&base, &[&ROLES[..4], &[role]].concat())).await?;
    if !status.is_success() {
        return Err(service.refused(status, None));
    }
    handed_out::read(&service, &body, CredentialsSource::Instance).map(Some)
}

fn base(environment: &AwsEnvironment) -> Result<Url, CredentialsError> {
    let by_mode = match environment.get(ENDPOINT_MODE) {
        Some(mode) if mode.eq_ignore_ascii_case("ipv6") => IPV6,
        _ => IPV4,
    };
    let invalid =
        || CredentialsError::Variable { variable: ENDPOINT, problem: "is not a URL, expected http://HOST" };
    let url: Url = environment.get(ENDPOINT).unwrap_or(by_mode).parse().map_err(|_| invalid())?;
    if url.scheme() == "http" || url.scheme() == "https" { Ok(url) } else { Err(invalid()) }
}

fn below(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

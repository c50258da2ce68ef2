//! The role of a container: ECS, and EKS with Pod Identity.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use url::{Host, Url};

use super::credentials::Credentials;
use super::handed_out;
use super::settings::AwsEnvironment;
use crate::credentials::{CredentialsError, CredentialsService, CredentialsSource, Service};

/// The host of `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`.
const RELATIVE_BASE: &str = "http://169.254.170.2";

/// Addresses that credentials may be fetched from without TLS, besides loopback: ECS' and EKS' agents.
const PLAIN_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

/// botocore's limit.
const LIMIT: Duration = Duration::from_secs(2);

const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// Fetches the credentials; `None`: this is no such container.
pub(super) async fn fetch(environment: &AwsEnvironment) -> Result<Option<Credentials>, CredentialsError> {
    let Some(url) = url(environment)? else { return Ok(None) };
    let mut headers = HeaderMap::new();
    headers.extend(authorization(environment)?.map(|token| (AUTHORIZATION, token)));
    let service = Service::local(CredentialsService::Container, &url, LIMIT)?;
    let (status, body) = service.send(Method::GET, &url, headers, Bytes::new()).await?;
    if !status.is_success() {
        return Err(service.refused(status, None));
    }
    handed_out::read(&service, &body, CredentialsSource::Container).map(Some)
}

fn url(environment: &AwsEnvironment) -> Result<Option<Url>, CredentialsError> {
    if let Some(path) = environment.get(RELATIVE_URI) {
        let problem = "is not a path, expected one such as /v2/credentials/id";
        let invalid = CredentialsError::Variable { variable: RELATIVE_URI, problem };
        let text = format!("{RELATIVE_BASE}{path}");
        return text.parse().ok().filter(|_| path.starts_with('/')).map(Some).ok_or(invalid);
    }
    let Some(text) = environment.get(FULL_URI) else { return Ok(None) };
    let invalid = |problem| CredentialsError::Variable { variable: FULL_URI, problem };
    let url: Url = text.parse().map_err(|_| invalid("is not a URL"))?;
    match url.scheme() {
        "https" => Ok(Some(url)),
        "http" if is_near(&url) => Ok(Some(url)),
        _ => {
            Err(invalid("is not an address of this machine, expected https, loopback or the agent's address"))
        }
    }
}

/// Credentials go unencrypted to this machine alone.
fn is_near(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    is_loopback || url.host_str().is_some_and(|host| PLAIN_HOSTS.contains(&host))
}

/// The file is read each time: its token changes.
fn authorization(environment: &AwsEnvironment) -> Result<Option<HeaderValue>, CredentialsError> {
    let (variable, token) = if let Some(path) = environment.get(TOKEN_FILE) {
        let read = std::fs::read_to_string(path).map_err(|error| CredentialsError::File {
            path: path.to_owned(),
            problem: error.kind().to_string(),
        })?;
        (TOKEN_FILE, read)
    } else if let Some(token) = environment.get(TOKEN) {
        (TOKEN, token.to_owned())
    } else {
        return Ok(None);
    };
    let problem = "has no token that can stand in an HTTP header";
    let mut value =
        HeaderValue::try_from(token.trim()).map_err(|_| CredentialsError::Variable { variable, problem })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_unencrypted_to_this_machine_alone() {
        for (name, value, expected) in [
            (RELATIVE_URI, "/v2/credentials/id", Some("http://169.254.170.2/v2/credentials/id")),
            (RELATIVE_URI, "@elsewhere/", None),
            (FULL_URI, "http://127.0.0.1:9/x?y=z", Some("http://127.0.0.1:9/x?y=z")),
            (FULL_URI, "http://[::1]/", Some("http://[::1]/")),
            (FULL_URI, "http://localhost/", Some("http://localhost/")),
            (FULL_URI, "http://169.254.170.23/v1/credentials", Some("http://169.254.170.23/v1/credentials")),
            (FULL_URI, "http://[fd00:ec2::23]/v1/credentials", Some("http://[fd00:ec2::23]/v1/credentials")),
            (FULL_URI, "https://elsewhere/", Some("https://elsewhere/")),
            (FULL_URI, "http://elsewhere/", None),
            (FULL_URI, "ftp://127.0.0.1/", None),
            (FULL_URI, "/path", None),
        ] {
            let environment = AwsEnvironment::read(|asked| (asked == name).then(|| value.to_owned()));
            let url = url(&environment).ok().flatten().map(|url| url.to_string());
            assert_eq!(url.as_deref(), expected, "{name}={value}");
        }
    }
}

//! AWS STS, which gives the credentials of a role.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use url::{Url, form_urlencoded};

use super::credentials::Credentials;
use super::handed_out::parse_time;
use super::settings::{AwsEnvironment, AwsSettings};
use super::signature::{BodyHash, Parts, Scope, sign};
use crate::credentials::{CredentialsError, CredentialsService, CredentialsSource, Service, identifier};

const ENDPOINT: &str = "AWS_ENDPOINT_URL_STS";
const SESSION_NAME: &str = "switchboard";
const VERSION: &str = "2011-06-15";

/// botocore waits longer; a call waits for this.
const LIMIT: Duration = Duration::from_secs(5);

/// Who asks for a role.
pub(super) enum Proof<'a> {
    /// A token of a web identity, as Kubernetes gives them to pods.
    WebIdentity(&'a str),
    /// Other credentials.
    Credentials(&'a Credentials),
}

/// The role that is asked for.
pub(super) struct Role<'a> {
    pub(super) arn: &'a str,
    pub(super) session_name: Option<&'a str>,
    pub(super) external_id: Option<&'a str>,
}

/// The token's file is read each time: its token changes.
pub(super) fn read_token(path: &str) -> Result<String, CredentialsError> {
    let read = std::fs::read_to_string(path);
    let token = read.map_err(|error| CredentialsError::File {
        path: path.to_owned(),
        problem: error.kind().to_string(),
    })?;
    Ok(token.trim().to_owned())
}

/// Gets the credentials of a role.
pub(super) async fn assume(
    settings: &AwsSettings,
    role: Role<'_>,
    proof: Proof<'_>,
    source: CredentialsSource,
) -> Result<Credentials, CredentialsError> {
    let url = url(settings)?;
    let service = Service::remote(CredentialsService::Sts, &url, LIMIT)?;
    let body = Bytes::from(form(&role, &proof, &settings.environment));
    let mut headers = HeaderMap::new();
    headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"));
    if let Proof::Credentials(credentials) = proof {
        let hash = BodyHash::of(&body);
        let parts = Parts { method: "POST", path: url.path(), host: service.host(), body: &hash };
        let scope = Scope { region: &settings.region, service: "sts" };
        sign(&mut headers, parts, credentials, scope, SystemTime::now())
            .map_err(|_| CredentialsError::Unusable)?;
    }
    let (status, body) = service.send(Method::POST, &url, headers, body).await?;
    let text = String::from_utf8_lossy(&body);
    if !status.is_success() {
        return Err(service.refused(status, element(&text, "Code").and_then(identifier)));
    }
    let (Some(id), Some(secret)) = (element(&text, "AccessKeyId"), element(&text, "SecretAccessKey")) else {
        return Err(service.invalid("sent no credentials"));
    };
    Ok(Credentials {
        access_key_id: id.to_owned(),
        secret_access_key: secret.to_owned().into(),
        session_token: element(&text, "SessionToken").map(|token| token.to_owned().into()),
        expires_at: element(&text, "Expiration").and_then(parse_time),
        source,
    })
}

/// The region's own endpoint, as the SDKs have it.
fn url(settings: &AwsSettings) -> Result<Url, CredentialsError> {
    let region = &settings.region;
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let default = format!("https://sts.{region}.{domain}/");
    let text = settings.environment.get(ENDPOINT).unwrap_or(&default);
    let invalid = CredentialsError::Variable { variable: ENDPOINT, problem: "is not a URL" };
    text.parse().ok().filter(Url::has_host).ok_or(invalid)
}

fn form(role: &Role<'_>, proof: &Proof<'_>, environment: &AwsEnvironment) -> String {
    let action = match proof {
        Proof::WebIdentity(_) => "AssumeRoleWithWebIdentity",
        Proof::Credentials(_) => "AssumeRole",
    };
    let name = role.session_name.or_else(|| environment.get("AWS_ROLE_SESSION_NAME")).unwrap_or(SESSION_NAME);
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", action).append_pair("Version", VERSION);
    form.append_pair("RoleArn", role.arn).append_pair("RoleSessionName", name);
    if let Some(id) = role.external_id {
        form.append_pair("ExternalId", id);
    }
    if let Proof::WebIdentity(token) = proof {
        form.append_pair("WebIdentityToken", token);
    }
    form.finish()
}

/// The text of an element. Neither keys nor codes have characters that XML escapes.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim())
}

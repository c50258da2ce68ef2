//! Where AWS credentials are looked for, in the order of the AWS SDKs.

use super::container;
use super::credentials::Credentials;
use super::instance;
use super::profile::{DEFAULT_PROFILE, Profile, Profiles, static_credentials};
use super::settings::{AwsEnvironment, AwsSettings};
use super::sts::{Proof, Role, assume, read_token};
use crate::credentials::{CredentialsError, CredentialsSource};

/// More profiles that lead to one another are a mistake.
const MAX_PROFILES: usize = 5;

/// Settings of a profile that get credentials in ways that are not supported, and what to do instead.
const UNSUPPORTED: [(&str, &str); 4] = [
    ("credential_process", "put the keys into the profile, or run the program and set AWS_ACCESS_KEY_ID"),
    ("sso_session", "run `aws configure export-credentials`, or use a Bedrock API key"),
    ("sso_start_url", "run `aws configure export-credentials`, or use a Bedrock API key"),
    ("mfa_serial", "get temporary keys with the code, and set AWS_ACCESS_KEY_ID"),
];

/// Gets credentials from the first place that has some.
pub(super) async fn load(settings: &AwsSettings) -> Result<Credentials, CredentialsError> {
    let environment = &settings.environment;
    if settings.profile.is_none() {
        if let Some(credentials) = from_variables(environment)? {
            return Ok(credentials);
        }
        if let (Some(file), Some(arn)) =
            (environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"), environment.get("AWS_ROLE_ARN"))
        {
            let role = Role { arn, session_name: None, external_id: None };
            let token = read_token(file)?;
            return assume(settings, role, Proof::WebIdentity(&token), CredentialsSource::WebIdentity).await;
        }
    }
    let named = settings.profile.as_deref().or_else(|| environment.profile());
    let profile = named.unwrap_or(DEFAULT_PROFILE);
    let profiles = Profiles::read(environment)?;
    if profiles.get(profile).is_some() {
        if let Some(credentials) = from_profile(settings, &profiles, profile).await? {
            return Ok(credentials);
        }
    } else if named.is_some() {
        return Err(profiles.no_such_profile(profile));
    }
    if let Some(credentials) = container::fetch(environment).await? {
        return Ok(credentials);
    }
    let credentials = instance::fetch(environment).await?;
    credentials.ok_or_else(|| CredentialsError::NotFound { profile: profile.to_owned() })
}

fn from_variables(environment: &AwsEnvironment) -> Result<Option<Credentials>, CredentialsError> {
    let incomplete = |present: &str, missing: &str| CredentialsError::Incomplete {
        present: present.to_owned(),
        missing: missing.to_owned(),
    };
    const ID: &str = "AWS_ACCESS_KEY_ID";
    const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
    match (environment.get(ID), environment.get(SECRET)) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(incomplete(ID, SECRET)),
        (None, Some(_)) => Err(incomplete(SECRET, ID)),
        (Some(id), Some(secret)) => Ok(Some(Credentials {
            access_key_id: id.trim().to_owned(),
            secret_access_key: secret.trim().to_owned().into(),
            session_token: environment.get("AWS_SESSION_TOKEN").map(|token| token.trim().to_owned().into()),
            expires_at: None,
            source: CredentialsSource::Variables,
        })),
    }
}

/// `None`: the profile has nothing about credentials.
async fn from_profile(
    settings: &AwsSettings,
    profiles: &Profiles,
    name: &str,
) -> Result<Option<Credentials>, CredentialsError> {
    // From the profile that is asked for to the one that has credentials of its own.
    let mut path: Vec<(&str, &Profile)> = Vec::new();
    let mut name = name;
    let mut credentials = loop {
        let profile = profiles.get(name).ok_or_else(|| profiles.no_such_profile(name))?;
        if path.len() == MAX_PROFILES {
            return Err(unsupported(name, "source_profile", "profiles lead to each other in a circle"));
        }
        let is_own_source = path.last().is_some_and(|(last, _)| *last == name);
        if profile.contains_key("role_arn") && !is_own_source {
            if let Some((setting, advice)) = UNSUPPORTED.iter().find(|(setting, _)| *setting == "mfa_serial")
                && profile.contains_key(*setting)
            {
                return Err(unsupported(name, setting, advice));
            }
            path.push((name, profile));
            if let Some(source) = profile.get("source_profile") {
                name = source;
                continue;
            }
            break from_role_source(settings, name, profile).await?;
        }
        if let Some(credentials) = static_credentials(name, profile)? {
            break credentials;
        }
        if let Some((setting, advice)) = UNSUPPORTED.iter().find(|(key, _)| profile.contains_key(*key)) {
            return Err(unsupported(name, setting, advice));
        }
        if path.is_empty() {
            return Ok(None);
        }
        return Err(CredentialsError::NotFound { profile: name.to_owned() });
    };
    while let Some((name, profile)) = path.pop() {
        // What a web identity has given is the role's already.
        if profile.contains_key("web_identity_token_file") && !profile.contains_key("source_profile") {
            continue;
        }
        let source = CredentialsSource::Profile(name.to_owned());
        credentials = assume(settings, role(profile), Proof::Credentials(&credentials), source).await?;
    }
    Ok(Some(credentials))
}

fn role(profile: &Profile) -> Role<'_> {
    let get = |key: &str| profile.get(key).map(String::as_str);
    Role {
        arn: get("role_arn").unwrap_or_default(),
        session_name: get("role_session_name"),
        external_id: get("external_id"),
    }
}

/// The credentials that a role is asked for with, where no other profile has them.
async fn from_role_source(
    settings: &AwsSettings,
    name: &str,
    profile: &Profile,
) -> Result<Credentials, CredentialsError> {
    if let Some(file) = profile.get("web_identity_token_file") {
        let token = read_token(file)?;
        let source = CredentialsSource::Profile(name.to_owned());
        return assume(settings, role(profile), Proof::WebIdentity(&token), source).await;
    }
    let environment = &settings.environment;
    let found = match profile.get("credential_source").map(String::as_str) {
        Some("Environment") => from_variables(environment)?,
        Some("EcsContainer") => container::fetch(environment).await?,
        Some("Ec2InstanceMetadata") => instance::fetch(environment).await?,
        _ => return Err(unsupported(name, "role_arn", "add source_profile or credential_source beside it")),
    };
    found.ok_or_else(|| CredentialsError::NotFound { profile: name.to_owned() })
}

fn unsupported(profile: &str, setting: &'static str, advice: &'static str) -> CredentialsError {
    CredentialsError::Unsupported { profile: profile.to_owned(), setting, advice }
}

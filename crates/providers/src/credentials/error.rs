//! Where credentials are from, and why there are none.

use std::fmt;

use crate::cause::ConnectCause;

/// Where credentials are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialsSource {
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    Variables,
    /// A profile of `~/.aws/credentials` or `~/.aws/config`.
    Profile(String),
    /// A role, for the token of a web identity.
    WebIdentity,
    /// The role of a container, by its endpoint.
    Container,
    /// The role of an EC2 instance, by its metadata.
    Instance,
    /// A file of Google's, by its path.
    GoogleFile(String),
    /// The service account of a machine of Google's, by its metadata server.
    GoogleMetadata,
}

impl fmt::Display for CredentialsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variables => f.write_str("AWS_ACCESS_KEY_ID"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::WebIdentity => f.write_str("web identity"),
            Self::Container => f.write_str("container role"),
            Self::Instance => f.write_str("instance role"),
            Self::GoogleFile(path) => f.write_str(path),
            Self::GoogleMetadata => f.write_str("metadata server"),
        }
    }
}

/// Why a request cannot be signed, or has no token. No request was sent to the provider, which is not responsible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Nothing of AWS' chain has any. The configuration has to change.
    #[error(
        "there are no AWS credentials: set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
         or AWS_PROFILE; looked for variables, profile {profile:?}, a container's role and an instance's role"
    )]
    NotFound {
        /// The profile that was looked for.
        profile: String,
    },
    /// A variable or key of a profile is missing beside another one.
    #[error("{present} is set, but {missing} is not: set both")]
    Incomplete {
        /// Which is there.
        present: String,
        /// Which is not.
        missing: String,
    },
    /// The profile that was named is in no file.
    #[error("there is no AWS profile {profile:?} in {files}: correct the name, or add it")]
    NoSuchProfile {
        /// Its name.
        profile: String,
        /// Where it was looked for.
        files: String,
    },
    /// A profile gets its credentials in a way that is not supported.
    #[error("the AWS profile {profile:?} uses {setting}, which is not supported: {advice}")]
    Unsupported {
        /// Its name.
        profile: String,
        /// The setting.
        setting: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Nothing of Google's chain has any. The configuration has to change.
    #[error(
        "there are no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account, run \
         `gcloud auth application-default login`, or set api_key; looked for that variable, gcloud's file and a metadata server"
    )]
    NoGoogleCredentials,
    /// A file of Google's gets its credentials in a way that is not supported.
    #[error("{path} has credentials of type {kind:?}, which is not supported: {advice}")]
    UnsupportedFile {
        /// Its path.
        path: String,
        /// The file's `type`.
        kind: String,
        /// What to do.
        advice: &'static str,
    },
    /// Nobody says which of Google's projects is called for.
    #[error(
        "there is no Google Cloud project: set GOOGLE_CLOUD_PROJECT, or project in the provider's section"
    )]
    NoProject,
    /// A file cannot be read.
    #[error("{path} cannot be read: {problem}")]
    File {
        /// Its path.
        path: String,
        /// The system's words.
        problem: String,
    },
    /// A variable is not what it should be.
    #[error("{variable} {problem}")]
    Variable {
        /// Its name.
        variable: &'static str,
        /// What is wrong, and what was expected.
        problem: &'static str,
    },
    /// The service that hands them out cannot be reached. It may pass.
    #[error("{} credentials cannot be fetched: {service} cannot be reached ({cause})", .service.owner())]
    Unreachable {
        /// The service.
        service: CredentialsService,
        /// Why.
        cause: ConnectCause,
    },
    /// The service that hands them out answered with an error.
    #[error("{} credentials cannot be fetched: {service} answered with HTTP {status}{}", .service.owner(), named(.code.as_deref()))]
    Refused {
        /// The service.
        service: CredentialsService,
        /// The status.
        status: u16,
        /// The service's error code.
        code: Option<String>,
    },
    /// The service that hands them out sent something else, or nothing in time.
    #[error("{} credentials cannot be fetched: {service} {problem}", .service.owner())]
    Invalid {
        /// The service.
        service: CredentialsService,
        /// What is wrong.
        problem: &'static str,
    },
    /// The service refused a proof of this moment, and this machine's clock is wrong.
    #[error("{} credentials cannot be fetched: this machine's clock is {skew} that of {service}: set it by NTP", .service.owner())]
    Clock {
        /// The service.
        service: CredentialsService,
        /// How far it is off: `7 minutes ahead of`.
        skew: String,
    },
    /// The credentials cannot stand in a header.
    #[error("the credentials have characters that are invalid in an HTTP header: check them for line breaks")]
    Unusable,
    /// The fetch ended without a result: the process stops.
    #[error("the credentials were not fetched: the process is stopping")]
    Interrupted,
}

fn named(code: Option<&str>) -> String {
    code.map(|code| format!(" {code}")).unwrap_or_default()
}

/// A service that hands out credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialsService {
    /// The endpoint of `AWS_CONTAINER_CREDENTIALS_FULL_URI` or `…_RELATIVE_URI`.
    Container,
    /// The instance's metadata.
    InstanceMetadata,
    /// AWS STS.
    Sts,
    /// Google's metadata server.
    GoogleMetadata,
    /// Google's service that exchanges what a file has for a token.
    GoogleToken,
}

impl fmt::Display for CredentialsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Container => "the container's credentials endpoint",
            Self::InstanceMetadata => "the instance's metadata service",
            Self::Sts => "AWS STS",
            Self::GoogleMetadata => "the metadata server",
            Self::GoogleToken => "the token endpoint",
        })
    }
}

impl CredentialsService {
    /// Whose credentials it hands out.
    const fn owner(self) -> &'static str {
        match self {
            Self::Container | Self::InstanceMetadata | Self::Sts => "AWS",
            Self::GoogleMetadata | Self::GoogleToken => "Google",
        }
    }
}

impl CredentialsError {
    /// Whether it may pass by itself: a service that hands out credentials is unreachable or failing.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Invalid { .. } | Self::Interrupted => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }

    /// A short code for logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        if self.is_temporary() { "credentials_unavailable" } else { "no_credentials" }
    }
}

//! What the configuration and the environment say about an AWS account.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The variables that are read, by the names that the AWS SDKs have for them. `HOME` is where `~/.aws` is.
const VARIABLES: [&str; 23] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_METADATA_SERVICE_TIMEOUT",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "HOME",
];

/// AWS' own variables of the environment. `Debug` shows only names: values may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AwsEnvironment(BTreeMap<&'static str, String>);

impl AwsEnvironment {
    /// The names of the variables that are read.
    pub const NAMES: &'static [&'static str] = &VARIABLES;

    /// Reads them; an empty one counts as unset.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&'static str| {
            let value = variable(name).filter(|value| !value.trim().is_empty())?;
            Some((*name, value))
        };
        Self(VARIABLES.iter().filter_map(set).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The profile that is in use.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        self.get("AWS_PROFILE").or_else(|| self.get("AWS_DEFAULT_PROFILE"))
    }

    /// The region that is named by a variable.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.get("AWS_REGION").or_else(|| self.get("AWS_DEFAULT_REGION"))
    }

    /// A file of `~/.aws`, which a variable may name.
    pub(super) fn file(&self, variable: &str, default: &str) -> Option<PathBuf> {
        match self.get(variable) {
            Some(path) => match (path.strip_prefix("~/"), self.get("HOME")) {
                (Some(rest), Some(home)) => Some(PathBuf::from(home).join(rest)),
                _ => Some(path.into()),
            },
            None => Some(PathBuf::from(self.get("HOME")?).join(".aws").join(default)),
        }
    }
}

impl fmt::Debug for AwsEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The AWS account that a provider is called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsSettings {
    /// The region that requests are signed for, for instance `us-east-1`.
    pub region: String,
    /// The profile that the configuration names: its credentials count, and no variables. `None`: the usual chain.
    pub profile: Option<String>,
    /// The environment.
    pub environment: AwsEnvironment,
}

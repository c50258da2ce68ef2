//! What the configuration and the environment say about an account of Google Cloud.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The variables that are read, by the names that Google's SDKs have for them. `HOME` is where gcloud's files are.
///
/// <https://github.com/googleapis/google-auth-library-python/blob/main/google/auth/environment_vars.py>
const VARIABLES: [&str; 11] = [
    "CLOUDSDK_CONFIG",
    "GCE_METADATA_HOST",
    "GCE_METADATA_ROOT",
    "GCE_METADATA_TIMEOUT",
    "GCLOUD_PROJECT",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_LOCATION",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "HOME",
    "NO_GCE_CHECK",
];

/// Google Cloud's own variables of the environment.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct GoogleEnvironment(BTreeMap<&'static str, String>);

impl GoogleEnvironment {
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

    /// The project that is named by a variable.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        self.get("GOOGLE_CLOUD_PROJECT").or_else(|| self.get("GCLOUD_PROJECT"))
    }

    /// The location that is named by a variable, as Google's Gen AI SDK reads it.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.get("GOOGLE_CLOUD_LOCATION")
    }

    /// The file that `gcloud auth application-default login` writes.
    pub(super) fn gcloud_file(&self) -> Option<PathBuf> {
        const NAME: &str = "application_default_credentials.json";
        let folder = match self.get("CLOUDSDK_CONFIG") {
            Some(folder) => PathBuf::from(folder),
            None => PathBuf::from(self.get("HOME")?).join(".config").join("gcloud"),
        };
        Some(folder.join(NAME))
    }
}

/// Only names.
impl fmt::Debug for GoogleEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The account of Google Cloud that a provider is called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleSettings {
    /// The project that is called for; `None`: the one that the credentials name, or with an API key none.
    pub project: Option<String>,
    /// Where models are called, for instance `us-central1` or `global`.
    pub location: String,
    /// The file that the configuration names: its credentials count, and no others. `None`: the usual chain.
    pub credentials: Option<PathBuf>,
    /// The environment.
    pub environment: GoogleEnvironment,
}

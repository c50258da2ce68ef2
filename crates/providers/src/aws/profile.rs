//! Profiles: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::credentials::Credentials;
use super::settings::AwsEnvironment;
use crate::credentials::{CredentialsError, CredentialsSource};

/// The name of the profile that is used where none is named.
pub(super) const DEFAULT_PROFILE: &str = "default";

/// The keys of one profile.
pub(super) type Profile = BTreeMap<String, String>;

/// The profiles of both files.
#[derive(Default)]
pub(super) struct Profiles {
    profiles: BTreeMap<String, Profile>,
    paths: Vec<PathBuf>,
}

impl Profiles {
    /// Reads both files. A file that is not there has no profiles.
    pub(super) fn read(environment: &AwsEnvironment) -> Result<Self, CredentialsError> {
        let mut profiles = Self::default();
        let config = environment.file("AWS_CONFIG_FILE", "config");
        let credentials = environment.file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        // The credentials file wins.
        for (path, is_config) in [(config, true), (credentials, false)] {
            let Some(path) = path else { continue };
            profiles.add(&read_file(&path)?, is_config);
            profiles.paths.push(path);
        }
        Ok(profiles)
    }

    fn add(&mut self, text: &str, is_config: bool) {
        let mut section: Option<String> = None;
        for line in text.lines() {
            // What is indented belongs to the setting before, of which nothing is read here.
            let is_nested = line.starts_with([' ', '\t']);
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(header) = line.strip_prefix('[') {
                let name = header.split(']').next().unwrap_or_default();
                section = profile_name(name.trim(), is_config);
                if let Some(name) = &section {
                    self.profiles.entry(name.clone()).or_default();
                }
            } else if let (Some(name), Some((key, value)), false) =
                (&section, line.split_once('='), is_nested)
            {
                let value = without_comment(value).to_owned();
                let profile = self.profiles.entry(name.clone()).or_default();
                profile.insert(key.trim().to_ascii_lowercase(), value);
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// The error for a profile that is in no file.
    pub(super) fn no_such_profile(&self, name: &str) -> CredentialsError {
        let paths: Vec<_> = self.paths.iter().map(|path| path.display().to_string()).collect();
        let files = if paths.is_empty() { "~/.aws".to_owned() } else { paths.join(" and ") };
        CredentialsError::NoSuchProfile { profile: name.to_owned(), files }
    }
}

fn read_file(path: &Path) -> Result<String, CredentialsError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(CredentialsError::File {
            path: path.display().to_string(),
            problem: error.kind().to_string(),
        }),
    }
}

/// `[profile NAME]` in `config`, but `[default]`; `[NAME]` in `credentials`. Other sections are no profiles.
fn profile_name(section: &str, is_config: bool) -> Option<String> {
    let name = match section.split_once(char::is_whitespace) {
        Some(("profile", name)) if is_config => name.trim().trim_matches(['"', '\'']),
        _ if !is_config || section == DEFAULT_PROFILE => section,
        _ => return None,
    };
    Some(name.to_owned())
}

/// A comment behind a value begins with a blank.
fn without_comment(value: &str) -> &str {
    let end = [" #", " ;", "\t#", "\t;"].iter().filter_map(|comment| value.find(comment)).min();
    value[..end.unwrap_or(value.len())].trim()
}

/// The keys that stand in the profile itself; `None`: it has none.
pub(super) fn static_credentials(
    name: &str,
    profile: &Profile,
) -> Result<Option<Credentials>, CredentialsError> {
    let key = |key: &str| profile.get(key).filter(|value| !value.is_empty());
    let incomplete = |present: &str, missing: &str| CredentialsError::Incomplete {
        present: format!("{present} of the AWS profile {name:?}"),
        missing: missing.to_owned(),
    };
    match (key("aws_access_key_id"), key("aws_secret_access_key")) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(incomplete("aws_access_key_id", "aws_secret_access_key")),
        (None, Some(_)) => Err(incomplete("aws_secret_access_key", "aws_access_key_id")),
        (Some(id), Some(secret)) => Ok(Some(Credentials {
            access_key_id: id.clone(),
            secret_access_key: secret.clone().into(),
            session_token: key("aws_session_token").map(|token| token.clone().into()),
            expires_at: None,
            source: CredentialsSource::Profile(name.to_owned()),
        })),
    }
}

/// The region of this profile, or else of the one in use, if it names one. It reads the files of `~/.aws`.
#[must_use]
pub fn profile_region(environment: &AwsEnvironment, profile: Option<&str>) -> Option<String> {
    let name = profile.or_else(|| environment.profile()).unwrap_or(DEFAULT_PROFILE);
    Profiles::read(environment).ok()?.get(name)?.get("region").filter(|region| !region.is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    const CONFIG: &str = "\
[default]
region=us-west-2
[profile dev] # mine
region = eu-west-1   ; near
s3 =
    max_concurrent_requests = 20
    aws_access_key_id = NESTED
[profile \"two words\"]
role_arn = arn:aws:iam::1:role/r
[sso-session corp]
region = nowhere
[services dev]
";

    const CREDENTIALS: &str = "\
[default]
aws_access_key_id = AKID
aws_secret_access_key = a/b+c=#d
[dev]
AWS_ACCESS_KEY_ID=DEV
aws_secret_access_key=s
aws_session_token = t==
[half]
aws_secret_access_key = s
";

    fn profiles() -> Profiles {
        let mut profiles = Profiles::default();
        profiles.add(CONFIG, true);
        profiles.add(CREDENTIALS, false);
        profiles
    }

    #[test]
    fn both_files_are_read() {
        let profiles = profiles();
        let names: Vec<_> = profiles.profiles.keys().map(String::as_str).collect();
        assert_eq!(names, ["default", "dev", "half", "two words"]);
        let region = |name: &str| profiles.get(name).unwrap().get("region").map(String::as_str);
        assert_eq!((region("default"), region("dev")), (Some("us-west-2"), Some("eu-west-1")));
        let credentials = |name: &str| static_credentials(name, profiles.get(name).unwrap());
        let default = credentials("default").unwrap().unwrap();
        assert_eq!(default.access_key_id, "AKID");
        assert_eq!(default.secret_access_key.expose_secret(), "a/b+c=#d");
        let dev = credentials("dev").unwrap().unwrap();
        assert_eq!(dev.access_key_id, "DEV", "what is nested in a setting is none of the profile's");
        assert_eq!(dev.session_token.unwrap().expose_secret(), "t==");
        assert!(credentials("two words").unwrap().is_none());
        let error = credentials("half").unwrap_err().to_string();
        assert!(error.contains("aws_access_key_id is not"), "{error}");
    }
}

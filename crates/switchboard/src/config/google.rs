//! The account of Google Cloud of a provider of Vertex AI.

use std::path::PathBuf;

use providers::{GoogleEnvironment, GoogleSettings};
use url::Url;

use super::{
    context::ParseContext,
    document::Section,
    environment::{Environment, names},
};

/// Where models are called if nothing names a location, as Google's Gen AI SDK has it.
const DEFAULT_LOCATION: &str = "global";

/// Locations that span several regions have hosts of their own.
///
/// <https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations>, and google-genai's `_MULTI_REGIONAL_LOCATIONS`.
const MULTI_REGIONS: [&str; 2] = ["us", "eu"];

/// What the file says about an account.
#[derive(Debug, Default)]
pub(super) struct GoogleAccount {
    project: Option<String>,
    location: Option<String>,
    credentials: Option<PathBuf>,
}

impl GoogleAccount {
    /// `None`: invalid, and reported.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let has_key = section.contains_key("api_key");
        let project = match section.value("project") {
            Some(value) => {
                let project = value.text()?;
                if !is_project(&project) {
                    return value.report(
                        "is not the id of a Google Cloud project, expected one such as \"my-project-1\"",
                    );
                }
                Some(project)
            }
            None => None,
        };
        let location = match section.value("location") {
            Some(value) => {
                let location = value.text()?;
                if !is_location(&location) {
                    return value.report(format_args!("is {NO_LOCATION}"));
                }
                Some(location)
            }
            None => None,
        };
        let credentials = match section.value("credentials") {
            Some(value) if has_key => return value.report("stands beside api_key; remove one of them"),
            Some(value) => Some(PathBuf::from(value.text()?)),
            None => None,
        };
        Some(Self { project, location, credentials })
    }

    /// Where its models are called; a variable that is no location is reported.
    pub(super) fn base_url(&self, context: &ParseContext<'_>) -> Option<Url> {
        let environment = google_environment(context.environment);
        let location = self.location(&environment);
        if !is_location(&location) {
            context.report_variable(names::GOOGLE_CLOUD_LOCATION, format!("is {NO_LOCATION}"));
            return None;
        }
        let host = match location.as_str() {
            DEFAULT_LOCATION => "aiplatform.googleapis.com".to_owned(),
            location if MULTI_REGIONS.contains(&location) => {
                format!("aiplatform.{location}.rep.googleapis.com")
            }
            location => format!("{location}-aiplatform.googleapis.com"),
        };
        format!("https://{host}").parse().ok()
    }

    fn location(&self, environment: &GoogleEnvironment) -> String {
        let named = self.location.as_deref().or_else(|| environment.location());
        named.unwrap_or(DEFAULT_LOCATION).to_owned()
    }

    /// Its settings. An API key stands for a project, unless the file names one: in the environment it may be another's.
    pub(super) fn settings(self, has_key: bool, environment: &Environment) -> GoogleSettings {
        let environment = google_environment(environment);
        let location = self.location(&environment);
        let by_variable = environment.project().filter(|_| !has_key && self.credentials.is_none());
        let project = self.project.or_else(|| by_variable.map(str::to_owned));
        GoogleSettings { project, location, credentials: self.credentials, environment }
    }
}

/// Whether the environment asks for Vertex AI, by the variables of Google's Gen AI SDK.
pub(super) fn is_configured_by_env(environment: &Environment) -> bool {
    let says = |name: &str| Some(matches!(&*environment.get(name)?.to_ascii_lowercase(), "true" | "1"));
    let asks = says(names::GOOGLE_GENAI_USE_ENTERPRISE).or_else(|| says(names::GOOGLE_GENAI_USE_VERTEXAI));
    asks.unwrap_or(false) && google_environment(environment).project().is_some()
}

const NO_LOCATION: &str =
    "not a location of Google Cloud, expected \"global\" or one such as \"us-central1\"";

/// A part of a host's name.
fn is_location(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(is_name)
}

/// An id or a number; some have a domain's name before a colon.
fn is_project(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(is_name)
}

fn google_environment(environment: &Environment) -> GoogleEnvironment {
    GoogleEnvironment::read(|name| environment.get(name).map(str::to_owned))
}

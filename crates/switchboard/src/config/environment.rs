//! The environment of the configuration: the process's variables over those of `.env`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::Path,
};

use super::{
    dotenv,
    problem::{Location, Problem, Problems},
};

/// The variables that Switchboard reads, besides those of Open SWE's tasks ([`super::tasks`]).
pub mod names {
    use providers::{Activation, AwsEnvironment, GoogleEnvironment, Vendor};

    /// The configuration file; `--config` wins.
    pub const CONFIG: &str = "SWITCHBOARD_CONFIG";
    /// `[server] listen`; `--listen` wins.
    pub const LISTEN: &str = "SWITCHBOARD_LISTEN";
    /// A key in addition to `[server] api_keys`.
    pub const API_KEY: &str = "SWITCHBOARD_API_KEY";
    /// A key in addition to `[server] admin_keys`.
    pub const ADMIN_KEY: &str = "SWITCHBOARD_ADMIN_KEY";
    /// The log filter, in the syntax of `RUST_LOG`, over which it wins.
    pub const LOG: &str = "SWITCHBOARD_LOG";
    /// The log filter.
    pub const RUST_LOG: &str = "RUST_LOG";
    /// `text` or `json`; `--log-format` wins.
    pub const LOG_FORMAT: &str = "SWITCHBOARD_LOG_FORMAT";
    /// Any value but the empty one turns colour off.
    pub const NO_COLOR: &str = "NO_COLOR";
    /// `[redis] url`.
    pub const REDIS_URL: &str = "REDIS_URL";
    /// The key of the provider `openai`.
    pub const OPENAI_API_KEY: &str = "OPENAI_API_KEY";
    /// The base URL of the provider `openai`, with its `/v1`.
    pub const OPENAI_BASE_URL: &str = "OPENAI_BASE_URL";
    /// The key of the provider `anthropic`.
    pub const ANTHROPIC_API_KEY: &str = "ANTHROPIC_API_KEY";
    /// The base URL of the provider `anthropic`, without `/v1`.
    pub const ANTHROPIC_BASE_URL: &str = "ANTHROPIC_BASE_URL";
    /// The key of the provider `google-genai`.
    pub const GOOGLE_API_KEY: &str = "GOOGLE_API_KEY";
    /// The same, if `GOOGLE_API_KEY` is not set.
    pub const GEMINI_API_KEY: &str = "GEMINI_API_KEY";
    /// The base URL of the provider `google-genai`.
    pub const GOOGLE_GEMINI_BASE_URL: &str = "GOOGLE_GEMINI_BASE_URL";
    /// The key of the provider `bedrock`, instead of AWS credentials.
    pub const AWS_BEARER_TOKEN_BEDROCK: &str = "AWS_BEARER_TOKEN_BEDROCK";
    /// The region of the provider `bedrock`.
    pub const AWS_REGION: &str = "AWS_REGION";
    /// The same, if `AWS_REGION` is not set.
    pub const AWS_DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
    /// The base URL of providers of Bedrock.
    pub const AWS_ENDPOINT_URL_BEDROCK_RUNTIME: &str = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME";
    /// AWS credentials: any of these configures the provider `bedrock`. [`AwsEnvironment::NAMES`] has all that are read.
    pub const AWS_CREDENTIAL_VARIABLES: [&str; 5] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    /// The key of the provider `azure`, or a token of Microsoft's Entra.
    pub const AZURE_OPENAI_API_KEY: &str = "AZURE_OPENAI_API_KEY";
    /// The base URL of the provider `azure`: the endpoint of its resource.
    pub const AZURE_OPENAI_ENDPOINT: &str = "AZURE_OPENAI_ENDPOINT";
    /// The version of its API, if it is one with a date.
    pub const AZURE_OPENAI_API_VERSION: &str = "AZURE_OPENAI_API_VERSION";
    /// The same, if `AZURE_OPENAI_API_VERSION` is not set.
    pub const OPENAI_API_VERSION: &str = "OPENAI_API_VERSION";
    /// `true`, with a project: the provider `vertex` is configured.
    pub const GOOGLE_GENAI_USE_VERTEXAI: &str = "GOOGLE_GENAI_USE_VERTEXAI";
    /// The newer name of the same, which wins.
    pub const GOOGLE_GENAI_USE_ENTERPRISE: &str = "GOOGLE_GENAI_USE_ENTERPRISE";
    /// The project of providers of Vertex AI. [`GoogleEnvironment::NAMES`] has all that are read for an account.
    pub const GOOGLE_CLOUD_PROJECT: &str = "GOOGLE_CLOUD_PROJECT";
    /// The location of providers of Vertex AI.
    pub const GOOGLE_CLOUD_LOCATION: &str = "GOOGLE_CLOUD_LOCATION";
    /// The base URL of providers of Vertex AI.
    pub const GOOGLE_VERTEX_BASE_URL: &str = "GOOGLE_VERTEX_BASE_URL";
    /// The OTLP/HTTP endpoint; traces go to its path `/v1/traces`.
    pub const OTEL_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    /// The endpoint of the traces, with its path.
    pub const OTEL_TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    /// `true` turns traces off.
    pub const OTEL_DISABLED: &str = "OTEL_SDK_DISABLED";
    /// The service name in traces.
    pub const OTEL_SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
    /// All of them but those of [`AwsEnvironment::NAMES`] and [`GoogleEnvironment::NAMES`] that only credentials need, and of
    /// [`Vendor::all`].
    pub const ALL: [&str; 33] = [
        CONFIG,
        LISTEN,
        API_KEY,
        ADMIN_KEY,
        LOG,
        RUST_LOG,
        LOG_FORMAT,
        NO_COLOR,
        REDIS_URL,
        OPENAI_API_KEY,
        OPENAI_BASE_URL,
        ANTHROPIC_API_KEY,
        ANTHROPIC_BASE_URL,
        GOOGLE_API_KEY,
        GEMINI_API_KEY,
        GOOGLE_GEMINI_BASE_URL,
        AWS_BEARER_TOKEN_BEDROCK,
        AWS_REGION,
        AWS_DEFAULT_REGION,
        AWS_ENDPOINT_URL_BEDROCK_RUNTIME,
        AZURE_OPENAI_API_KEY,
        AZURE_OPENAI_ENDPOINT,
        AZURE_OPENAI_API_VERSION,
        OPENAI_API_VERSION,
        GOOGLE_GENAI_USE_VERTEXAI,
        GOOGLE_GENAI_USE_ENTERPRISE,
        GOOGLE_CLOUD_PROJECT,
        GOOGLE_CLOUD_LOCATION,
        GOOGLE_VERTEX_BASE_URL,
        OTEL_ENDPOINT,
        OTEL_TRACES_ENDPOINT,
        OTEL_DISABLED,
        OTEL_SERVICE_NAME,
    ];
    /// Open SWE's tasks, as they stand in the names of the variables for their models.
    const TASKS: [&str; 5] = ["PLANNER", "PROGRAMMER", "REVIEWER", "ROUTER", "SUMMARIZER"];

    /// `HOME` is the system's, and no line of `.env` needs it.
    fn is_of_cloud(name: &str) -> bool {
        name != "HOME" && (AwsEnvironment::NAMES.contains(&name) || GoogleEnvironment::NAMES.contains(&name))
    }

    /// One that is set for many other purposes is no variable of ours.
    fn is_vendors(name: &str) -> bool {
        let mut vendors = Vendor::all().iter().filter(|vendor| vendor.activation != Activation::Named);
        vendors.any(|vendor| vendor.variables().any(|variable| variable == name))
    }

    /// Whether Switchboard reads the variable, whatever the configuration says.
    #[must_use]
    pub fn is_ours(name: &str) -> bool {
        let task = name.strip_suffix("_MODEL").and_then(|name| name.rsplit_once('_'));
        let is_of_task = task.is_some_and(|(prefix, task)| {
            TASKS.contains(&task) && (prefix == "DEFAULT" || prefix.starts_with("FALLBACK_"))
        });
        is_of_task || ALL.contains(&name) || is_of_cloud(name) || is_vendors(name)
    }
}

/// Variables by name. `Debug` shows only names: values may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// Variables that `.env` has, and whose lines give no value. They are a problem only of those who use them.
    unreadable: BTreeMap<String, Problem>,
}

impl Environment {
    /// An environment with these variables.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let variables = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, unreadable: BTreeMap::new() }
    }

    /// The process's variables over those of the `.env` in the working directory. The process's own environment is
    /// not changed. Variables that are not Unicode are left out.
    ///
    /// # Errors
    /// When `.env` cannot be read, or a line that sets one of our variables cannot.
    pub fn read() -> Result<Self, Problems> {
        let process = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let process = Self::from_pairs(process);
        let path = Path::new(".env");
        let problem = |message| Problem { location: Location::WholeFile(path.to_owned()), message };
        match std::fs::read(path) {
            Ok(bytes) if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) => {
                Err(problem("is UTF-16; save it as UTF-8".to_owned()).into())
            }
            // What is no UTF-8 may stand in a line that is none of ours.
            Ok(bytes) => process.with_dotenv_defaults(path, &String::from_utf8_lossy(&bytes)),
            // A directory of this name is one of Python's virtual environments.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {
                Ok(process)
            }
            Err(error) => Err(problem(format!("cannot be read: {error}")).into()),
        }
    }

    /// Adds the variables of a `.env` text that are not set yet.
    ///
    /// # Errors
    /// When a line that sets one of our variables cannot be read. Other lines stop nothing: they belong to others.
    pub fn with_dotenv_defaults(mut self, path: &Path, text: &str) -> Result<Self, Problems> {
        let process = |name: &str| self.variables.get(name).cloned();
        let assignments = dotenv::parse(text, process, names::is_ours);
        let set_by_process: BTreeSet<_> = self.variables.keys().cloned().collect();
        for dotenv::Assignment { name, line, value } in assignments {
            if set_by_process.contains(&name) {
                continue;
            }
            match value {
                Ok(value) => {
                    self.unreadable.remove(&name);
                    self.variables.insert(name, value);
                }
                Err(error) => {
                    let location = Location::File { path: path.to_owned(), line };
                    self.variables.remove(&name);
                    let problem = Problem { location, message: format!("{name} {error}") };
                    self.unreadable.insert(name, problem);
                }
            }
        }
        let ours = self.unreadable.iter().filter(|(name, _)| names::is_ours(name));
        Problems::check(ours.map(|(_, problem)| problem.clone()).collect())?;
        Ok(self)
    }

    /// The variable's value; an empty one counts as unset, since compose files pass unset variables on as empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_even_if_empty(name).filter(|value| !value.trim().is_empty())
    }

    /// The variable's value, even if it is empty.
    pub(super) fn get_even_if_empty(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Why the variable has no value, although `.env` has a line for it.
    pub(super) fn unreadable(&self, name: &str) -> Option<&Problem> {
        self.unreadable.get(name)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_wins_over_dotenv() {
        let process = Environment::from_pairs([("A", "process"), ("EMPTY", "")]);
        let text = "# comment\nA=file\nexport B='file two'\nEMPTY=file\n";
        let environment = process.with_dotenv_defaults(Path::new(".env"), text).unwrap();
        assert_eq!(environment.get("A"), Some("process"));
        assert_eq!(environment.get("B"), Some("file two"));
        assert_eq!(environment.get("EMPTY"), None, "set to nothing in the process");
        assert_eq!(environment.get("C"), None);
    }

    fn read(text: &str) -> Result<Environment, Problems> {
        Environment::from_pairs([("SWITCHBOARD_LISTEN", "")]).with_dotenv_defaults(Path::new(".env"), text)
    }

    #[test]
    fn an_invalid_line_of_ours_is_located_and_not_quoted() {
        for (line, expected) in [
            ("OPENAI_API_KEY hush hush", "OPENAI_API_KEY expected NAME=value"),
            ("OPENAI_API_KEY=\"hush hush", "OPENAI_API_KEY has no closing quote"),
            ("OPENAI_API_KEY='hush' hush", "OPENAI_API_KEY has text after its closing quote"),
            ("OPENAI_API_KEY=hush${NO}", "OPENAI_API_KEY uses ${NO}, which is not set"),
            ("DEFAULT_PLANNER_MODEL=hush${NO}", "DEFAULT_PLANNER_MODEL uses ${NO}, which is not set"),
            ("OPENAI_API_KEY=hush\u{fffd}", "OPENAI_API_KEY is not UTF-8"),
        ] {
            let error = read(&format!("A=1\n{line}\nB=2\n")).unwrap_err().to_string();
            assert!(error.starts_with(&format!(".env:2: {expected}")), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn lines_of_others_stop_nothing() {
        for line in [
            "APP_NAME=Open SWE agent",
            "no assignment at all",
            "QUOTE=\"never closed",
            "QUOTE='closed' and more",
            "DSN=${NO}",
            "LATIN=\u{fffd}",
            "$%&/()=?",
            "SWITCHBOARD_LISTEN=${NO}, and the process wins anyway",
        ] {
            let environment = read(&format!("{line}\nSWITCHBOARD_API_KEY=s3cr$et-key\n")).unwrap();
            assert_eq!(environment.get("SWITCHBOARD_API_KEY"), Some("s3cr$et-key"), "{line}");
        }
    }

    #[test]
    fn all_variables_of_ours_are_known() {
        let all = names::ALL.into_iter().chain(names::AWS_CREDENTIAL_VARIABLES);
        for name in all {
            assert!(names::is_ours(name), "{name}");
        }
        for name in ["APP_NAME", "DEFAULT_CHAT_MODEL", "PLANNER_MODEL", "MODEL", "_MODEL", ""] {
            assert!(!names::is_ours(name), "{name}");
        }
    }

    #[test]
    fn debug_shows_no_values() {
        let shown = format!("{:?}", Environment::from_pairs([("KEY", "hush")]));
        assert!(shown.contains("KEY") && !shown.contains("hush"), "{shown}");
    }
}

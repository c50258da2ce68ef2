//! The environment of the configuration: the process's variables over those of `.env`.

use std::{collections::BTreeMap, fmt, path::Path};

use super::problem::{Location, Problem, Problems};

/// The variables that Switchboard reads, besides those of Open SWE's tasks ([`super::tasks`]).
pub mod names {
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
    /// AWS credentials: any of these will configure the provider `bedrock` once it can be called.
    pub const AWS_CREDENTIAL_VARIABLES: [&str; 5] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    /// The OTLP/HTTP endpoint; traces go to its path `/v1/traces`.
    pub const OTEL_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    /// The endpoint of the traces, with its path.
    pub const OTEL_TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    /// `true` turns traces off.
    pub const OTEL_DISABLED: &str = "OTEL_SDK_DISABLED";
    /// The service name in traces.
    pub const OTEL_SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
    /// All of them but [`AWS_CREDENTIAL_VARIABLES`].
    pub const ALL: [&str; 23] = [
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
        OTEL_ENDPOINT,
        OTEL_TRACES_ENDPOINT,
        OTEL_DISABLED,
        OTEL_SERVICE_NAME,
    ];
}

/// Variables by name. `Debug` shows only names: values may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// An environment with these variables.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The process's variables over those of the `.env` in the working directory. The process's own environment is
    /// not changed. Variables that are not Unicode are left out.
    ///
    /// # Errors
    /// When `.env` cannot be read, or has a line that is not `NAME=value`.
    pub fn read() -> Result<Self, Problems> {
        let process = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let process = Self::from_pairs(process);
        let path = Path::new(".env");
        match std::fs::read_to_string(path) {
            Ok(text) => process.with_dotenv_defaults(path, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(process),
            Err(error) => {
                let message = format!("cannot be read: {error}");
                Err(Problem { location: Location::WholeFile(path.to_owned()), message }.into())
            }
        }
    }

    /// Adds the variables of a `.env` text that are not set yet.
    ///
    /// # Errors
    /// When a line is not `NAME=value`.
    pub fn with_dotenv_defaults(mut self, path: &Path, text: &str) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut from_file = BTreeMap::new();
        for item in dotenvy::from_read_iter(text.as_bytes()) {
            match item {
                Ok((name, value)) => _ = from_file.insert(name, value),
                Err(error) => problems.push(dotenv_problem(path, text, &error)),
            }
        }
        Problems::check(problems)?;
        for (name, value) in from_file {
            self.0.entry(name).or_insert(value);
        }
        Ok(self)
    }

    /// The variable's value; an empty one counts as unset, since compose files pass unset variables on as empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_even_if_empty(name).filter(|value| !value.trim().is_empty())
    }

    /// The variable's value, even if it is empty.
    pub(super) fn get_even_if_empty(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The error without the text of the line, which may contain a secret.
fn dotenv_problem(path: &Path, text: &str, error: &dotenvy::Error) -> Problem {
    let dotenvy::Error::LineParse(bad, _) = error else {
        return Problem {
            location: Location::WholeFile(path.to_owned()),
            message: "cannot be read".to_owned(),
        };
    };
    let line = text.find(bad.as_str()).map_or(1, |offset| text[..offset].matches('\n').count() + 1);
    let message = "expected NAME=value; put a value with blanks or # in quotes, \
                   and one with $ or \\ in single quotes"
        .to_owned();
    Problem { location: Location::File { path: path.to_owned(), line }, message }
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

    #[test]
    fn an_invalid_line_is_located_and_not_quoted() {
        let text = "A=1\nSECRET=hush hush\nB=2\n";
        let error =
            Environment::default().with_dotenv_defaults(Path::new(".env"), text).unwrap_err().to_string();
        assert!(error.starts_with(".env:2: expected NAME=value"), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }

    #[test]
    fn debug_shows_no_values() {
        let shown = format!("{:?}", Environment::from_pairs([("KEY", "hush")]));
        assert!(shown.contains("KEY") && !shown.contains("hush"), "{shown}");
    }
}

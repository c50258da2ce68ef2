//! The errors of the table, and what the official SDKs make of them.

use std::{collections::HashMap, fmt, str::FromStr};

use dialects::Dialect;

use crate::table::parse_format;

/// An error as the gateway gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenError {
    pub(crate) status: u16,
    /// The code by which programs know it.
    pub(crate) code: String,
}

/// `502 attempts_exhausted`, or `429 a; anthropic: 402 b; gemini: 429 C` where it is not the same for all formats.
#[derive(Debug, Clone)]
pub(crate) struct ErrorCell {
    for_most: Option<GivenError>,
    others: Vec<(Dialect, GivenError)>,
}

impl ErrorCell {
    /// What a caller of this format gets.
    pub(crate) fn of(&self, format: Dialect) -> Option<&GivenError> {
        let other = self.others.iter().find(|(other, _)| *other == format);
        other.map(|(_, error)| error).or(self.for_most.as_ref())
    }
}

impl FromStr for ErrorCell {
    type Err = String;

    fn from_str(cell: &str) -> Result<Self, String> {
        if matches!(cell, "–" | "cut off") {
            return Ok(Self { for_most: None, others: Vec::new() });
        }
        let mut parts = cell.split("; ");
        let for_most = parts.next().unwrap_or_default().parse()?;
        let mut others = Vec::new();
        for part in parts {
            let (formats, error) = part.split_once(": ").ok_or("formats, a colon, an error")?;
            for format in formats.split(", ") {
                others.push((parse_format(format)?, error.parse()?));
            }
        }
        Ok(Self { for_most: Some(for_most), others })
    }
}

impl FromStr for GivenError {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (status, code) = text.split_once(' ').ok_or_else(|| format!("status and code, not {text:?}"))?;
        let status = status.parse().map_err(|_| format!("{status:?} is no status"))?;
        Ok(Self { status, code: code.to_owned() })
    }
}

/// What an SDK raises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExpectedException {
    Nothing,
    Error { class: String, status: Option<u16>, code: String },
}

impl ExpectedException {
    /// What OpenAI's SDK makes of a connection that ends in the middle of an answer.
    pub(crate) fn cut_off() -> Self {
        Self::Error { class: "APIConnectionError".to_owned(), status: None, code: String::new() }
    }
}

impl fmt::Display for ExpectedException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("–"),
            Self::Error { class, status: Some(status), code } => write!(f, "{class} {status} {code}"),
            Self::Error { class, status: None, code } => write!(f, "{class} {code}"),
        }
    }
}

/// The table of exceptions: their classes by the error's status, or its status and code.
pub(crate) struct SdkErrors(HashMap<(String, Sdk), String>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sdk {
    OpenAi,
    Anthropic,
    Google,
}

impl Sdk {
    const fn of(format: Dialect) -> Self {
        match format {
            Dialect::BedrockConverse => panic!("no caller has it"),
            Dialect::OpenAiChat | Dialect::OpenAiResponses => Self::OpenAi,
            Dialect::Anthropic => Self::Anthropic,
            Dialect::Gemini => Self::Google,
        }
    }
}

impl SdkErrors {
    pub(crate) const COLUMNS: [&str; 4] = ["error", "`openai`", "`anthropic`", "`google-genai`"];

    /// A row may name several statuses.
    pub(crate) fn parse<'a>(rows: impl Iterator<Item = &'a [&'a str]>) -> Result<Self, String> {
        let mut classes = HashMap::new();
        for cells in rows {
            let [errors, openai, anthropic, google] = cells else {
                return Err(format!("a row has four cells, not {}", cells.len()));
            };
            for error in errors.split(", ") {
                for (sdk, class) in
                    [(Sdk::OpenAi, openai), (Sdk::Anthropic, anthropic), (Sdk::Google, google)]
                {
                    classes.insert((error.to_owned(), sdk), (*class).to_owned());
                }
            }
        }
        Ok(Self(classes))
    }

    /// What the format's SDK makes of an error. Inside a stream, only Google's looks at the status that an error names.
    pub(crate) fn exception(
        &self,
        format: Dialect,
        error: &GivenError,
        in_stream: bool,
    ) -> ExpectedException {
        let sdk = Sdk::of(format);
        let (name, status) = match (sdk, in_stream) {
            (Sdk::OpenAi, true) => (IN_STREAM.to_owned(), None),
            (Sdk::Anthropic, true) => (IN_STREAM.to_owned(), Some(200)),
            _ => (error.status.to_string(), Some(error.status)),
        };
        let with_code = format!("{} `{}`", error.status, error.code);
        let class = self.0.get(&(with_code, sdk)).filter(|_| !in_stream).filter(|class| *class != "–");
        let class = class.or_else(|| self.0.get(&(name, sdk))).cloned();
        let class = class.unwrap_or_else(|| format!("(no class for {})", error.status));
        ExpectedException::Error { class, status, code: error.code.clone() }
    }
}

/// The row of the errors inside streams.
const IN_STREAM: &str = "inside a stream";

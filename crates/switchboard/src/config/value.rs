//! One value of the file, parsed as the type of a setting.

use std::time::Duration;

use gateway::duration::{DurationError, DurationText};
use secrecy::SecretString;
use toml::de::{DeTable, DeValue};
use url::Url;

use super::{context::ParseContext, interpolate::interpolate, problem::Location};

/// A value of the file, with its full name and line. Each reader reports a problem and returns `None` when the value is
/// not what it expects.
#[derive(Debug)]
pub(super) struct Value<'a> {
    context: &'a ParseContext<'a>,
    name: String,
    line: usize,
    value: &'a DeValue<'a>,
}

impl<'a> Value<'a> {
    pub(super) fn new(
        context: &'a ParseContext<'a>,
        name: String,
        line: usize,
        value: &'a DeValue<'a>,
    ) -> Self {
        Self { context, name, line, value }
    }

    /// Reports a problem of this value. The message must not contain a secret.
    pub(super) fn report<T>(&self, message: impl std::fmt::Display) -> Option<T> {
        self.context.report_line(self.line, format!("{} {message}", self.name));
        None
    }

    /// Reports that this value is allowed, and probably not meant. The message must not contain a secret.
    pub(super) fn warn(&self, message: impl std::fmt::Display) {
        self.context.warn(self.location(), format!("{} {message}", self.name));
    }

    fn report_mismatch<T>(&self, expectation: impl std::fmt::Display) -> Option<T> {
        self.report(format_args!("is {}, {expectation}", self.as_in_file()))
    }

    fn report_expected<T>(&self, expected: impl std::fmt::Display) -> Option<T> {
        self.report_mismatch(format_args!("expected {expected}"))
    }

    /// The value as in the file, without interpolation, so that no variable is shown.
    fn as_in_file(&self) -> String {
        match self.value {
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(value) => value.to_string(),
            _ => self.type_name().to_owned(),
        }
    }

    fn type_name(&self) -> &'static str {
        match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        }
    }

    /// Where it stands.
    pub(super) fn location(&self) -> Location {
        self.context.location(self.line)
    }

    /// The context of the parse.
    pub(super) fn context(&self) -> &'a ParseContext<'a> {
        self.context
    }

    /// A table, with its full name and line.
    pub(super) fn into_table(self) -> Option<(String, usize, &'a DeTable<'a>)> {
        match self.value {
            DeValue::Table(table) => Some((self.name, self.line, table)),
            _ => self.report(format_args!("is {}, expected a table", self.type_name())),
        }
    }

    /// Whether it is an array.
    pub(super) const fn is_array(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }

    /// The values of an array.
    pub(super) fn array(&self) -> Option<Vec<Value<'a>>> {
        let DeValue::Array(items) = self.value else {
            return self.report(format_args!("is {}, expected an array of strings", self.type_name()));
        };
        let item = |(index, item): (usize, &'a toml::Spanned<DeValue<'a>>)| {
            let line = self.context.line_of(item.span().start);
            Value::new(self.context, format!("{}[{index}]", self.name), line, item.get_ref())
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// A string, interpolated; not shown in a problem, since it may be a secret.
    pub(super) fn text(&self) -> Option<String> {
        let DeValue::String(text) = self.value else {
            return self.report(format_args!("is {}, expected a string", self.type_name()));
        };
        match interpolate(text, self.context.environment) {
            Ok(text) => Some(text),
            Err(error) => self.report(error),
        }
    }

    /// A secret that is not empty.
    pub(super) fn secret(&self) -> Option<SecretString> {
        let text = self.text()?;
        if text.trim().is_empty() {
            return self.report("is empty, expected a key; set it, or remove this line");
        }
        Some(text.into())
    }

    /// An `http` or `https` URL.
    pub(super) fn url(&self) -> Option<Url> {
        match parse_url(&self.text()?) {
            Ok(url) => Some(url),
            Err(error) => self.report(error),
        }
    }

    /// A duration, which may be zero.
    pub(super) fn duration(&self) -> Option<Duration> {
        if !matches!(self.value, DeValue::String(_)) {
            return self.report_mismatch(DurationError::Syntax);
        }
        match self.text()?.parse::<DurationText>() {
            Ok(DurationText(duration)) => Some(duration),
            Err(error) => self.report_mismatch(error),
        }
    }

    /// A duration that is not zero.
    pub(super) fn nonzero_duration(&self) -> Option<Duration> {
        let duration = self.duration()?;
        if duration.is_zero() { self.report_expected("longer than zero") } else { Some(duration) }
    }

    /// A duration that is not zero, or the word "off".
    pub(super) fn nonzero_duration_or_off(&self) -> Option<Option<Duration>> {
        if self.is_off() { Some(None) } else { self.nonzero_duration().map(Some) }
    }

    /// Whether it is the word "off".
    pub(super) fn is_off(&self) -> bool {
        matches!(self.value, DeValue::String(text) if text == "off")
    }

    /// A whole number, at least 1.
    pub(super) fn positive_integer(&self) -> Option<u32> {
        let number = match self.value {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let counted = number.filter(|number| *number >= 1);
        counted.or_else(|| self.report_expected("a whole number, at least 1"))
    }

    /// A number that passes `fits`, which `expected` describes.
    pub(super) fn number(&self, expected: &str, fits: impl Fn(f64) -> bool) -> Option<f64> {
        let number = match self.value {
            DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
            _ => None,
        };
        let fitting = number.filter(|number| number.is_finite() && fits(*number));
        fitting.or_else(|| self.report_expected(expected))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => Some(*value),
            _ => self.report_expected("true or false"),
        }
    }

    /// One of a few keywords.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let written = match self.value {
            DeValue::String(_) => self.text()?,
            _ => String::new(),
        };
        match choices.iter().find(|(keyword, _)| *keyword == written) {
            Some((_, meaning)) => Some(*meaning),
            None => self.report_expected(quoted_choices(choices)),
        }
    }
}

/// The keywords of a choice: `"enforce", "observe" or "off"`.
pub(super) fn quoted_choices<T>(choices: &[(&str, T)]) -> String {
    let quoted: Vec<_> = choices.iter().map(|(keyword, _)| format!("{keyword:?}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Parses an `http` or `https` URL without credentials. The error does not quote it: it may contain a password.
pub(super) fn parse_url(text: &str) -> Result<Url, String> {
    let expected = "expected a URL such as \"https://api.openai.com/v1\"";
    let url: Url = text.trim().parse().map_err(|error| format!("is not a URL ({error}), {expected}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("contains a user or password; put the key into api_key".to_owned());
    }
    match url.scheme() {
        "http" | "https" if url.query().is_some() || url.fragment().is_some() => {
            Err(format!("has a query or fragment, {expected}"))
        }
        "http" | "https" => Ok(url),
        _ => Err(format!("does not start with http:// or https://, {expected}")),
    }
}

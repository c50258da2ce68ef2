//! What a try tells: as text while it happens, or as JSON at the end.

use std::{fmt::Display, io, time::Duration};

use breaker::ModelKey;
use dialects::{Dialect, Usage};
use manager::{CallError, Chain, ChainEntry, SkippedModel, Translated};
use serde::Serialize;

use crate::output::{Output, Style, printable, printable_lines};

/// The widest label and a gap.
const LABEL_WIDTH: usize = 12;

/// Tells one try.
#[derive(Debug)]
pub(super) struct Teller {
    output: Output,
    json: bool,
    report: Report,
}

/// What `--json` prints. Names of API formats are those of `x-switchboard-translated`.
#[derive(Debug, Default, Serialize)]
struct Report {
    answered: bool,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_error: Option<String>,
    /// The API format of the request.
    format: Option<&'static str>,
    chain: Vec<ChainRow>,
    skipped: Vec<SkippedRow>,
    answered_by: Option<String>,
    attempts: Option<u32>,
    translated: Option<String>,
    dropped: Vec<String>,
    text: String,
    tokens_in: Option<u64>,
    tokens_out: Option<u64>,
    first_token_ms: Option<u128>,
    /// `None`: no call was made, or it was interrupted.
    duration_ms: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Debug, Serialize)]
struct ChainRow {
    model: String,
    formats: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct SkippedRow {
    model: String,
    reason: String,
}

/// Why there is no whole answer.
#[derive(Debug, Serialize)]
pub(super) struct Failure {
    code: &'static str,
    message: String,
}

impl Failure {
    pub(super) fn new(code: &'static str, message: &str) -> Self {
        Self { code, message: message.to_owned() }
    }

    pub(super) fn of(error: &CallError) -> Self {
        Self::new(error.code(), &error.caller_message())
    }
}

impl Teller {
    pub(super) fn new(output: Output, json: bool, model: &str) -> Self {
        Self { output, json, report: Report { model: model.to_owned(), ..Report::default() } }
    }

    /// Circuits are those of this process alone.
    pub(super) fn store(&mut self, problem: Option<String>) -> io::Result<()> {
        if let Some(problem) = &problem {
            let text = format!("not shared: Redis is unreachable ({problem}); see switchboard doctor");
            self.line("Circuits", Style::Warning, text)?;
        }
        self.report.store_error = problem;
        Ok(())
    }

    /// The models that may be called, and the API format of the request.
    pub(super) fn chain(&mut self, chain: &Chain, dialect: Dialect) -> io::Result<()> {
        self.line("Asked", Style::Strong, format_args!("{} in {dialect}", printable(chain.name())))?;
        for (index, entry) in chain.entries().iter().enumerate() {
            let label = if index == 0 { "Chain" } else { "" };
            let formats = join(entry.dialects().iter());
            self.line(label, Style::Strong, format_args!("{}. {} ({formats})", index + 1, entry.key))?;
        }
        self.report.format = Some(dialect.label());
        self.report.chain = chain.entries().iter().map(ChainRow::from).collect();
        Ok(())
    }

    /// The models without an answer, and why.
    pub(super) fn skipped(
        &mut self,
        skipped: &[SkippedModel],
        answered_by: Option<&ModelKey>,
    ) -> io::Result<()> {
        for SkippedModel { key, reason, .. } in skipped {
            let label = if Some(key) == answered_by { "Retried" } else { "Skipped" };
            let reason = printable(&reason.to_string());
            self.line(label, Style::Warning, format_args!("{key}: {reason}"))?;
            self.report.skipped.push(SkippedRow { model: key.to_string(), reason });
        }
        Ok(())
    }

    /// Who answered, or has begun to.
    pub(super) fn answered_by(
        &mut self,
        key: &ModelKey,
        attempts: u32,
        translated: Option<&Translated>,
    ) -> io::Result<()> {
        let plural = if attempts == 1 { "" } else { "s" };
        self.line(
            "Answered",
            Style::Good,
            format_args!("{key}, after {attempts} request{plural} to providers"),
        )?;
        if let Some(translated) = translated {
            let Translated { from, to, .. } = translated;
            self.line("Translated", Style::Strong, format_args!("from {from} to {to} ({translated})"))?;
        }
        if let Some(dropped) = translated.and_then(Translated::dropped_list) {
            self.line("Dropped", Style::Warning, printable(&dropped))?;
        }
        self.report.answered_by = Some(key.to_string());
        self.report.attempts = Some(attempts);
        self.report.translated = translated.map(ToString::to_string);
        self.report.dropped = translated.map_or_else(Vec::new, |translated| translated.dropped.clone());
        Ok(())
    }

    /// More of the answer.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        if !self.json && !text.is_empty() {
            let gap = if self.report.text.is_empty() { "\n" } else { "" };
            self.output.print_text(format_args!("{gap}{}", printable_lines(text)))?;
        }
        self.report.text.push_str(text);
        Ok(())
    }

    pub(super) const fn usage(&mut self, usage: Usage) {
        self.report.tokens_in = usage.input;
        self.report.tokens_out = usage.output;
    }

    pub(super) const fn first_token_after(&mut self, time: Duration) {
        self.report.first_token_ms = Some(time.as_millis());
    }

    pub(super) const fn took(&mut self, time: Duration) {
        self.report.duration_ms = Some(time.as_millis());
    }

    pub(super) fn failed(&mut self, failure: Failure) {
        self.report.error = Some(failure);
    }

    /// The end; whether there was a whole answer.
    pub(super) fn finish(mut self) -> io::Result<bool> {
        self.report.answered = self.report.error.is_none();
        if self.json {
            self.output.print_json(&self.report)?;
        } else {
            self.print_end()?;
        }
        Ok(self.report.answered)
    }

    fn print_end(&self) -> io::Result<()> {
        let Report { text, error, first_token_ms, duration_ms, tokens_in, tokens_out, .. } = &self.report;
        if !text.is_empty() {
            self.output.print_line("\n")?;
        }
        if let Some(Failure { code, message }) = error {
            self.line("Failed", Style::Bad, format_args!("{code}: {}", printable(message)))?;
        } else if text.is_empty() {
            self.line("Text", Style::Warning, "none: the model answered without any")?;
        }
        let first_token = first_token_ms.map(|ms| format!(", first token after {ms} ms")).unwrap_or_default();
        if let Some(duration_ms) = duration_ms {
            self.line("Time", Style::Strong, format_args!("{duration_ms} ms{first_token}"))?;
        }
        if let (Some(input), Some(output)) = (tokens_in, tokens_out) {
            self.line("Tokens", Style::Strong, format_args!("{input} in, {output} out"))?;
        }
        Ok(())
    }

    fn line(&self, label: &str, style: Style, text: impl Display) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let label = self.output.paint(style, label);
        self.output.print_hanging(format_args!("{label:<LABEL_WIDTH$}"), LABEL_WIDTH, &text.to_string())
    }
}

impl From<&ChainEntry> for ChainRow {
    fn from(entry: &ChainEntry) -> Self {
        let formats = entry.dialects().iter().map(|dialect| dialect.label()).collect();
        Self { model: entry.key.to_string(), formats }
    }
}

fn join(names: impl Iterator<Item: Display>) -> String {
    names.map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

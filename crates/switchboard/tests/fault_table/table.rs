//! Reading the table out of `docs/faults.md`.

use std::{fmt, ops::Range, path::Path, time::Duration};

use dialects::Dialect;

use crate::{
    limits,
    provider_api::ProviderApi,
    sdk_errors::{ErrorCell, SdkErrors},
};

/// The head of a table of faults.
const COLUMNS: [&str; 8] =
    ["fault", "call", "same model again", "next model", "counts", "known", "the caller gets", "the error"];

/// One row: what a fault comes to.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) line: usize,
    /// Its simulator's name.
    pub(crate) fault: String,
    /// Whether it comes after the first word of a stream.
    pub(crate) after_first_token: bool,
    pub(crate) modes: Vec<Mode>,
    /// How many answers are asked for at once.
    pub(crate) choices: usize,
    /// The pause before the same model is called again, if it is.
    pub(crate) retry_after: Option<DurationRange>,
    pub(crate) has_fallback: bool,
    pub(crate) counts: CircuitEffect,
    /// How long the last call to the model takes to fail or to answer.
    pub(crate) detection_time: Duration,
    pub(crate) caller_receives: CallerReceives,
    /// The API formats of the callers, and of the providers with the fault, for which it holds.
    pub(crate) callers: Vec<Dialect>,
    pub(crate) providers: Vec<ProviderApi>,
    pub(crate) error: ErrorCell,
    pub(crate) section: Section,
    /// Which of OpenAI's calls that are no conversation it is about, by their words; none: conversations.
    pub(crate) openai_calls: Vec<&'static str>,
}

/// Which formats callers and providers have in a table of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    SameFormat,
    AcrossFormats,
    /// The providers are Amazon Bedrock's two APIs.
    Bedrock,
    /// Calls that are no conversation.
    OpenAiCalls,
}

/// The words of OpenAI's calls that the table is about.
const OPENAI_CALLS: [&str; 4] = ["embeddings", "completions", "speech", "transcriptions"];

/// What the page says.
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    pub(crate) sdk_errors: SdkErrors,
}

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Mode {
    Plain,
    Stream,
    /// A stream on a route that buffers it.
    Buffered,
    /// Plain, and the model asked for by its own name, which is on no route.
    Direct,
}

/// At least and at most so long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DurationRange(pub(crate) Duration, pub(crate) Duration);

/// What the circuit has of it afterwards.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CircuitEffect {
    Nothing,
    Failures(u32),
    Cooldown(DurationRange),
    /// A cooldown that was waited out and ended with a success.
    CooldownExpired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerReceives {
    NextModelResponse,
    ThisModelResponse,
    ErrorResponse,
    /// Words without end; the caller of the test leaves after some.
    EndlessStream,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Stream => "stream",
            Self::Buffered => "buffered",
            Self::Direct => "direct",
        })
    }
}

/// The page's tables: of faults in one format, of faults across formats, and of what the SDKs raise.
pub(crate) fn read(page: &Path) -> Page {
    let text = std::fs::read_to_string(page).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let place =
        |heading: &str| lines.iter().position(|line| *line == heading).unwrap_or_else(|| panic!("{heading}"));
    let (table, across) = (place("## The table"), place("## Across formats"));
    let (bedrock, calls) = (place("## From Amazon Bedrock"), place("## OpenAI's other calls"));
    let sdks = place("## What the SDKs raise");
    assert!(table < across && across < bedrock && bedrock < calls && calls < sdks, "the order of the page");
    let fail = |line: usize, error: String| panic!("{}:{line}: {error}", page.display());
    let mut rows = Vec::new();
    for (range, section) in [
        (table..across, Section::SameFormat),
        (across..bedrock, Section::AcrossFormats),
        (bedrock..calls, Section::Bedrock),
        (calls..sdks, Section::OpenAiCalls),
    ] {
        let found = table_rows(&lines, range, &COLUMNS);
        rows.extend(found.iter().map(|(line, cells)| {
            parse_row(*line, cells, section).unwrap_or_else(|error| fail(*line, error))
        }));
    }
    let of_sdks = table_rows(&lines, sdks..lines.len(), &SdkErrors::COLUMNS);
    let sdk_errors = SdkErrors::parse(of_sdks.iter().map(|(_, cells)| &cells[..]))
        .unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    Page { rows, sdk_errors }
}

/// The cells of the table in these lines, each row with its line's number.
fn table_rows<'a>(lines: &[&'a str], range: Range<usize>, columns: &[&str]) -> Vec<(usize, Vec<&'a str>)> {
    let numbered = (range.start + 1..).zip(&lines[range]).filter(|(_, line)| line.starts_with('|'));
    let mut rows = numbered.map(|(number, line)| (number, split_cells(line)));
    assert_eq!(rows.next().unwrap().1, columns, "the table's head");
    rows.skip(1).collect()
}

fn split_cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

fn parse_row(line: usize, cells: &[&str], section: Section) -> Result<Row, String> {
    let [fault, call, again, next, counts, known, gets, error] = cells else {
        return Err(format!("a row has {} cells, this one has {}", COLUMNS.len(), cells.len()));
    };
    let fault = fault.split('`').nth(1).ok_or("the fault's name is to stand in backticks")?;
    let (call, callers, providers, openai_calls) = if section == Section::OpenAiCalls {
        let (call, openai_calls) = parse_openai_calls(call)?;
        (call, vec![Dialect::OpenAiChat], vec![ProviderApi::Of(Dialect::OpenAiChat)], openai_calls)
    } else {
        let (call, callers, providers) = parse_call(call)?;
        (call, callers, providers, Vec::new())
    };
    let (call, choices) = match call.split_once(" n=") {
        Some((call, choices)) => (call, choices.parse().map_err(|_| "n= takes a number")?),
        None => (call, 1),
    };
    Ok(Row {
        line,
        fault: fault.to_owned(),
        after_first_token: ["-after-4", "-after-9", "-no-done"].iter().any(|place| fault.contains(place)),
        modes: parse_modes(call)?,
        choices,
        retry_after: parse_retry_after(again)?,
        has_fallback: match *next {
            "yes" => true,
            "no" => false,
            _ => return Err(format!("yes or no, not {next:?}")),
        },
        counts: parse_circuit_effect(counts)?,
        detection_time: if *known == "at once" { Duration::ZERO } else { parse_range(known)?.0 },
        caller_receives: match *gets {
            "next model's answer" => CallerReceives::NextModelResponse,
            "this model's answer" => CallerReceives::ThisModelResponse,
            "the error" => CallerReceives::ErrorResponse,
            "words until it leaves" => CallerReceives::EndlessStream,
            _ => return Err(format!("nobody gets {gets:?}")),
        },
        callers,
        providers,
        error: error.parse()?,
        section,
        openai_calls,
    })
}

/// A call, and in parentheses behind it the formats of its callers and, after `from`, of the providers.
fn parse_call(cell: &str) -> Result<(&str, Vec<Dialect>, Vec<ProviderApi>), String> {
    let (mut callers, mut providers) = (Vec::from(Dialect::ALL), ProviderApi::all().collect());
    let Some((call, formats)) = cell.split_once(" (") else { return Ok((cell, callers, providers)) };
    for formats in formats.strip_suffix(')').ok_or("a parenthesis is open")?.split("; ") {
        match formats.strip_prefix("from ") {
            Some(apis) => providers = apis.split(", ").map(ProviderApi::parse).collect::<Result<_, _>>()?,
            None => callers = parse_formats(formats)?,
        }
    }
    Ok((call, callers, providers))
}

/// `plain (embeddings, transcriptions)`.
fn parse_openai_calls(cell: &str) -> Result<(&str, Vec<&'static str>), String> {
    let (mode, calls) = cell.split_once(" (").ok_or("which calls?")?;
    let calls = calls.strip_suffix(')').ok_or("a parenthesis is open")?.split(", ");
    let known = |word: &str| OPENAI_CALLS.iter().find(|call| **call == word).copied();
    let calls = calls.map(|word| known(word).ok_or_else(|| format!("{word:?} is no call")));
    Ok((mode, calls.collect::<Result<_, _>>()?))
}

/// `chat, responses`, or `not gemini`.
fn parse_formats(formats: &str) -> Result<Vec<Dialect>, String> {
    let (formats, are_meant) = match formats.strip_prefix("not ") {
        Some(others) => (others, false),
        None => (formats, true),
    };
    let listed = formats.split(", ").map(parse_format).collect::<Result<Vec<_>, _>>()?;
    Ok(Dialect::ALL.into_iter().filter(|format| listed.contains(format) == are_meant).collect())
}

/// A format by its word in the configuration.
pub(crate) fn parse_format(word: &str) -> Result<Dialect, String> {
    Dialect::from_word(word).ok_or_else(|| format!("{word:?} is no API format"))
}

/// The word of a format in the configuration.
pub(crate) const fn word_of(format: Dialect) -> &'static str {
    match format {
        Dialect::BedrockConverse => panic!("no caller has it"),
        Dialect::OpenAiChat => "chat",
        Dialect::OpenAiResponses => "responses",
        Dialect::Anthropic => "anthropic",
        Dialect::Gemini => "gemini",
    }
}

fn parse_modes(call: &str) -> Result<Vec<Mode>, String> {
    if call == "any" {
        return Ok(vec![Mode::Plain, Mode::Stream, Mode::Buffered]);
    }
    let mode = |word: &str| match word {
        "plain" => Ok(Mode::Plain),
        "stream" => Ok(Mode::Stream),
        "buffered" => Ok(Mode::Buffered),
        "direct" => Ok(Mode::Direct),
        _ => Err(format!("a call is plain, stream, buffered or direct, not {word:?}")),
    };
    call.split(", ").map(mode).collect()
}

fn parse_retry_after(text: &str) -> Result<Option<DurationRange>, String> {
    match text {
        "no" => Ok(None),
        "after backoff" => Ok(Some(DurationRange(limits::BACKOFF / 2, limits::BACKOFF))),
        _ => parse_range(text.strip_prefix("after ").ok_or("after what?")?).map(Some),
    }
}

fn parse_circuit_effect(text: &str) -> Result<CircuitEffect, String> {
    if text == "no" {
        return Ok(CircuitEffect::Nothing);
    }
    if let Some(length) = text.strip_prefix("cooldown of ") {
        return match length.strip_suffix(", over") {
            Some(_) => Ok(CircuitEffect::CooldownExpired),
            None => parse_range(length).map(CircuitEffect::Cooldown),
        };
    }
    let failures = text.split_once(" failure").and_then(|(number, _)| number.parse().ok());
    failures.map(CircuitEffect::Failures).ok_or_else(|| format!("no, failures or a cooldown, not {text:?}"))
}

fn parse_range(text: &str) -> Result<DurationRange, String> {
    let (least, most) = text.split_once(" to ").unwrap_or((text, text));
    Ok(DurationRange(parse_duration(least)?, parse_duration(most)?))
}

/// A duration, or the name of the setting that is one.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let timeouts = limits::timeouts();
    match text {
        "response" => Ok(timeouts.response),
        "first_byte" => Ok(timeouts.first_byte),
        "first_token" => Ok(timeouts.first_token),
        "idle" => Ok(timeouts.idle),
        "max_cooldown" => Ok(limits::policy().max_cooldown),
        _ => simulator::model_names::duration(text).map_err(|error| format!("{text:?}: {error}")),
    }
}

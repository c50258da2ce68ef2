//! Reading the table out of `docs/faults.md`.

use std::{fmt, path::Path, time::Duration};

use crate::limits;

const COLUMNS: [&str; 9] = [
    "fault",
    "call",
    "same model again",
    "next model",
    "counts",
    "known",
    "the caller gets",
    "OpenAI's SDK raises",
    "Anthropic's SDK raises",
];

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
    pub(crate) openai: ExpectedException,
    pub(crate) anthropic: ExpectedException,
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

/// What an SDK raises where no model answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExpectedException {
    /// The call does not exist in this API format.
    NotApplicable,
    Nothing,
    Error {
        class: String,
        status: Option<u16>,
        code: String,
    },
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

impl fmt::Display for ExpectedException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotApplicable => f.write_str("n/a"),
            Self::Nothing => f.write_str("–"),
            Self::Error { class, status: Some(status), code } => write!(f, "{class} {status} {code}"),
            Self::Error { class, status: None, code } => write!(f, "{class} {code}"),
        }
    }
}

/// The rows of the page's only table.
pub(crate) fn read(page: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(page).unwrap();
    let lines = (1..).zip(text.lines()).filter(|(_, line)| line.starts_with('|'));
    let mut lines = lines.map(|(number, line)| (number, split_cells(line)));
    assert_eq!(lines.next().unwrap().1, COLUMNS, "the table's head");
    let rows = lines.skip(1);
    rows.map(|(line, cells)| {
        parse_row(line, &cells).unwrap_or_else(|error| panic!("{}:{line}: {error}", page.display()))
    })
    .collect()
}

fn split_cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

fn parse_row(line: usize, cells: &[&str]) -> Result<Row, String> {
    let [fault, call, again, next, counts, known, gets, openai, anthropic] = cells else {
        return Err(format!("a row has {} cells, this one has {}", COLUMNS.len(), cells.len()));
    };
    let fault = fault.split('`').nth(1).ok_or("the fault's name is to stand in backticks")?;
    let (call, choices) = match call.split_once(" n=") {
        Some((call, choices)) => (call, choices.parse().map_err(|_| "n= takes a number")?),
        None => (*call, 1),
    };
    Ok(Row {
        line,
        fault: fault.to_owned(),
        after_first_token: ["-after-4", "-after-9"].iter().any(|place| fault.contains(place)),
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
        openai: parse_exception(openai)?,
        anthropic: parse_exception(anthropic)?,
    })
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

fn parse_exception(text: &str) -> Result<ExpectedException, String> {
    match *text.split(' ').collect::<Vec<_>>() {
        ["n/a"] => Ok(ExpectedException::NotApplicable),
        ["–"] => Ok(ExpectedException::Nothing),
        [class, code] => {
            Ok(ExpectedException::Error { class: class.to_owned(), status: None, code: code.to_owned() })
        }
        [class, status, code] => {
            let status = Some(status.parse().map_err(|_| format!("{status:?} is no status"))?);
            Ok(ExpectedException::Error { class: class.to_owned(), status, code: code.to_owned() })
        }
        _ => Err(format!("class, status and code, not {text:?}")),
    }
}

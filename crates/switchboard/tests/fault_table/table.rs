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
    pub(crate) behind_content: bool,
    pub(crate) modes: Vec<Mode>,
    /// How many answers are asked for at once.
    pub(crate) choices: usize,
    /// The pause before the same model is called again, if it is.
    pub(crate) again: Option<Span>,
    pub(crate) next: bool,
    pub(crate) counts: Counts,
    /// How long the last call to the model takes to fail or to answer.
    pub(crate) known: Duration,
    pub(crate) gets: Gets,
    pub(crate) openai: Raises,
    pub(crate) anthropic: Raises,
}

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Mode {
    Plain,
    Stream,
    /// A stream on a route that holds it.
    Held,
    /// Plain, and the model asked for by its own name, which is on no route.
    Direct,
}

/// At least and at most so long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span(pub(crate) Duration, pub(crate) Duration);

/// What the circuit has of it afterwards.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counts {
    Nothing,
    Failures(u32),
    Rest(Span),
    /// A rest that was waited out and ended well.
    RestOver,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gets {
    NextModelsAnswer,
    ThisModelsAnswer,
    TheError,
    /// Words without end; the caller of the test leaves after some.
    WordsUntilItLeaves,
}

/// What an SDK raises where no model answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raises {
    /// The call cannot be made in this dialect.
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
            Self::Held => "held",
            Self::Direct => "direct",
        })
    }
}

impl fmt::Display for Raises {
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
    let mut lines = lines.map(|(number, line)| (number, cells(line)));
    assert_eq!(lines.next().unwrap().1, COLUMNS, "the table's head");
    let rows = lines.skip(1);
    rows.map(|(line, cells)| {
        row(line, &cells).unwrap_or_else(|error| panic!("{}:{line}: {error}", page.display()))
    })
    .collect()
}

fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

fn row(line: usize, cells: &[&str]) -> Result<Row, String> {
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
        behind_content: ["-after-4", "-after-9"].iter().any(|place| fault.contains(place)),
        modes: modes(call)?,
        choices,
        again: again_after(again)?,
        next: match *next {
            "yes" => true,
            "no" => false,
            _ => return Err(format!("yes or no, not {next:?}")),
        },
        counts: counts_as(counts)?,
        known: if *known == "at once" { Duration::ZERO } else { span(known)?.0 },
        gets: match *gets {
            "next model's answer" => Gets::NextModelsAnswer,
            "this model's answer" => Gets::ThisModelsAnswer,
            "the error" => Gets::TheError,
            "words until it leaves" => Gets::WordsUntilItLeaves,
            _ => return Err(format!("nobody gets {gets:?}")),
        },
        openai: raises(openai)?,
        anthropic: raises(anthropic)?,
    })
}

fn modes(call: &str) -> Result<Vec<Mode>, String> {
    if call == "any" {
        return Ok(vec![Mode::Plain, Mode::Stream, Mode::Held]);
    }
    let mode = |word: &str| match word {
        "plain" => Ok(Mode::Plain),
        "stream" => Ok(Mode::Stream),
        "held" => Ok(Mode::Held),
        "direct" => Ok(Mode::Direct),
        _ => Err(format!("a call is plain, stream, held or direct, not {word:?}")),
    };
    call.split(", ").map(mode).collect()
}

fn again_after(text: &str) -> Result<Option<Span>, String> {
    match text {
        "no" => Ok(None),
        "after backoff" => Ok(Some(Span(limits::BACKOFF / 2, limits::BACKOFF))),
        _ => span(text.strip_prefix("after ").ok_or("after what?")?).map(Some),
    }
}

fn counts_as(text: &str) -> Result<Counts, String> {
    if text == "no" {
        return Ok(Counts::Nothing);
    }
    if let Some(rest) = text.strip_prefix("rest of ") {
        return match rest.strip_suffix(", over") {
            Some(_) => Ok(Counts::RestOver),
            None => span(rest).map(Counts::Rest),
        };
    }
    let failures = text.split_once(" failure").and_then(|(number, _)| number.parse().ok());
    failures.map(Counts::Failures).ok_or_else(|| format!("no, failures or a rest, not {text:?}"))
}

fn span(text: &str) -> Result<Span, String> {
    let (least, most) = text.split_once(" to ").unwrap_or((text, text));
    Ok(Span(duration(least)?, duration(most)?))
}

/// A duration, or the name of the setting that is one.
fn duration(text: &str) -> Result<Duration, String> {
    let timeouts = limits::timeouts();
    match text {
        "response" => Ok(timeouts.answer),
        "first_byte" => Ok(timeouts.first_byte),
        "first_token" => Ok(timeouts.first_token),
        "idle" => Ok(timeouts.idle),
        "max_cooldown" => Ok(limits::policy().max_cooldown),
        _ => simulator::model_names::duration(text).map_err(|error| format!("{text:?}: {error}")),
    }
}

fn raises(text: &str) -> Result<Raises, String> {
    match *text.split(' ').collect::<Vec<_>>() {
        ["n/a"] => Ok(Raises::NotApplicable),
        ["–"] => Ok(Raises::Nothing),
        [class, code] => Ok(Raises::Error { class: class.to_owned(), status: None, code: code.to_owned() }),
        [class, status, code] => {
            let status = Some(status.parse().map_err(|_| format!("{status:?} is no status"))?);
            Ok(Raises::Error { class: class.to_owned(), status, code: code.to_owned() })
        }
        _ => Err(format!("class, status and code, not {text:?}")),
    }
}

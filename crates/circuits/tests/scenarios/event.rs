//! The event of a row.

use std::time::Duration;

use breaker::{CallerName, Failure, FailureKind, Outcome};

use crate::duration;

/// The event of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// Acquires one permit or several, and keeps them.
    Admit {
        name: String,
        calls: usize,
        by: Option<By>,
    },
    /// Calls that were admitted end.
    End {
        calls: CallSelector,
        ending: Ending,
    },
    /// Whole calls: all are admitted, then all end.
    Calls {
        count: usize,
        ending: Ending,
        by: Option<By>,
    },
    /// A stream produces its first token.
    FirstToken(String),
    /// The provider does not know the model.
    UnknownModel(String),
    /// The instance crashes; it restarts when it is next named.
    Crash,
    /// The instance's own clock is off by this many ms, from its start.
    Skew(i64),
    /// The key is written with `redis-cli SET`.
    Set(String),
    /// The value is read, this field set to this, and the value written, with `redis-cli`.
    Edit(String, String),
    /// The key becomes a list.
    Rpush(String),
    History(String),
    /// The key is deleted.
    Del,
    /// Redis loses everything.
    Flush,
    /// Redis is unreachable, for all or for one instance.
    StoreDown,
    /// Redis is reachable again.
    StoreUp,
    /// An operator opens, closes or resets the circuit.
    Operate(Operation),
    /// The settings change while it runs.
    Policy(String),
    /// Nothing; the row only checks.
    Look,
}

/// Whose calls.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct By {
    /// `None`: the one caller of a gateway without named keys.
    pub(crate) caller: Option<CallerName>,
    /// `None`: nothing is known of the request.
    pub(crate) request: Option<String>,
}

impl By {
    /// `ci/a1`: caller and request; `ci`: a caller's call without a known request; `-/a1`: without a named key.
    fn parse(text: &str) -> Result<Self, String> {
        let (caller, request) =
            text.split_once('/').map_or((text, None), |(caller, request)| (caller, Some(request)));
        let caller = match caller {
            "-" => None,
            name => Some(name.parse().map_err(|error| format!("{name:?}: {error}"))?),
        };
        Ok(Self { caller, request: request.map(str::to_owned) })
    }
}

/// A manual override.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operation {
    Open { duration: Option<Duration>, reason: Option<String> },
    Close,
    Reset,
}

/// Which of an instance's admitted calls.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallSelector {
    One(String),
    All(String),
}

/// How a call ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ending {
    Outcome(Outcome),
    /// Without an outcome: the client has disconnected.
    Released,
}

impl Event {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let mut by = None;
        if let [.., "by", source] = words[..] {
            by = Some(By::parse(source)?);
            words.truncate(words.len() - 2);
        }
        let event = Self::parse_words(text, &words)?;
        match (event, by) {
            (Self::Admit { name, calls, .. }, by) => Ok(Self::Admit { name, calls, by }),
            (Self::Calls { count, ending, .. }, by) => Ok(Self::Calls { count, ending, by }),
            (event, None) => Ok(event),
            (_, Some(_)) => Err(format!("{text:?}: only calls are by somebody")),
        }
    }

    fn parse_words(text: &str, words: &[&str]) -> Result<Self, String> {
        Ok(match words[..] {
            ["admit", count, "calls", name] => {
                Self::Admit { name: name.to_owned(), calls: parse_number(count)?, by: None }
            }
            ["admit", name] => Self::Admit { name: name.to_owned(), calls: 1, by: None },
            ["call", ref ending @ ..] => Self::Calls { count: 1, ending: Ending::parse(ending)?, by: None },
            [count, "calls", ref ending @ ..] => {
                Self::Calls { count: parse_number(count)?, ending: Ending::parse(ending)?, by: None }
            }
            [verb @ ("ok" | "fail" | "cooldown" | "release"), "all", name, ref how @ ..] => {
                Self::End { calls: CallSelector::All(name.to_owned()), ending: parse_ending(verb, how)? }
            }
            [verb @ ("ok" | "fail" | "cooldown" | "release"), name, ref how @ ..] => {
                Self::End { calls: CallSelector::One(name.to_owned()), ending: parse_ending(verb, how)? }
            }
            ["first-token", name] => Self::FirstToken(name.to_owned()),
            ["unknown-model", name] => Self::UnknownModel(name.to_owned()),
            ["crash"] => Self::Crash,
            ["skew", by] => Self::Skew(duration::parse_signed(by)?),
            ["set", ..] => Self::Set(text.trim_start_matches("set").trim().to_owned()),
            ["edit", change] => {
                let (field, value) = change.split_once('=').ok_or("edit FIELD=TEXT")?;
                Self::Edit(field.to_owned(), value.to_owned())
            }
            ["rpush", value] => Self::Rpush(value.to_owned()),
            ["history", text] => Self::History((*text).to_owned()),
            ["del"] => Self::Del,
            ["flush"] => Self::Flush,
            ["store", "down"] => Self::StoreDown,
            ["store", "up"] => Self::StoreUp,
            ["open", "for", length, ref why @ ..] => open_event(Some(duration::parse(length)?), why),
            ["open", ref why @ ..] => open_event(None, why),
            ["close"] => Self::Operate(Operation::Close),
            ["reset"] => Self::Operate(Operation::Reset),
            ["policy", ..] => Self::Policy(text.trim_start_matches("policy").trim().to_owned()),
            ["look"] => Self::Look,
            _ => return Err(format!("there is no event {text:?}; README.md names all")),
        })
    }
}

fn open_event(length: Option<Duration>, why: &[&str]) -> Event {
    let why = (!why.is_empty()).then(|| why.join(" "));
    Event::Operate(Operation::Open { duration: length, reason: why })
}

impl Ending {
    fn parse(words: &[&str]) -> Result<Self, String> {
        match words {
            [verb, how @ ..] => parse_ending(verb, how),
            [] => Err("how does the call end? ok, fail, cooldown or release".to_owned()),
        }
    }
}

fn parse_ending(verb: &str, how: &[&str]) -> Result<Ending, String> {
    let outcome = match (verb, how) {
        ("ok", []) => Outcome::Succeeded,
        ("release", []) => return Ok(Ending::Released),
        ("fail", [how]) => Outcome::Failed(parse_failure(how)?),
        ("cooldown", ["quota"]) => {
            let quota = Failure {
                status: Some(429),
                error_code: Some("insufficient_quota".to_owned()),
                ..Failure::new(FailureKind::Quota)
            };
            Outcome::RateLimited { failure: quota, retry_after: None }
        }
        ("cooldown", ["unknown_model"]) => {
            let unknown = Failure { status: Some(404), ..Failure::new(FailureKind::UnknownModel) };
            Outcome::RateLimited { failure: unknown, retry_after: None }
        }
        ("cooldown", [wait]) => {
            Outcome::RateLimited { failure: rate_limit(), retry_after: Some(duration::parse(wait)?) }
        }
        _ => return Err(format!("a call cannot end with {verb} {how:?}")),
    };
    Ok(Ending::Outcome(outcome))
}

fn parse_failure(text: &str) -> Result<Failure, String> {
    Ok(match text {
        "timeout" => Failure::new(FailureKind::Timeout),
        "connection" => Failure::new(FailureKind::Connection),
        "cut" => Failure::new(FailureKind::Truncated),
        "invalid" => Failure::new(FailureKind::Invalid),
        "429" => rate_limit(),
        status => Failure::status(parse_number(status)?),
    })
}

fn rate_limit() -> Failure {
    Failure { status: Some(429), ..Failure::new(FailureKind::RateLimited) }
}

fn parse_number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

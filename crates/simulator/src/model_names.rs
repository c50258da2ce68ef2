//! Scripts in model names: the way to script a simulator that runs as a separate process.
//!
//! A name that begins with `fault-`, `ok`, `tool-call` or `thinking` is parsed as below; every other name is an ordinary
//! model's.
//!
//! ```text
//! ok[OPTIONS]                    a good response
//! tool-call[OPTIONS]             one with a tool call after its text: ok-tool-call
//! thinking[OPTIONS]              one with thinking before its text: ok-thinking
//! fault-FAULT[OPTIONS]           one with a fault
//!
//! FAULT
//!   503                          any status from 400 to 599, with the provider's own error
//!   429-after-2s                 the same with retry-after (whole seconds) or retry-after-ms
//!   429-date-2s                  the same with retry-after as an HTTP date, to the next whole second
//!   429-resets-2s                the same with the provider's rate limit headers
//!   quota  spend-limit           429 or 402 that waiting does not help
//!   overloaded                   529 (Anthropic), 503 (OpenAI)
//!   wrong-key  unknown-model     401; 404
//!   key-forbidden                403 that speaks of the key, as 403 does not
//!   ModelNotReadyException       429, an error of Amazon Bedrock's by its name; others are ValidationException (400),
//!                                ServiceQuotaExceededException (400), AccessDeniedException (403), ExpiredTokenException
//!                                (403), ModelTimeoutException (408), ModelStreamErrorException (424),
//!                                InternalServerException (500); other APIs have only its status and words
//!   context  policy              400: the prompt is too long; the content is refused
//!   too-large                    429: the request is more than the account may ever ask for at once
//!   hang                         never a response
//!   reset  reset-after-3         the connection is reset before the response's head; after 3 events
//!   cut-after-3                  the connection is closed after 3 events
//!   end-after-3                  the stream ends after 3 events, cleanly, without its finish
//!   silence-after-1              nothing more after 1 event, the connection stays open
//!   stall-after-3-for-2s         nothing for 2 s after 3 events, then the rest
//!   endless-after-3              the third event is repeated forever; with 0, a comment
//!   garbage-after-3              an event that is not JSON after 3 good ones
//!   error-after-3                the provider's error as an event after 3 good ones
//!   429-as-event-after-1         any other provider error as an event under a 200
//!   no-done                      the end marker is missing
//!   empty  not-json              a 200 with no body; with HTML
//!
//! OPTIONS, in any order
//!   -latency-200ms               delay before the response
//!   -first-content-2s            delay before the first word, after the events before it
//!   -gap-20ms                    delay between two events
//!   -words-50                    words of the response, one event each
//!   -tool-call                   after the text a call of get_weather with {"city":"Paris"}; again for a second one
//!   -thinking                    before the text thinking, with the API format's signature
//!   -usage-100-40-9-50-20        tokens: 100 in, of these 40 read from the cache and 9 written; 50 out, of these 20 of thinking
//!   -length  -refusal            ends at the maximum of tokens; is a refusal
//!   -crlf                        lines end with carriage return and line feed
//!   -split                       each byte of the body is a separate packet
//!   -foreign-events              before each event of a stream one that is no part of the answer
//!   -text-plain                  a stream's content type is text/plain
//!   -times-2                     the first 2 calls have the fault, later ones succeed
//!   -flap-3-2  -flap-3s-2s       3 calls (3 s from the first call on) succeed, 2 (2 s) have the fault, and again
//! ```
//!
//! Events are counted as [`Fault`] says; of a plain response, "after 0" is nothing of its body and any other number half
//! of it.
//!
//! So `fault-503-times-2` fails twice, and `fault-cut-after-10-gap-50ms-words-30` truncates a slow stream in the middle.

use std::str::FromStr;
use std::time::Duration;

use http::StatusCode;

use crate::aws_errors;
use crate::behaviour::{Behaviour, Fault};
use crate::content::{Finish, Usage};
use crate::provider_error::ProviderError;
use crate::script::Script;

/// A name that begins like a fault's but names none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model's name contains an unknown fault, at `{unparsed}`; see simulator::model_names")]
pub struct UnknownName {
    unparsed: String,
}

impl UnknownName {
    pub(crate) fn of(rest: &str) -> Self {
        Self { unparsed: rest.to_owned() }
    }
}

/// Parses "200ms", "2s" or "1m".
///
/// # Errors
/// The text is no such duration.
pub fn duration(text: &str) -> Result<Duration, InvalidDuration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u32 = number.parse().map_err(|_| InvalidDuration)?;
    match unit {
        "ms" => Ok(Duration::from_millis(number.into())),
        "s" => Ok(Duration::from_secs(number.into())),
        "m" => Ok(Duration::from_secs(60 * u64::from(number))),
        _ => Err(InvalidDuration),
    }
}

/// A text that is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a duration; expected a whole number and ms, s or m, such as 20ms")]
pub struct InvalidDuration;

type FaultFn = fn() -> Fault;
type CountedFaultFn = fn(usize) -> Fault;

const FAULTS: [(&str, FaultFn); 14] = [
    ("quota", || ProviderError::insufficient_quota().into()),
    ("spend-limit", || ProviderError::spend_limit().into()),
    ("overloaded", || ProviderError::overloaded().into()),
    ("wrong-key", || ProviderError::wrong_key().into()),
    ("key-forbidden", || ProviderError::key_forbidden().into()),
    ("too-large", || ProviderError::request_too_large().into()),
    ("unknown-model", || ProviderError::unknown_model().into()),
    ("context", || ProviderError::context_too_long().into()),
    ("policy", || ProviderError::content_policy().into()),
    ("hang", || Fault::Hang),
    ("reset", || Fault::Reset),
    ("no-done", || Fault::NoDone),
    ("empty", || Fault::Empty),
    ("not-json", || Fault::NotJson),
];

const COUNTED_FAULTS: [(&str, CountedFaultFn); 7] = [
    ("reset-after", |after| Fault::ResetAfter { after }),
    ("endless-after", |after| Fault::Endless { after }),
    ("cut-after", |after| Fault::Cut { after }),
    ("end-after", |after| Fault::End { after }),
    ("silence-after", |after| Fault::Silence { after }),
    ("garbage-after", |after| Fault::Garbage { after }),
    ("error-after", |after| Fault::ErrorEvent { after, error: ProviderError::overloaded() }),
];

/// Options that are names by themselves, too.
const CONTENT_NAMES: [&str; 2] = ["tool-call", "thinking"];

/// The faults that have a name, each without its numbers; statuses are not included.
pub fn faults() -> impl Iterator<Item = &'static str> {
    let counted = COUNTED_FAULTS.iter().map(|(name, _)| *name);
    FAULTS.iter().map(|(name, _)| *name).chain(counted).chain(["stall-after"]).chain(aws_errors::names())
}

/// The script in a name, if any; what the name does not mention is as in `base`.
pub(crate) fn script(model: &str, base: &Behaviour) -> Result<Option<Script>, UnknownName> {
    let mut rest = NameCursor(model);
    let fault = if rest.consume("ok") || CONTENT_NAMES.iter().any(|name| rest.clone().consume(name)) {
        None
    } else if rest.consume("fault") {
        Some(parse_fault(&mut rest).ok_or_else(|| rest.unknown_name())?)
    } else {
        return Ok(None);
    };
    let behaviour = Behaviour { fault, ..base.clone() };
    parse_options(behaviour, &mut rest).map(Some).ok_or_else(|| rest.unknown_name())
}

/// Reads a name of this module, such as `fault-503-times-2`.
impl FromStr for Script {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        script(name, &Behaviour::ok())?.ok_or_else(|| UnknownName::of(name))
    }
}

fn parse_options(mut behaviour: Behaviour, rest: &mut NameCursor<'_>) -> Option<Script> {
    let mut schedule = None;
    while !rest.0.is_empty() {
        if rest.consume("latency") {
            behaviour.latency = rest.next_duration()?;
        } else if rest.consume("first-content") {
            behaviour.first_token = rest.next_duration()?;
        } else if rest.consume("gap") {
            behaviour.gap = rest.next_duration()?;
        } else if rest.consume("words") {
            behaviour.words = rest.next_number()?;
        } else if rest.consume("crlf") {
            behaviour.crlf = true;
        } else if rest.consume("split") {
            behaviour.split = true;
        } else if rest.consume("foreign-events") {
            behaviour.foreign_events = true;
        } else if rest.consume("text-plain") {
            behaviour.text_plain = true;
        } else if rest.consume("tool-call") {
            behaviour = behaviour.tool_call("get_weather", r#"{"city":"Paris"}"#);
        } else if rest.consume("thinking") {
            behaviour = behaviour.thinking("Let me think about that.", "simulated thought");
        } else if rest.consume("usage") {
            behaviour = behaviour.usage(parse_usage(rest)?);
        } else if rest.consume("length") {
            behaviour = behaviour.finish(Finish::Length);
        } else if rest.consume("refusal") {
            behaviour = behaviour.finish(Finish::Refusal);
        } else if rest.consume("times") {
            schedule = Some(Schedule::First(rest.next_number()?));
        } else if rest.consume("flap") {
            schedule = Some(parse_flapping(rest.next_word(), rest.next_word())?);
        } else {
            return None;
        }
    }
    let good = Behaviour { fault: None, ..behaviour.clone() };
    Some(match schedule {
        None => Script::always(behaviour),
        Some(Schedule::First(calls)) => Script::first(calls, behaviour).then(good),
        Some(Schedule::ByCalls(good, bad)) => Script::flapping_by_calls(good, bad, behaviour),
        Some(Schedule::ByTime(good, bad)) => Script::flapping(good, bad, behaviour),
    })
}

fn parse_usage(rest: &mut NameCursor<'_>) -> Option<Usage> {
    Some(Usage {
        input: rest.next_number()?,
        cache_read: rest.next_number()?,
        cache_write: rest.next_number()?,
        output: rest.next_number()?,
        reasoning: rest.next_number()?,
    })
}

/// When a fault occurs, if not always.
enum Schedule {
    First(usize),
    ByCalls(usize, usize),
    ByTime(Duration, Duration),
}

fn parse_flapping(good: &str, bad: &str) -> Option<Schedule> {
    let by_calls = || Some(Schedule::ByCalls(good.parse().ok()?, bad.parse().ok()?));
    let by_time = || Some(Schedule::ByTime(duration(good).ok()?, duration(bad).ok()?));
    by_calls().or_else(by_time)
}

fn parse_fault(rest: &mut NameCursor<'_>) -> Option<Fault> {
    if rest.0.starts_with(|first: char| first.is_ascii_digit()) {
        let error = parse_error_status(rest)?;
        return as_event(error.into(), rest);
    }
    // Before the plain ones, since some begin like one of those.
    if let Some((_, fault)) = COUNTED_FAULTS.iter().find(|(name, _)| rest.consume(name)) {
        return rest.next_number().map(fault);
    }
    if rest.consume("stall-after") {
        let after = rest.next_number()?;
        return rest
            .consume("for")
            .then(|| rest.next_duration())?
            .map(|length| Fault::Stall { after, length });
    }
    if let Some(name) = aws_errors::names().find(|name| rest.consume(name)) {
        return as_event(aws_errors::error(name)?.into(), rest);
    }
    let (_, fault) = FAULTS.iter().find(|(name, _)| rest.consume(name))?;
    as_event(fault(), rest)
}

/// An error may come inside a 200.
fn as_event(fault: Fault, rest: &mut NameCursor<'_>) -> Option<Fault> {
    match fault {
        Fault::Error(error) if rest.consume("as-event-after") => {
            rest.next_number().map(|after| Fault::ErrorEvent { after, error })
        }
        fault => Some(fault),
    }
}

fn parse_error_status(rest: &mut NameCursor<'_>) -> Option<ProviderError> {
    let status = u16::try_from(rest.next_number()?).ok().filter(|status| (400..600).contains(status))?;
    let error = ProviderError::status(StatusCode::from_u16(status).ok()?);
    if rest.consume("after") {
        let wait = rest.next_duration()?;
        let whole = wait.subsec_nanos() == 0;
        return Some(if whole { error.retry_after(wait) } else { error.retry_after_ms(wait) });
    }
    if rest.consume("date") {
        return Some(error.retry_after_date(rest.next_duration()?));
    }
    if rest.consume("resets") {
        return Some(error.resets_in(rest.next_duration()?));
    }
    Some(error)
}

/// The unparsed part of a name; its words are separated by `-`.
#[derive(Clone)]
struct NameCursor<'a>(&'a str);

impl<'a> NameCursor<'a> {
    /// Consumes `words` if they come next.
    fn consume(&mut self, words: &str) -> bool {
        let Some(rest) = self.0.strip_prefix(words) else { return false };
        let Some(rest) = rest.strip_prefix('-').or(rest.is_empty().then_some("")) else { return false };
        self.0 = rest;
        true
    }

    fn next_word(&mut self) -> &'a str {
        let (word, rest) = self.0.split_once('-').unwrap_or((self.0, ""));
        self.0 = rest;
        word
    }

    fn next_number(&mut self) -> Option<usize> {
        self.next_word().parse().ok()
    }

    fn next_duration(&mut self) -> Option<Duration> {
        duration(self.next_word()).ok()
    }

    fn unknown_name(&self) -> UnknownName {
        UnknownName::of(self.0)
    }
}

#[cfg(test)]
mod tests;

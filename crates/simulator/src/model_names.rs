//! What a model's name alone asks for: the way to script a simulator that runs as a process of its own.
//!
//! A name that begins with `fault-` or `ok` is read so; every other name is answered like any model's.
//!
//! ```text
//! ok[OPTIONS]                    a good answer
//! fault-FAULT[OPTIONS]           one with a fault
//!
//! FAULT
//!   503                          any status from 400 to 599, in the provider's own words
//!   429-after-2s                 the same with retry-after (whole seconds) or retry-after-ms
//!   429-resets-2s                the same with the provider's rate limit headers
//!   quota  spend-limit           429 or 402 that no waiting helps
//!   overloaded                   529 (Anthropic), 503 (OpenAI)
//!   context  policy              400: the prompt is too long; the content is refused
//!   hang  reset                  never an answer; a connection reset before the answer
//!   cut-after-3                  the connection is closed after 3 events
//!   end-after-3                  the stream ends after 3 events, cleanly, without its finish
//!   silence-after-1              nothing more after 1 event, the connection stays open
//!   garbage-after-3              an event that is not JSON after 3 good ones
//!   error-after-3                the provider's error as an event after 3 good ones
//!   no-done                      the end marker is missing
//!   empty  not-json              a 200 with no body; with HTML
//!
//! OPTIONS, in any order
//!   -latency-200ms               wait before the answer
//!   -gap-20ms                    wait between two events
//!   -words-50                    words of the answer, one event each
//!   -times-2                     the first 2 calls are met so, later ones well
//! ```
//!
//! So `fault-503-times-2` fails twice, and `fault-cut-after-10-gap-50ms-words-30` breaks off in the middle of a slow stream.

use std::time::Duration;

use http::StatusCode;

use crate::behaviour::{Behaviour, Fault};
use crate::provider_error::ProviderError;
use crate::script::Script;

/// A name that begins like a fault's but is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model's name asks for a fault that the simulator does not know, at `{rest}`; see simulator::model_names"
)]
pub(crate) struct UnknownName {
    rest: String,
}

/// Reads "200ms", "2s" or "1m".
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

type Plain = fn() -> Fault;
type Counted = fn(usize) -> Fault;

const PLAIN: [(&str, Plain); 10] = [
    ("quota", || ProviderError::insufficient_quota().into()),
    ("spend-limit", || ProviderError::spend_limit().into()),
    ("overloaded", || ProviderError::overloaded().into()),
    ("context", || ProviderError::context_too_long().into()),
    ("policy", || ProviderError::content_policy().into()),
    ("hang", || Fault::Hang),
    ("reset", || Fault::Reset),
    ("no-done", || Fault::NoDone),
    ("empty", || Fault::Empty),
    ("not-json", || Fault::NotJson),
];

const COUNTED: [(&str, Counted); 5] = [
    ("cut-after", |after| Fault::Cut { after }),
    ("end-after", |after| Fault::End { after }),
    ("silence-after", |after| Fault::Silence { after }),
    ("garbage-after", |after| Fault::Garbage { after }),
    ("error-after", |after| Fault::ErrorEvent { after, error: ProviderError::overloaded() }),
];

/// The script that a name asks for, if any; what the name does not mention is as in `base`.
pub(crate) fn script(model: &str, base: &Behaviour) -> Result<Option<Script>, UnknownName> {
    let mut rest = Rest(model);
    let fault = if rest.take("ok") {
        None
    } else if rest.take("fault") {
        Some(fault(&mut rest).ok_or_else(|| rest.unknown())?)
    } else {
        return Ok(None);
    };
    let behaviour = Behaviour { fault, ..base.clone() };
    options(behaviour, &mut rest).map(Some).ok_or_else(|| rest.unknown())
}

fn options(mut behaviour: Behaviour, rest: &mut Rest<'_>) -> Option<Script> {
    let well = Behaviour { fault: None, ..behaviour };
    let mut times = None;
    while !rest.0.is_empty() {
        if rest.take("latency") {
            behaviour.latency = rest.duration()?;
        } else if rest.take("gap") {
            behaviour.gap = rest.duration()?;
        } else if rest.take("words") {
            behaviour.words = rest.number()?;
        } else if rest.take("times") {
            times = Some(rest.number()?);
        } else {
            return None;
        }
    }
    Some(match times {
        Some(times) => Script::first(times, behaviour).then(well),
        None => Script::always(behaviour),
    })
}

fn fault(rest: &mut Rest<'_>) -> Option<Fault> {
    if rest.0.starts_with(|first: char| first.is_ascii_digit()) {
        return error_status(rest).map(Fault::Error);
    }
    if let Some((_, fault)) = PLAIN.iter().find(|(name, _)| rest.take(name)) {
        return Some(fault());
    }
    let (_, fault) = COUNTED.iter().find(|(name, _)| rest.take(name))?;
    rest.number().map(fault)
}

fn error_status(rest: &mut Rest<'_>) -> Option<ProviderError> {
    let status = u16::try_from(rest.number()?).ok().filter(|status| (400..600).contains(status))?;
    let error = ProviderError::status(StatusCode::from_u16(status).ok()?);
    if rest.take("after") {
        let wait = rest.duration()?;
        let whole = wait.subsec_nanos() == 0;
        return Some(if whole { error.retry_after(wait) } else { error.retry_after_ms(wait) });
    }
    if rest.take("resets") {
        return Some(error.resets_in(rest.duration()?));
    }
    Some(error)
}

/// What of the name is still to be read; its words are separated by `-`.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Passes over `words` if they come next.
    fn take(&mut self, words: &str) -> bool {
        let Some(rest) = self.0.strip_prefix(words) else { return false };
        let Some(rest) = rest.strip_prefix('-').or(rest.is_empty().then_some("")) else { return false };
        self.0 = rest;
        true
    }

    fn word(&mut self) -> &'a str {
        let (word, rest) = self.0.split_once('-').unwrap_or((self.0, ""));
        self.0 = rest;
        word
    }

    fn number(&mut self) -> Option<usize> {
        self.word().parse().ok()
    }

    fn duration(&mut self) -> Option<Duration> {
        duration(self.word()).ok()
    }

    fn unknown(&self) -> UnknownName {
        UnknownName { rest: self.0.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Script {
        script(name, &Behaviour::ok()).unwrap().unwrap()
    }

    #[test]
    fn every_documented_fault_is_read() {
        let status = |code| ProviderError::status(StatusCode::from_u16(code).unwrap());
        let seconds = Duration::from_secs(2);
        let expected: [(&str, Fault); 19] = [
            ("503", status(503).into()),
            ("429-after-2s", status(429).retry_after(seconds).into()),
            ("429-after-1500ms", status(429).retry_after_ms(Duration::from_millis(1_500)).into()),
            ("429-resets-2s", status(429).resets_in(seconds).into()),
            ("quota", ProviderError::insufficient_quota().into()),
            ("spend-limit", ProviderError::spend_limit().into()),
            ("overloaded", ProviderError::overloaded().into()),
            ("context", ProviderError::context_too_long().into()),
            ("policy", ProviderError::content_policy().into()),
            ("hang", Fault::Hang),
            ("reset", Fault::Reset),
            ("cut-after-3", Fault::Cut { after: 3 }),
            ("end-after-3", Fault::End { after: 3 }),
            ("silence-after-1", Fault::Silence { after: 1 }),
            ("garbage-after-3", Fault::Garbage { after: 3 }),
            ("error-after-3", Fault::ErrorEvent { after: 3, error: ProviderError::overloaded() }),
            ("no-done", Fault::NoDone),
            ("empty", Fault::Empty),
            ("not-json", Fault::NotJson),
        ];
        for (name, fault) in expected {
            assert_eq!(read(&format!("fault-{name}")), Script::always(fault), "{name}");
        }
    }

    #[test]
    fn options_come_in_any_order_and_after_any_fault() {
        let slow =
            Behaviour::ok().latency(Duration::from_millis(200)).gap(Duration::from_millis(20)).words(50);
        assert_eq!(read("ok-words-50-gap-20ms-latency-200ms"), Script::always(slow.clone()));
        assert_eq!(
            read("fault-no-done-latency-200ms-gap-20ms-words-50"),
            Script::always(slow.with(Fault::NoDone))
        );
    }

    #[test]
    fn times_ends_the_fault() {
        assert_eq!(read("fault-hang-times-2"), Script::first(2, Fault::Hang));
    }

    #[test]
    fn what_the_name_does_not_say_is_as_usual() {
        let usual = Behaviour::ok().words(9);
        let script = script("fault-reset", &usual).unwrap().unwrap();
        assert_eq!(script, Script::always(usual.with(Fault::Reset)));
    }

    #[test]
    fn other_models_names_are_not_read() {
        for name in ["gpt-5", "okra-1", "faulty", "claude-fault-503"] {
            assert_eq!(script(name, &Behaviour::ok()), Ok(None), "{name}");
        }
    }

    #[test]
    fn a_misspelt_fault_is_an_error_that_says_where() {
        for (name, at) in [
            ("fault", "``"),
            ("fault-200", "``"),
            ("fault-hangs", "`hangs`"),
            ("fault-503-gape-2s", "`gape-2s`"),
            ("fault-cut-after-x", "``"),
            ("ok-latency-5", "``"),
        ] {
            let unknown = script(name, &Behaviour::ok()).unwrap_err().to_string();
            assert!(unknown.contains(at), "{name}: {unknown}");
        }
    }

    #[test]
    fn durations_have_a_whole_number_and_a_unit() {
        assert_eq!(duration("20ms"), Ok(Duration::from_millis(20)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("1m"), Ok(Duration::from_secs(60)));
        for wrong in ["", "20", "ms", "-1s", "1.5s", "2h"] {
            assert_eq!(duration(wrong), Err(InvalidDuration), "{wrong}");
        }
    }
}

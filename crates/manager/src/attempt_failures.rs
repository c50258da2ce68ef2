//! Why a call's attempts failed, for its line in the log.

use std::{
    fmt::{self, Write as _},
    sync::{Mutex, PoisonError},
};

use breaker::ModelKey;

/// The log has so many different failures of a call and counts the others.
const MAX_FAILURES: usize = 8;

/// The longest reason in the log, in characters: some of it is the provider's.
const MAX_REASON_CHARS: usize = 120;

/// The failures of one call so far, in the order in which each came first. Nothing of a provider's message (C5).
#[derive(Debug, Default)]
pub(crate) struct AttemptFailures(Mutex<Failures>);

#[derive(Debug, Default)]
struct Failures {
    distinct: Vec<Failure>,
    /// Those beyond [`MAX_FAILURES`].
    others: usize,
}

#[derive(Debug)]
struct Failure {
    /// The model and the reason.
    text: String,
    times: usize,
}

impl AttemptFailures {
    /// An attempt at this model failed.
    pub(crate) fn add(&self, key: &ModelKey, reason: &impl fmt::Display) {
        let mut text = format!("{key}: ");
        text.extend(reason.to_string().chars().take(MAX_REASON_CHARS));
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = failures.distinct.len() == MAX_FAILURES;
        match failures.distinct.iter_mut().find(|failure| failure.text == text) {
            Some(failure) => failure.times += 1,
            None if is_full => failures.others += 1,
            None => failures.distinct.push(Failure { text, times: 1 }),
        }
    }

    /// All of them: `openai:gpt-5: HTTP 503 overloaded_error ×2; groq:llama: the connection timed out`. `None`: no attempt
    /// failed.
    pub(crate) fn list(&mut self) -> Option<String> {
        let Failures { distinct, others } = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut list = String::new();
        for Failure { text, times } in distinct {
            let separator = if list.is_empty() { "" } else { "; " };
            // Writing to a string cannot fail.
            _ = write!(list, "{separator}{text}");
            if *times > 1 {
                _ = write!(list, " ×{times}");
            }
        }
        if *others > 0 {
            _ = write!(list, "; and {others} more");
        }
        (!list.is_empty()).then_some(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_listed_once_counted_and_bounded() {
        let key: ModelKey = "openai:gpt-5".parse().unwrap();
        let long = "x".repeat(2 * MAX_REASON_CHARS);
        let kept = format!("openai:gpt-5: {}", "x".repeat(MAX_REASON_CHARS));
        for (reasons, expected) in [
            (&[][..], None),
            (&["HTTP 503"], Some("openai:gpt-5: HTTP 503")),
            (&["HTTP 503 overloaded_error"; 2], Some("openai:gpt-5: HTTP 503 overloaded_error ×2")),
            (&["a", "b", "a"], Some("openai:gpt-5: a ×2; openai:gpt-5: b")),
            (&[&long], Some(kept.as_str())),
        ] {
            let mut failures = AttemptFailures::default();
            reasons.iter().for_each(|reason| failures.add(&key, reason));
            assert_eq!(failures.list().as_deref(), expected, "{reasons:?}");
        }
        let mut many = AttemptFailures::default();
        (0..MAX_FAILURES + 3).for_each(|number| many.add(&key, &number));
        assert!(many.list().is_some_and(|list| list.ends_with("openai:gpt-5: 7; and 3 more")));
    }
}

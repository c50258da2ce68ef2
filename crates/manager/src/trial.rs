//! The permit of a call under way.

use std::time::Duration;

use breaker::{Failure, FailureKind};
use circuits::Permit;
use dialects::{Origin, Usage};
use providers::Fault;
use tokio::time::Instant;
use tracing::Span;

use crate::{
    Chain,
    blame::{ANSWERED, outcome, settle},
    meter::Attempt,
    spans,
};

/// A stream that is given up after so long without one byte of answer counts as a failure (C1): a provider that
/// hangs is noticed even when callers are less patient than `timeouts.first_byte`.
pub const SILENCE: Duration = Duration::from_secs(15);

/// The end of `timeouts.total`, as one attempt meets it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    at: Instant,
    had_time: bool,
}

impl Due {
    /// For an attempt that begins now. One that gets only what others have left of `total` is not to blame for its end.
    pub(crate) fn new(at: Instant, total: Duration) -> Self {
        Self { at, had_time: at.saturating_duration_since(Instant::now()) >= total / 2 }
    }
}

/// A permit in use. Dropped, it is given back without an outcome, but for [`SILENCE`] and the end of `timeouts.total`:
/// whatever ends a call that is silent then, other attempts that are silent beside it are judged alike.
#[derive(Debug)]
pub(crate) struct Trial {
    permit: Option<Permit>,
    /// By when there must be something for the caller.
    due: Option<Due>,
    /// Since when a stream has been awaited of which nothing has come.
    silent_since: Option<Instant>,
    attempt: Attempt,
    span: Span,
}

impl Trial {
    /// Begins with a call's permit; `stream`: whether a stream was asked for.
    pub(crate) fn begin(permit: Permit, stream: bool, due: Due, attempt: Attempt, span: Span) -> Self {
        let silent_since = stream.then(Instant::now);
        Self { permit: Some(permit), due: Some(due), silent_since, attempt, span }
    }

    /// Something of the stream has come.
    pub(crate) const fn heard(&mut self) {
        self.silent_since = None;
    }

    /// The stream said its first content.
    pub(crate) fn first_token(&mut self) {
        self.attempt.first_token();
        if let Some(permit) = &mut self.permit {
            permit.first_token();
        }
    }

    /// The answer has said where it comes from.
    pub(crate) fn answered_by(&self, origin: &Origin) {
        spans::answered_by(&self.span, origin);
    }

    /// The stream is the caller's from here on, and takes the time it takes.
    pub(crate) const fn handed_on(&mut self) {
        self.due = None;
    }

    /// The call brought a good, whole answer.
    pub(crate) fn succeeded(self, usage: Usage) {
        spans::used(&self.span, usage);
        self.end(ANSWERED, Permit::succeeded);
    }

    /// The call failed.
    pub(crate) fn failed(self, fault: &Fault, chain: &Chain) {
        spans::fault(&self.span, fault);
        self.end(outcome(fault), |permit| settle(permit, fault, chain));
    }

    fn end(mut self, outcome: &'static str, tell: impl FnOnce(Permit)) {
        self.attempt.outcome = outcome;
        if let Some(permit) = self.permit.take() {
            tell(permit);
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            let hung = self.silent_since.is_some_and(|since| since.elapsed() >= SILENCE);
            let late = self.due.filter(|due| Instant::now() >= due.at);
            if hung || late.is_some() {
                self.attempt.outcome = "timeout";
            }
            if hung || late.is_some_and(|due| due.had_time) {
                permit.failed(Failure::of(FailureKind::Timeout));
            }
        }
        spans::ended(&self.span, self.attempt.outcome);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use breaker::Policy;
    use circuits::{Circuits, Policies};

    use super::*;
    use crate::Meter;

    const TOTAL: Duration = Duration::from_secs(600);

    /// Whether a call that is given up after so long leaves its circuit open, where one failure trips. `left`: what
    /// there is of [`TOTAL`] when it begins.
    async fn opens(stream: bool, heard: bool, left: Duration, after: Duration) -> bool {
        let policy = Policy {
            failure_threshold: 1,
            min_failure_span: Duration::ZERO,
            burst_threshold: 1,
            ..Policy::default()
        };
        let circuits = Circuits::in_memory(Policies { default: policy, ..Policies::default() });
        let key = "openai:gpt-5".parse().unwrap();
        let attempt = Arc::new(Meter::default()).attempt(&key, false);
        let permit = circuits.admit(&key).await.unwrap();
        let mut trial =
            Trial::begin(permit, stream, Due::new(Instant::now() + left, TOTAL), attempt, Span::none());
        if heard {
            trial.heard();
        }
        tokio::time::advance(after).await;
        drop(trial);
        circuits.quiet(&key).await;
        circuits.admit(&key).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_stream_given_up_after_long_silence_is_a_failure() {
        let almost = SILENCE - Duration::from_millis(1);
        let table = [
            (true, false, SILENCE, true),
            (true, false, almost, false),
            (true, true, SILENCE, false),
            (false, false, SILENCE, false),
        ];
        for (stream, heard, after, expected) in table {
            assert_eq!(
                opens(stream, heard, TOTAL, after).await,
                expected,
                "stream {stream}, heard {heard}, {after:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_total_is_a_failure_of_those_who_had_most_of_it_or_hung() {
        let (half, less, moment) = (TOTAL / 2, TOTAL / 2 - Duration::from_millis(1), SILENCE / 2);
        let table = [
            (true, true, half, true),
            (false, false, half, true),
            (true, true, less, false),
            (false, false, less, false),
            (true, false, less, true),
            (true, false, moment, false),
        ];
        for (stream, heard, left, expected) in table {
            assert_eq!(
                opens(stream, heard, left, left).await,
                expected,
                "stream {stream}, heard {heard}, {left:?}"
            );
        }
    }
}

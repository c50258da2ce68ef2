//! The permit of a call under way.

use std::time::Duration;

use breaker::{Failure, FailureKind};
use circuits::Permit;
use dialects::Usage;
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

/// A permit in use. Dropped, it is given back without an outcome, but for [`SILENCE`].
#[derive(Debug)]
pub(crate) struct Trial {
    permit: Option<Permit>,
    /// Since when a stream has been awaited of which nothing has come.
    silent_since: Option<Instant>,
    attempt: Attempt,
    span: Span,
}

impl Trial {
    /// Begins with a call's permit; `stream`: whether a stream was asked for.
    pub(crate) fn begin(permit: Permit, stream: bool, attempt: Attempt, span: Span) -> Self {
        Self { permit: Some(permit), silent_since: stream.then(Instant::now), attempt, span }
    }

    /// Something of the stream has come.
    pub(crate) const fn heard(&mut self) {
        self.silent_since = None;
    }

    /// The stream said its first content.
    pub(crate) fn first_content(&mut self) {
        self.attempt.first_content();
        if let Some(permit) = &mut self.permit {
            permit.first_content();
        }
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

    /// The caller's time ran out; `to_blame`: because of this call.
    pub(crate) fn out_of_time(self, to_blame: bool) {
        self.end("timeout", |permit| {
            if to_blame {
                permit.failed(Failure::of(FailureKind::Timeout));
            }
        });
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
        let hung = self.silent_since.is_some_and(|since| since.elapsed() >= SILENCE);
        if let Some(permit) = self.permit.take().filter(|_| hung) {
            self.attempt.outcome = "timeout";
            permit.failed(Failure::of(FailureKind::Timeout));
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

    /// Whether a call that is given up after so long leaves its circuit open, where one failure trips.
    async fn opens(stream: bool, heard: bool, after: Duration) -> bool {
        let policy = Policy {
            failure_threshold: 1,
            failure_span: Duration::ZERO,
            failure_burst: 1,
            ..Policy::default()
        };
        let circuits = Circuits::in_memory(Policies { default: policy, ..Policies::default() });
        let key = "openai:gpt-5".parse().unwrap();
        let attempt = Arc::new(Meter::default()).attempt(&key, false);
        let mut trial = Trial::begin(circuits.admit(&key).await.unwrap(), stream, attempt, Span::none());
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
                opens(stream, heard, after).await,
                expected,
                "stream {stream}, heard {heard}, {after:?}"
            );
        }
    }
}

//! The permit of a call under way.

use std::time::Duration;

use breaker::{Failure, FailureKind};
use circuits::Permit;
use dialects::{ResponseMeta, Usage};
use providers::ProviderError;
use tokio::time::Instant;
use tracing::Span;

use crate::{
    Chain,
    metrics::AttemptMetrics,
    outcome::{ANSWERED, metric_label, record_outcome},
    spans,
};

/// A stream that is given up after so long without one byte of answer counts as a failure (C1): a provider that
/// hangs is noticed even when callers are less patient than `timeouts.first_byte`.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(15);

/// The end of `timeouts.total`, as one attempt meets it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TotalDeadline {
    at: Instant,
    had_fair_share: bool,
}

impl TotalDeadline {
    /// For an attempt that begins now. One that gets only what others have left of `total` is not to blame for its end.
    pub(crate) fn new(at: Instant, total: Duration) -> Self {
        Self { at, had_fair_share: at.saturating_duration_since(Instant::now()) >= total / 2 }
    }
}

/// A permit in use. Dropped, it is given back without an outcome, but for [`SILENCE`] and the end of `timeouts.total`:
/// whatever ends a call that is silent then, other attempts that are silent beside it are judged alike.
#[derive(Debug)]
pub(crate) struct AttemptGuard {
    permit: Option<Permit>,
    /// By when there must be something for the caller.
    total_deadline: Option<TotalDeadline>,
    /// Since when a stream has been awaited of which nothing has come.
    waiting_since: Option<Instant>,
    metrics: AttemptMetrics,
    span: Span,
}

impl AttemptGuard {
    /// Begins with a call's permit; `stream`: whether a stream was asked for.
    pub(crate) fn start(
        permit: Permit,
        stream: bool,
        total_deadline: TotalDeadline,
        metrics: AttemptMetrics,
        span: Span,
    ) -> Self {
        let waiting_since = stream.then(Instant::now);
        Self { permit: Some(permit), total_deadline: Some(total_deadline), waiting_since, metrics, span }
    }

    /// Something of the stream has come.
    pub(crate) const fn on_first_byte(&mut self) {
        self.waiting_since = None;
    }

    /// The stream said its first content.
    pub(crate) fn on_first_token(&mut self) {
        self.metrics.on_first_token();
        if let Some(permit) = &mut self.permit {
            permit.first_token();
        }
    }

    /// The answer has said where it comes from.
    pub(crate) fn record_response_meta(&self, meta: &ResponseMeta) {
        spans::record_response_meta(&self.span, meta);
    }

    /// The stream is the caller's from here on, and takes the time it takes.
    pub(crate) const fn on_handoff(&mut self) {
        self.total_deadline = None;
    }

    /// The call brought a good, whole answer.
    pub(crate) fn succeeded(self, usage: Usage) {
        spans::record_usage(&self.span, usage);
        self.finish(ANSWERED, Permit::succeeded);
    }

    /// The call failed.
    pub(crate) fn failed(self, error: &ProviderError, chain: &Chain) {
        spans::record_error_status(&self.span, error);
        self.finish(metric_label(error), |permit| record_outcome(permit, error, chain));
    }

    fn finish(mut self, outcome: &'static str, report: impl FnOnce(Permit)) {
        self.metrics.outcome = outcome;
        if let Some(permit) = self.permit.take() {
            report(permit);
        }
    }
}

impl Drop for AttemptGuard {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            let stalled = self.waiting_since.is_some_and(|since| since.elapsed() >= STALL_TIMEOUT);
            let expired = self.total_deadline.filter(|due| Instant::now() >= due.at);
            if stalled || expired.is_some() {
                self.metrics.outcome = "timeout";
            }
            if stalled || expired.is_some_and(|due| due.had_fair_share) {
                permit.failed(Failure::new(FailureKind::Timeout));
            }
        }
        spans::record_outcome(&self.span, self.metrics.outcome);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use breaker::Policy;
    use circuits::{Circuits, Policies};

    use super::*;
    use crate::CallMetrics;

    const TOTAL: Duration = Duration::from_secs(600);

    /// Whether a call that is given up after so long leaves its circuit open, where one failure trips. `left`: what
    /// there is of [`TOTAL`] when it begins.
    async fn opens(stream: bool, got_first_byte: bool, left: Duration, after: Duration) -> bool {
        let policy = Policy {
            failure_threshold: 1,
            min_failure_span: Duration::ZERO,
            burst_threshold: 1,
            ..Policy::default()
        };
        let circuits = Circuits::in_memory(Policies { default: policy, ..Policies::default() });
        let key = "openai:gpt-5".parse().unwrap();
        let metrics = Arc::new(CallMetrics::default()).start_attempt(&key, false);
        let permit = circuits.admit(&key).await.unwrap();
        let mut guard = AttemptGuard::start(
            permit,
            stream,
            TotalDeadline::new(Instant::now() + left, TOTAL),
            metrics,
            Span::none(),
        );
        if got_first_byte {
            guard.on_first_byte();
        }
        tokio::time::advance(after).await;
        drop(guard);
        circuits.wait_idle(&key).await;
        circuits.admit(&key).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_stream_given_up_after_long_silence_is_a_failure() {
        let almost = STALL_TIMEOUT - Duration::from_millis(1);
        let table = [
            (true, false, STALL_TIMEOUT, true),
            (true, false, almost, false),
            (true, true, STALL_TIMEOUT, false),
            (false, false, STALL_TIMEOUT, false),
        ];
        for (stream, got_first_byte, after, expected) in table {
            assert_eq!(
                opens(stream, got_first_byte, TOTAL, after).await,
                expected,
                "stream {stream}, heard {got_first_byte}, {after:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_total_is_a_failure_of_those_who_had_most_of_it_or_hung() {
        let (half, less, moment) = (TOTAL / 2, TOTAL / 2 - Duration::from_millis(1), STALL_TIMEOUT / 2);
        let table = [
            (true, true, half, true),
            (false, false, half, true),
            (true, true, less, false),
            (false, false, less, false),
            (true, false, less, true),
            (true, false, moment, false),
        ];
        for (stream, got_first_byte, left, expected) in table {
            assert_eq!(
                opens(stream, got_first_byte, left, left).await,
                expected,
                "stream {stream}, heard {got_first_byte}, {left:?}"
            );
        }
    }
}

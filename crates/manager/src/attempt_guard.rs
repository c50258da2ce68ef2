//! The permit of an attempt in flight.

use std::time::Duration;

use circuits::Permit;
use dialects::{ResponseMeta, Usage};
use providers::ProviderError;
use tokio::time::Instant;
use tracing::Span;

use crate::{
    Chain,
    in_flight::InFlightGuard,
    metrics::AttemptMetrics,
    outcome::{ANSWERED, TIMEOUT, metric_label, record_outcome, record_timeout},
    spans,
};

/// A stream that is cancelled after this time without one byte of response counts as a failure (C1), so that a provider
/// that hangs is noticed even if callers wait less than `timeouts.first_byte`. Of a model that usually takes long, twice
/// its usual time is waited for: else impatient callers would open its circuit.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(15);

/// How much longer than usual (the 95th percentile of the model's last good streams) a silence must last to be unusual.
const USUAL_TIME_FACTOR: u32 = 2;

/// A stream that the caller already has keeps no larger request body for its circuit: many long streams would hold much
/// memory for little. If it is cut, that is its caller's failure, whatever the request was (B12).
const MAX_BODY_IN_STREAM: usize = 16 * 1024;

/// The end of `timeouts.total`, for one attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TotalDeadline {
    at: Instant,
    had_fair_share: bool,
}

impl TotalDeadline {
    /// For an attempt that starts now. If earlier attempts used most of `total`, its end is not this attempt's failure.
    pub(crate) fn new(at: Instant, total: Duration, now: Instant) -> Self {
        Self { at, had_fair_share: at.saturating_duration_since(now) >= total / 2 }
    }
}

/// A permit in use. Dropping it returns the permit without an outcome, except after an unusual silence
/// (from [`STALL_TIMEOUT`] on) and at the end of `timeouts.total`: then all attempts that have stalled count, whichever of them ended the call.
#[derive(Debug)]
pub(crate) struct AttemptGuard {
    permit: Option<Permit>,
    /// Applies until the caller has a part of the response.
    total_deadline: Option<TotalDeadline>,
    /// Since when the first byte of a stream is awaited.
    waiting_since: Option<Instant>,
    /// What the first byte of a stream took.
    first_byte_after: Option<Duration>,
    metrics: AttemptMetrics,
    span: Span,
    /// Of one among equals: it counts as in flight.
    _in_flight: Option<InFlightGuard>,
}

impl AttemptGuard {
    /// Starts with a permit; `waiting_since`: its start, if a stream was requested whose silence says something; `in_flight`:
    /// it counts as in flight until it is dropped.
    pub(crate) fn start(
        permit: Permit,
        waiting_since: Option<Instant>,
        total_deadline: TotalDeadline,
        metrics: AttemptMetrics,
        span: Span,
        in_flight: Option<InFlightGuard>,
    ) -> Self {
        let (permit, total_deadline) = (Some(permit), Some(total_deadline));
        Self {
            permit,
            total_deadline,
            waiting_since,
            first_byte_after: None,
            metrics,
            span,
            _in_flight: in_flight,
        }
    }

    /// The first byte of the stream was received.
    pub(crate) fn on_first_byte(&mut self) {
        if let Some(since) = self.waiting_since.take() {
            self.first_byte_after = Some(since.elapsed());
        }
    }

    /// The first token of the stream was received.
    pub(crate) fn on_first_token(&mut self) {
        self.metrics.on_first_token();
        if let Some(permit) = &mut self.permit {
            permit.first_token();
        }
    }

    /// Whether anybody reads the id and the model of a response.
    pub(crate) fn wants_response_meta(&self) -> bool {
        !self.span.is_disabled()
    }

    /// The response has reported its id or model.
    pub(crate) fn record_response_meta(&self, meta: &ResponseMeta) {
        spans::record_response_meta(&self.span, meta);
    }

    /// The caller has the stream from here on: `timeouts.total` applies no longer.
    pub(crate) fn on_handoff(&mut self) {
        self.total_deadline = None;
        if let Some(permit) = &mut self.permit {
            permit.release_body_over(MAX_BODY_IN_STREAM);
        }
    }

    /// The response was good and complete.
    pub(crate) fn succeeded(self, usage: Usage) {
        spans::record_usage(&self.span, usage);
        if let Some(after) = self.first_byte_after {
            self.metrics.record_first_byte(after);
        }
        self.finish(ANSWERED, Permit::succeeded);
    }

    /// The attempt failed.
    #[cold]
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

    /// The silence that is unusual for this model.
    fn stall_timeout(&self) -> Duration {
        let usual = self.metrics.usual_first_byte().unwrap_or_default();
        STALL_TIMEOUT.max(usual * USUAL_TIME_FACTOR)
    }
}

impl Drop for AttemptGuard {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            let stalled = self.waiting_since.is_some_and(|since| since.elapsed() >= self.stall_timeout());
            let expired = self.total_deadline.filter(|deadline| Instant::now() >= deadline.at);
            if stalled || expired.is_some() {
                self.metrics.outcome = TIMEOUT;
            }
            if stalled || expired.is_some_and(|deadline| deadline.had_fair_share) {
                record_timeout(permit);
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
    use dialects::Endpoint;
    use per_core::CoreArc;
    use providers::{ProviderConfig, ProviderKind};

    use super::*;
    use crate::{CallMetrics, Catalog, ChainModel, Settings};

    const TOTAL: Duration = Duration::from_secs(600);

    /// The metrics of an attempt that starts now.
    fn attempt_metrics(metrics: &CoreArc<CallMetrics>) -> AttemptMetrics {
        let url = "http://127.0.0.1:1/v1".parse().unwrap();
        let openai = ProviderConfig::new("openai", ProviderKind::OpenAi, url);
        let catalog = Catalog::new(Settings { providers: vec![openai], ..Settings::default() }).unwrap();
        let chain = catalog.resolve(Endpoint::ChatCompletions, "gpt-5").unwrap();
        AttemptMetrics::start(metrics.clone(), ChainModel::new(chain, 0), Instant::now())
    }

    fn one_failure() -> Policy {
        Policy {
            failure_threshold: 1,
            min_failure_span: Duration::ZERO,
            burst_threshold: 1,
            ..Policy::default()
        }
    }

    /// Whether an attempt that is cancelled after this time opens its circuit, where one failure trips. `left`: what
    /// remains of [`TOTAL`] when it starts.
    async fn opens(stream: bool, got_first_byte: bool, left: Duration, after: Duration) -> bool {
        let circuits = Circuits::in_memory(Policies { default: one_failure(), ..Policies::default() });
        let key = "openai:gpt-5".parse().unwrap();
        let metrics = attempt_metrics(&CoreArc::new(Arc::default()));
        let permit = circuits.admit(&key).await.unwrap();
        let mut guard = AttemptGuard::start(
            permit,
            stream.then(Instant::now),
            TotalDeadline::new(Instant::now() + left, TOTAL, Instant::now()),
            metrics,
            Span::none(),
            None,
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
    async fn only_a_cancelled_stream_that_has_stalled_is_a_failure() {
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
                "stream {stream}, first byte {got_first_byte}, {after:?}"
            );
        }
    }

    /// A model that thinks for 20 s: its callers give up after 16 s, 39 s or 40 s.
    #[tokio::test(start_paused = true)]
    async fn what_is_silent_for_long_depends_on_the_model() {
        let second = Duration::from_secs(1);
        for (usual, after, expected) in [
            (None, second * 16, true),
            (Some(second), second * 16, true),
            (Some(second * 20), second * 16, false),
            (Some(second * 20), second * 39, false),
            (Some(second * 20), second * 40, true),
        ] {
            let circuits = Circuits::in_memory(Policies { default: one_failure(), ..Policies::default() });
            let key = "openai:gpt-5".parse().unwrap();
            let metrics = CoreArc::new(Arc::default());
            let start = async || {
                let permit = circuits.admit(&key).await.unwrap();
                let now = Instant::now();
                let deadline = TotalDeadline::new(now + TOTAL, TOTAL, now);
                AttemptGuard::start(
                    permit,
                    Some(now),
                    deadline,
                    attempt_metrics(&metrics),
                    Span::none(),
                    None,
                )
            };
            if let Some(usual) = usual {
                let mut good = start().await;
                tokio::time::advance(usual).await;
                good.on_first_byte();
                good.succeeded(Usage::default());
            }
            let cancelled = start().await;
            tokio::time::advance(after).await;
            drop(cancelled);
            circuits.wait_idle(&key).await;
            assert_eq!(circuits.admit(&key).await.is_err(), expected, "usual {usual:?}, {after:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_total_is_a_failure_of_attempts_that_had_half_of_it_or_stalled() {
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
                "stream {stream}, first byte {got_first_byte}, {left:?}"
            );
        }
    }
}

//! What is kept of each call: one line in the log, and its part in the metrics.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use breaker::ModelKey;
use dialects::{Endpoint, ResponseMeta, Usage};
use tokio::time::Instant;
use tracing::Span;

use crate::{Call, CallMetrics, Chain, TracePropagator, metrics::CallSummary, outcome::ANSWERED, spans};

/// The longest name of a model that is told, in characters: a client may write anything there.
const MAX_NAME_CHARS: usize = ModelKey::MAX_CHARS;

/// What is known of a call so far. Told when it ends; dropped without an end, the client has left.
pub(crate) struct CallLog {
    id: String,
    endpoint: Endpoint,
    stream: bool,
    /// What the caller named as the model.
    requested: Arc<str>,
    /// `None`: there is no such model.
    chain: Option<Arc<Chain>>,
    metrics: Arc<CallMetrics>,
    started_at: Instant,
    first_token: Option<Duration>,
    outcome: Option<&'static str>,
    /// Who answered.
    pub(crate) answered_by: Option<ModelKey>,
    /// Calls to providers.
    attempts: Arc<AtomicU32>,
    /// Tokens of a whole answer, as far as reported.
    usage: Usage,
    span: Span,
}

impl CallLog {
    /// A call begins.
    pub(crate) fn start(
        call: &Call,
        chain: Option<&Arc<Chain>>,
        metrics: &Arc<CallMetrics>,
        propagator: Option<&dyn TracePropagator>,
    ) -> Self {
        let stream = call.request.stream();
        metrics.call_started(stream);
        let requested =
            chain.map_or_else(|| truncate_name(call.request.model()), |chain| Arc::clone(&chain.name));
        Self {
            span: spans::call(call, &requested, propagator),
            requested,
            id: call.id.clone(),
            endpoint: call.request.endpoint(),
            stream,
            chain: chain.cloned(),
            metrics: Arc::clone(metrics),
            started_at: Instant::now(),
            first_token: None,
            outcome: None,
            answered_by: None,
            attempts: Arc::default(),
            usage: Usage::default(),
        }
    }

    /// When the call began.
    pub(crate) const fn started_at(&self) -> Instant {
        self.started_at
    }

    /// The call's span.
    pub(crate) const fn span(&self) -> &Span {
        &self.span
    }

    /// Where calls to providers are counted.
    pub(crate) const fn attempts(&self) -> &Arc<AtomicU32> {
        &self.attempts
    }

    /// A model has answered, or begun to.
    pub(crate) fn set_answered_by(&mut self, key: ModelKey, meta: &ResponseMeta) {
        self.answered_by = Some(key);
        spans::record_response_meta(&self.span, meta);
    }

    /// Of a stream, the first content can be given to the caller.
    pub(crate) fn on_first_token(&mut self) {
        self.first_token = Some(self.started_at.elapsed());
    }

    /// The call has got a good, whole answer.
    pub(crate) fn finish_success(mut self, usage: Usage) {
        self.usage = usage;
        self.outcome = Some(ANSWERED);
    }

    /// The call has ended without one.
    pub(crate) fn finish(mut self, outcome: &'static str) {
        self.outcome = Some(outcome);
    }
}

impl CallLog {
    fn record_span(&self, outcome: &'static str) {
        let span = &self.span;
        if span.is_disabled() {
            return;
        }
        spans::record_outcome(span, outcome);
        spans::record_usage(span, self.usage);
        span.record("switchboard.attempts", self.attempts.load(Ordering::Relaxed));
        if let Some(key) = &self.answered_by {
            span.record("switchboard.answered_by", key.as_str());
        }
        if let Some(wait) = self.first_token {
            span.record("gen_ai.response.time_to_first_chunk", wait.as_secs_f64());
        }
    }
}

impl Drop for CallLog {
    fn drop(&mut self) {
        let outcome = self.outcome.unwrap_or_else(|| self.metrics.dropped_call_outcome());
        let duration = self.started_at.elapsed();
        let summary = CallSummary {
            chain: self.chain.as_deref(),
            outcome,
            answered_by: self.answered_by.as_ref().filter(|_| outcome == ANSWERED),
            usage: self.usage,
            duration,
            first_token: self.first_token,
        };
        self.metrics.call_ended(self.stream, &summary);
        self.record_span(outcome);
        tracing::info!(
            request = self.id,
            path = self.endpoint.path(),
            stream = self.stream,
            model = &*self.requested,
            answered_by = self.answered_by.as_ref().map(ModelKey::as_str),
            attempts = self.attempts.load(Ordering::Relaxed),
            duration_ms = duration.as_secs_f64() * 1000.0,
            first_token_ms = self.first_token.map(|wait| wait.as_secs_f64() * 1000.0),
            tokens_in = self.usage.input,
            tokens_out = self.usage.output,
            outcome,
            "call"
        );
    }
}

/// A client's word, if it is not too long to be kept.
fn truncate_name(name: &str) -> Arc<str> {
    name.chars().take(MAX_NAME_CHARS).collect::<String>().into()
}

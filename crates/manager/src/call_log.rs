//! The record of each call: one line in the log, and its part of the metrics.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use breaker::{CallerName, ModelKey};
use dialects::{Endpoint, ResponseMeta, Usage};
use http::HeaderMap;
use per_core::CoreArc;
use providers::UPSTREAM_REQUEST_ID;
use tokio::time::Instant;
use tracing::Span;

use crate::{
    Call, CallLine, CallLines, CallMetrics, Chain, ChainModel, TracePropagator, Translated,
    attempt_failures::AttemptFailures, metrics::CallSummary, outcome::ANSWERED, spans,
};

/// The longest name of a model in the log, in characters: a client may send any name.
const MAX_NAME_CHARS: usize = ModelKey::MAX_CHARS;

/// The longest id in the log that a provider gives to a request, in characters, of a byte each.
const MAX_REQUEST_ID_CHARS: usize = 128;

/// The record of a call so far. It is logged when it is dropped; without an outcome, the client has disconnected.
pub(crate) struct CallLog {
    id: Arc<str>,
    /// The name of the caller's key.
    caller: Option<CallerName>,
    endpoint: Endpoint,
    stream: bool,
    /// The name that was requested, if it is unknown.
    unknown: Option<Box<str>>,
    /// `None`: unknown route or model.
    chain: Option<Arc<Chain>>,
    metrics: CoreArc<CallMetrics>,
    started_at: Instant,
    first_token: Option<Duration>,
    outcome: Option<&'static str>,
    /// The model that responded.
    pub(crate) answered_by: Option<ChainModel>,
    /// What became of the request, if that model has another API format.
    translated: Option<Translated>,
    /// What that model's provider calls the request.
    upstream_request: Option<Box<str>>,
    /// Requests to providers.
    attempts: AtomicU32,
    /// Why they failed.
    failures: AttemptFailures,
    /// The tokens that a complete response reports.
    usage: Usage,
    span: Span,
    /// Where its line goes; `None`: it has none.
    lines: Option<&'static dyn CallLines>,
}

impl CallLog {
    /// A call starts. Boxed, since a stream takes it along.
    pub(crate) fn start(
        call: &Call,
        chain: Option<&Arc<Chain>>,
        metrics: CoreArc<CallMetrics>,
        propagator: Option<&dyn TracePropagator>,
        lines: Option<&'static dyn CallLines>,
    ) -> Box<Self> {
        let stream = call.request.stream();
        metrics.call_started(stream);
        let unknown = chain.is_none().then(|| truncate_name(call.request.model()));
        let requested = requested(chain.map(AsRef::as_ref), unknown.as_deref());
        Box::new(Self {
            span: spans::call(call, requested, propagator),
            unknown,
            id: Arc::clone(&call.id),
            caller: call.caller.clone(),
            endpoint: call.request.endpoint(),
            stream,
            chain: chain.cloned(),
            metrics,
            started_at: Instant::now(),
            first_token: None,
            outcome: None,
            answered_by: None,
            translated: None,
            upstream_request: None,
            attempts: AtomicU32::new(0),
            failures: AttemptFailures::default(),
            usage: Usage::default(),
            lines,
        })
    }

    /// When the call started.
    pub(crate) const fn started_at(&self) -> Instant {
        self.started_at
    }

    /// The call's span.
    pub(crate) const fn span(&self) -> &Span {
        &self.span
    }

    /// The counter of requests to providers.
    pub(crate) const fn attempts(&self) -> &AtomicU32 {
        &self.attempts
    }

    /// Why requests to providers failed.
    pub(crate) const fn failures(&self) -> &AttemptFailures {
        &self.failures
    }

    /// A model has responded, or its stream has started.
    pub(crate) fn set_answered_by(&mut self, model: ChainModel, meta: &ResponseMeta) {
        self.answered_by = Some(model);
        spans::record_response_meta(&self.span, meta);
    }

    /// The provider's own id of the request, from the headers that the caller gets. It is for the log alone.
    pub(crate) fn set_upstream_request(&mut self, headers: &HeaderMap) {
        if self.lines.is_none() {
            return;
        }
        self.upstream_request = upstream_request(headers).map(Into::into);
    }

    /// The model that responded has another API format.
    pub(crate) fn set_translated(&mut self, translated: Option<&Translated>) {
        self.translated = translated.cloned();
        if let Some(translated) = translated {
            self.metrics.call_translated(translated);
        }
    }

    /// The first token of a stream is ready for the caller.
    pub(crate) fn on_first_token(&mut self) {
        self.first_token = Some(self.started_at.elapsed());
    }

    /// The call got a good, complete response.
    pub(crate) fn finish_success(mut self: Box<Self>, usage: Usage) {
        self.usage = usage;
        self.outcome = Some(ANSWERED);
    }

    /// The call got no good, complete response.
    pub(crate) fn finish(mut self: Box<Self>, outcome: &'static str) {
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
        if let Some(translated) = &self.translated {
            span.record("switchboard.translated", tracing::field::display(translated));
            span.record("switchboard.dropped", translated.dropped_list());
        }
        if let Some(key) = &self.answered_by {
            span.record("switchboard.answered_by", key.as_str());
        }
        if let Some(first_token) = self.first_token {
            span.record("gen_ai.response.time_to_first_chunk", first_token.as_secs_f64());
        }
    }
}

impl CallLog {
    fn add_line(&mut self, lines: &dyn CallLines, outcome: &'static str, duration: Duration) {
        let failures = self.failures.list();
        let dropped = self.translated.as_ref().and_then(Translated::dropped_list);
        lines.add(&CallLine {
            request: &self.id,
            caller: self.caller.as_ref().map(CallerName::as_str),
            path: self.endpoint.path(),
            stream: self.stream,
            model: requested(self.chain.as_deref(), self.unknown.as_deref()),
            answered_by: self.answered_by.as_deref().map(ModelKey::as_str),
            upstream_request: self.upstream_request.as_deref(),
            attempts: self.attempts.load(Ordering::Relaxed),
            attempt_failures: failures.as_deref(),
            translated: self.translated.as_ref(),
            dropped: dropped.as_deref(),
            duration_ms: whole_millis(duration),
            first_token_ms: self.first_token.map(whole_millis),
            tokens_in: self.usage.input,
            tokens_out: self.usage.output,
            outcome,
        });
    }
}

impl Drop for CallLog {
    fn drop(&mut self) {
        let outcome = self.outcome.unwrap_or_else(|| self.metrics.dropped_call_outcome());
        let duration = self.started_at.elapsed();
        let summary = CallSummary {
            caller: self.caller.as_ref(),
            chain: self.chain.as_deref(),
            outcome,
            answered_by: self.answered_by.as_deref().filter(|_| outcome == ANSWERED),
            usage: self.usage,
            duration,
            first_token: self.first_token,
        };
        self.metrics.call_ended(self.stream, &summary);
        self.record_span(outcome);
        if let Some(lines) = self.lines {
            self.add_line(lines, outcome, duration);
        }
    }
}

/// The duration in the log: in whole ms, rounded up.
pub(crate) fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// A provider's id of a request, of limited length.
fn upstream_request(headers: &HeaderMap) -> Option<&str> {
    // Few headers are left, and to look for a name costs more than to compare it.
    let (_, id) = headers.iter().find(|(name, _)| **name == UPSTREAM_REQUEST_ID)?;
    let id = id.to_str().ok()?;
    Some(id.get(..MAX_REQUEST_ID_CHARS).unwrap_or(id))
}

/// A client's name for a model, of limited length.
fn truncate_name(name: &str) -> Box<str> {
    name.chars().take(MAX_NAME_CHARS).collect()
}

/// The requested route or model.
fn requested<'a>(chain: Option<&'a Chain>, unknown: Option<&'a str>) -> &'a str {
    chain.map_or(unknown.unwrap_or_default(), Chain::name)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_others_name_is_of_limited_length() {
        let longest = "x".repeat(MAX_REQUEST_ID_CHARS);
        for (id, logged) in [
            ("req_1", Some("req_1")),
            (&longest, Some(longest.as_str())),
            (&format!("{longest}y"), Some(&longest)),
            ("\u{fc}", None),
        ] {
            let id = HeaderValue::from_str(id).unwrap();
            let headers = HeaderMap::from_iter([(UPSTREAM_REQUEST_ID, id)]);
            assert_eq!(upstream_request(&headers), logged);
        }
        assert_eq!(upstream_request(&HeaderMap::new()), None);
        let name = "ü".repeat(MAX_NAME_CHARS);
        assert_eq!(*truncate_name(&format!("{name}ü")), *name);
    }
}

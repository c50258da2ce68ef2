//! What is kept of each call: one line in the log, and its part in the metrics.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use breaker::ModelKey;
use dialects::{Endpoint, Origin, Usage};
use tokio::time::Instant;
use tracing::Span;

use crate::{Call, Chain, Meter, Traces, blame::ANSWERED, meter::Ended, spans};

/// The longest name of a model that is told, in characters: a client may write anything there.
const LONGEST_NAME: usize = ModelKey::MAX_CHARS;

/// What is known of a call so far. Told when it ends; dropped without an end, the client has left.
pub(crate) struct Record {
    id: String,
    endpoint: Endpoint,
    stream: bool,
    /// What the caller named as the model.
    asked: Arc<str>,
    /// `None`: there is no such model.
    chain: Option<Arc<Chain>>,
    meter: Arc<Meter>,
    began: Instant,
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

impl Record {
    /// A call begins.
    pub(crate) fn begin(
        call: &Call,
        chain: Option<&Arc<Chain>>,
        meter: &Arc<Meter>,
        traces: Option<&dyn Traces>,
    ) -> Self {
        let stream = call.request.stream();
        meter.call_begins(stream);
        let asked = chain.map_or_else(|| in_short(call.request.model()), |chain| Arc::clone(&chain.name));
        Self {
            span: spans::call(call, &asked, traces),
            asked,
            id: call.id.clone(),
            endpoint: call.request.endpoint(),
            stream,
            chain: chain.cloned(),
            meter: Arc::clone(meter),
            began: Instant::now(),
            first_token: None,
            outcome: None,
            answered_by: None,
            attempts: Arc::default(),
            usage: Usage::default(),
        }
    }

    /// When the call began.
    pub(crate) const fn began(&self) -> Instant {
        self.began
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
    pub(crate) fn answered_by(&mut self, key: ModelKey, origin: &Origin) {
        self.answered_by = Some(key);
        spans::answered_by(&self.span, origin);
    }

    /// Of a stream, the first content can be given to the caller.
    pub(crate) fn speaks(&mut self) {
        self.first_token = Some(self.began.elapsed());
    }

    /// The call has got a good, whole answer.
    pub(crate) fn answered(mut self, usage: Usage) {
        self.usage = usage;
        self.outcome = Some(ANSWERED);
    }

    /// The call has ended without one.
    pub(crate) fn end(mut self, outcome: &'static str) {
        self.outcome = Some(outcome);
    }
}

impl Record {
    fn trace(&self, outcome: &'static str) {
        let span = &self.span;
        if span.is_disabled() {
            return;
        }
        spans::ended(span, outcome);
        spans::used(span, self.usage);
        span.record("switchboard.attempts", self.attempts.load(Ordering::Relaxed));
        if let Some(key) = &self.answered_by {
            span.record("switchboard.answered_by", key.as_str());
        }
        if let Some(wait) = self.first_token {
            span.record("gen_ai.response.time_to_first_chunk", wait.as_secs_f64());
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let outcome = self.outcome.unwrap_or_else(|| self.meter.outcome_of_a_drop());
        let duration = self.began.elapsed();
        let ended = Ended {
            chain: self.chain.as_deref(),
            outcome,
            answered: self.answered_by.as_ref().filter(|_| outcome == ANSWERED),
            usage: self.usage,
            duration,
            first_token: self.first_token,
        };
        self.meter.call_ends(self.stream, &ended);
        self.trace(outcome);
        tracing::info!(
            request = self.id,
            path = self.endpoint.path(),
            stream = self.stream,
            model = &*self.asked,
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
fn in_short(name: &str) -> Arc<str> {
    name.chars().take(LONGEST_NAME).collect::<String>().into()
}

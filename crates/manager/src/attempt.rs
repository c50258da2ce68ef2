//! One call to one model, from the permit of its circuit to its outcome.
//!
//! A stream is read to its first token, so that until then another model can replace it without the caller's notice (C3).
//! A buffered stream is then read to its end.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use circuits::{CallSource, Circuits, Permit, Refusal};
use dialects::{Dialect, OpenAiCall, error::is_foreign_reasoning};
use per_core::CoreArc;
use providers::{CompleteResponse, EventStream, Provider, ProviderError, ProviderResponse};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Span;
use translate::strip_reasoning;

use crate::{
    BufferLimit, Call, CallMetrics, Chain, ChainModel, MemoryBudget, MemoryShare, SkipReason,
    TracePropagator, Translated,
    attempt_failures::AttemptFailures,
    attempt_guard::{AttemptGuard, TotalDeadline},
    call_limit::CallLimit,
    call_log::whole_millis,
    in_flight::{InFlight, InFlightGuard},
    metrics::AttemptMetrics,
    outcome::{is_request_error, missing_resource},
    pieces::Pieces,
    prepare::{self, PreparedRequest, SharedRequest},
    shortage, spans,
    stored::StoredResponses,
    wait,
};

/// What an attempt needs of its call. A call may have several attempts at the same time.
#[derive(Clone, Copy)]
pub(crate) struct CallContext<'a> {
    pub(crate) circuits: &'a Circuits,
    pub(crate) chain: &'a Arc<Chain>,
    pub(crate) call: &'a Call,
    /// Whose call it is, for the circuits (B12).
    pub(crate) source: &'a CallSource,
    /// The time that the call has.
    pub(crate) limit: CallLimit,
    /// The end of that.
    pub(crate) deadline: Instant,
    /// Calls made to providers.
    pub(crate) attempts: &'a AtomicU32,
    /// Why they failed.
    pub(crate) failures: &'a AttemptFailures,
    pub(crate) metrics: &'a CoreArc<CallMetrics>,
    /// The call's span.
    pub(crate) span: &'a Span,
    pub(crate) propagator: Option<&'a dyn TracePropagator>,
    /// The request in the common form, for models of other API formats.
    pub(crate) shared_request: &'a SharedRequest,
    pub(crate) stored: &'a StoredResponses,
    pub(crate) memory: &'a MemoryBudget,
}

/// The delay before the same model is called again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryDelay {
    pub(crate) duration: Duration,
    /// The provider requested it, and its circuit rejects other calls meanwhile.
    pub(crate) is_cooldown: bool,
}

/// An attempt that has ended.
pub(crate) struct CompletedAttempt {
    /// The model's index in the chain.
    pub(crate) index: usize,
    pub(crate) outcome: AttemptOutcome,
}

/// The outcome of an attempt.
pub(crate) enum AttemptOutcome {
    /// The circuit gave no permit; nothing was called.
    NotPermitted(Refusal),
    /// The model cannot answer this request; nothing was called.
    Ineligible(SkipReason),
    /// A response in one piece. Boxed, as all that is large: an outcome is moved up several functions.
    Response(Box<CompleteResponse>, Option<Box<Translated>>),
    /// A stream with its first token, or a complete one without any.
    StreamStarted(Box<StartedStream>),
    /// A buffered stream, complete.
    Buffered(Box<StartedStream>),
    /// A stream that exceeds the buffer limit, or the memory that is left.
    BufferLimitExceeded(Box<StartedStream>),
    /// An error. The circuit knows.
    Failed(Box<ProviderError>, Option<Box<Translated>>),
    /// The call's time is over.
    DeadlineExceeded,
}

/// A stream that has started.
pub(crate) struct StartedStream {
    /// Events that were received and not yet passed on.
    pub(crate) buffered: Pieces,
    /// The memory that those take, of a stream that is being buffered.
    pub(crate) memory: Option<MemoryShare>,
    /// The rest.
    pub(crate) stream: EventStream,
    pub(crate) guard: AttemptGuard,
    pub(crate) translated: Option<Box<Translated>>,
}

enum StartedResponse {
    Complete(Box<CompleteResponse>),
    Streaming { buffered: Pieces, stream: EventStream },
}

impl CallContext<'_> {
    /// Acquires a permit and calls the model once, after the delay if there is one.
    pub(crate) async fn attempt(&self, index: usize, delay: Option<RetryDelay>) -> CompletedAttempt {
        let entry = &self.chain.entries[index];
        // From the choice on, so that calls at the same moment see each other (C7).
        let in_flight = entry.in_flight.as_ref().filter(|_| delay.is_none()).map(InFlight::enter);
        let translated = match prepare::translated(self.call, self.shared_request, entry) {
            Ok(translated) => translated,
            Err(reason) => {
                tracing::debug!(request = &*self.call.id, model = %entry.key, %reason, "model skipped");
                return CompletedAttempt { index, outcome: AttemptOutcome::Ineligible(reason) };
            }
        };
        let outcome = match self.acquire_permit(index, delay).await {
            Ok(permit) => {
                let prepared = translated.unwrap_or_else(|| prepare::unchanged(self.call, entry));
                pin!(self.call_once(index, permit, &prepared, in_flight)).await
            }
            Err(refusal) => {
                tracing::debug!(request = &*self.call.id, model = %entry.key, reason = %refusal, "model skipped");
                AttemptOutcome::NotPermitted(refusal)
            }
        };
        CompletedAttempt { index, outcome }
    }

    async fn acquire_permit(&self, index: usize, delay: Option<RetryDelay>) -> Result<Permit, Refusal> {
        if delay.is_none() {
            let entry = &self.chain.entries[index];
            if let Some(admission) = self.circuits.admit_now(&entry.key, entry.circuit.as_ref(), self.source)
            {
                return admission;
            }
        }
        // Boxed: hardly any call waits, and all have room for it.
        Box::pin(self.wait_for_permit(index, delay)).await
    }

    async fn wait_for_permit(&self, index: usize, delay: Option<RetryDelay>) -> Result<Permit, Refusal> {
        let mut cooldown_end = None;
        if let Some(RetryDelay { duration, is_cooldown }) = delay {
            cooldown_end = is_cooldown.then(|| Instant::now() + duration);
            sleep(duration).await;
        }
        loop {
            match self.circuits.admit_as(&self.chain.entries[index].key, self.source, None).await {
                Ok(permit) => return Ok(permit),
                Err(refusal) => match wait::remaining_cooldown(&refusal, cooldown_end) {
                    Some(remaining) => sleep(remaining).await,
                    None => return Err(refusal),
                },
            }
        }
    }

    /// Calls one model once, and reports the outcome to its circuit; a stream's outcome so far.
    async fn call_once(
        &self,
        index: usize,
        permit: Permit,
        prepared: &PreparedRequest,
        in_flight: Option<InFlightGuard>,
    ) -> AttemptOutcome {
        let Self { chain, call, .. } = *self;
        let entry = &chain.entries[index];
        let started_at = Instant::now();
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let model = ChainModel::new(Arc::clone(chain), index);
        let metrics = AttemptMetrics::start(self.metrics.clone(), model, started_at);
        let span =
            spans::attempt(self.span, prepared.endpoint, &entry.key, &entry.provider, permit.is_probe());
        let headers_with_trace = self.propagator.map(|propagator| propagator.inject(&span, &call.headers));
        let total_deadline = TotalDeadline::new(self.deadline, chain.timeouts.total, started_at);
        let streams_no_progress =
            call.request.endpoint().openai_call().is_some_and(OpenAiCall::streams_no_progress);
        let is_awaited = call.request.stream() && !streams_no_progress;
        let in_flight = in_flight.or_else(|| entry.in_flight.as_ref().map(InFlight::enter));
        let waiting_since = is_awaited.then_some(started_at);
        let mut guard = AttemptGuard::start(permit, waiting_since, total_deadline, metrics, span, in_flight);
        let to_provider = providers::ProviderRequest {
            endpoint: prepared.endpoint,
            model: entry.key.model(),
            body: &prepared.body,
            tail: prepared.tail.as_deref(),
            translation: prepared.translation.as_deref(),
            stream: call.request.stream(),
            withhold_usage: prepared.withhold_usage,
            json_array: call.request.json_array(),
            beta: call.beta,
            wants_meta: guard.wants_response_meta()
                || call.request.endpoint().dialect() == Dialect::OpenAiResponses,
            headers: headers_with_trace.as_ref().unwrap_or(&call.headers),
            timeouts: &chain.timeouts,
        };
        let limit = chain.buffer_limit;
        let mut result = {
            let opened = pin!(open(&entry.provider, &to_provider, &mut guard, limit));
            let longest_wait = entry.provider.longest_wait(&to_provider);
            let latest_end = longest_wait.and_then(|wait| started_at.checked_add(wait));
            if latest_end.is_some_and(|end| end < self.deadline) {
                // The provider's own timer is the earlier one, as in nearly every call: a timer costs as much as all headers.
                Ok(opened.await)
            } else {
                timeout_at(self.deadline, opened).await
            }
        };
        if let Ok(Err(error)) = &result
            && let Some(body) = without_refused_reasoning(&to_provider, error)
        {
            // Once more in `total`, since both are one attempt.
            let again = providers::ProviderRequest { body: &body, ..to_provider };
            let opened = Box::pin(open(&entry.provider, &again, &mut guard, limit));
            result = timeout_at(self.deadline, opened).await;
        }
        let log_result = |result: &str| {
            // Within the macro, so that the time is read only if the line is logged.
            tracing::debug!(request = &*call.id, model = %entry.key, duration_ms = whole_millis(started_at.elapsed()), "attempt: {result}");
        };
        match result {
            Ok(Ok(StartedResponse::Complete(response))) => {
                log_result("complete response");
                guard.record_response_meta(&response.meta);
                guard.succeeded(response.usage);
                AttemptOutcome::Response(response, prepared.translated())
            }
            Ok(Ok(StartedResponse::Streaming { buffered, stream })) => {
                log_result("stream started");
                guard.record_response_meta(stream.meta());
                let translated = prepared.translated();
                let started = StartedStream { buffered, memory: None, stream, guard, translated };
                AttemptOutcome::StreamStarted(Box::new(started))
            }
            Ok(Err(error)) => {
                log_result(&error.to_string());
                if let Some(resource) = missing_resource(&error) {
                    shortage::log(resource);
                }
                guard.failed(&error, chain);
                AttemptOutcome::Failed(Box::new(error), prepared.translated())
            }
            Err(_) => {
                // The guard decides whether that counts, when it is dropped.
                log_result("the call's time is over");
                AttemptOutcome::DeadlineExceeded
            }
        }
    }

    /// Reads a started stream to its end, so that the caller never sees it fail. The caller has nothing of it yet, so
    /// `timeouts.total` still applies.
    pub(crate) async fn buffer(&self, index: usize, started: Box<StartedStream>) -> CompletedAttempt {
        let outcome = timeout_at(self.deadline, self.read_to_end(index, started)).await.unwrap_or_else(|_| {
            tracing::debug!(request = &*self.call.id, model = %self.chain.entries[index].key, "attempt: timeouts.total expired while buffering");
            AttemptOutcome::DeadlineExceeded
        });
        CompletedAttempt { index, outcome }
    }

    async fn read_to_end(&self, index: usize, mut started: Box<StartedStream>) -> AttemptOutcome {
        loop {
            match started.stream.next().await {
                Ok(Some(event)) => {
                    if !event.bytes.is_empty() {
                        started.buffered.push(event.bytes);
                    }
                    let size = started.buffered.size();
                    let reservation = || self.memory.reservation(self.source.caller().cloned());
                    let memory = started.memory.get_or_insert_with(reservation);
                    let has_memory = memory.grow_to(size).is_ok();
                    if !has_memory || size > self.chain.buffer_limit.0 {
                        let (id, key) = (&*self.call.id, &self.chain.entries[index].key);
                        let limit = if has_memory { "the buffer limit" } else { "the memory that is left" };
                        tracing::warn!(request = id, model = %key, "response exceeds {limit}; switching to pass-through");
                        break AttemptOutcome::BufferLimitExceeded(started);
                    }
                }
                Ok(None) => break AttemptOutcome::Buffered(started),
                Err(error) => {
                    tracing::debug!(request = &*self.call.id, model = %self.chain.entries[index].key, %error, "attempt: failed while buffering");
                    let StartedStream { guard, translated, .. } = *started;
                    guard.failed(&error, self.chain);
                    break AttemptOutcome::Failed(Box::new(error), translated);
                }
            }
        }
    }
}

/// The body to send once more, if the provider has refused reasoning that another made: without any reasoning. That is the
/// client's mistake and no failure of the model, so it does not count (T5).
fn without_refused_reasoning(call: &providers::ProviderRequest<'_>, error: &ProviderError) -> Option<Bytes> {
    let is_conversation = call.endpoint.openai_call().is_none();
    let is_foreign = is_conversation
        && is_request_error(error)
        && error.response.as_ref().is_some_and(|response| is_foreign_reasoning(&response.body));
    is_foreign.then(|| strip_reasoning(call.endpoint.dialect(), call.body)).flatten()
}

/// Calls the provider, and waits for its complete response or for the stream's first token. The events before that are
/// kept, so a provider that sends too much without a token has failed.
async fn open(
    provider: &Provider,
    call: &providers::ProviderRequest<'_>,
    guard: &mut AttemptGuard,
    BufferLimit(max_bytes): BufferLimit,
) -> Result<StartedResponse, ProviderError> {
    // Pinned where it is: to await a future is to move it, and this one is large.
    let mut stream = match pin!(provider.call(call)).await? {
        ProviderResponse::Complete(response) => return Ok(StartedResponse::Complete(Box::new(response))),
        ProviderResponse::Streaming(stream) => stream,
    };
    let mut buffered = Pieces::default();
    while let Some(event) = stream.next().await? {
        guard.on_first_byte();
        // Of a translated event nothing may be left.
        if !event.bytes.is_empty() {
            buffered.push(event.bytes);
        }
        if event.has_content {
            guard.on_first_token();
            break;
        }
        if buffered.size() > max_bytes {
            return Err(ProviderError::too_large(max_bytes));
        }
    }
    Ok(StartedResponse::Streaming { buffered, stream })
}

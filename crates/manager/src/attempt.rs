//! One call to one model, from its circuit's leave to what came of it.
//!
//! A stream is opened as far as its first content, so that until then another model can take its place unseen (C3);
//! a held one is then read to its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use circuits::{Circuits, Permit, Refusal};
use providers::{CompleteResponse, EventStream, Provider, ProviderError, ProviderResponse};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Span;

use crate::{
    BufferLimit, Call, CallMetrics, Chain, TracePropagator,
    attempt_guard::{AttemptGuard, TotalDeadline},
    spans, wait,
};

/// What an attempt needs to know of its call. Many may be made for one call, side by side.
#[derive(Clone, Copy)]
pub(crate) struct CallContext<'a> {
    pub(crate) circuits: &'a Circuits,
    pub(crate) chain: &'a Arc<Chain>,
    pub(crate) call: &'a Call,
    /// The end of `timeouts.total`.
    pub(crate) deadline: Instant,
    /// Calls made to providers.
    pub(crate) attempts: &'a AtomicU32,
    pub(crate) metrics: &'a Arc<CallMetrics>,
    /// The call's span.
    pub(crate) span: &'a Span,
    pub(crate) propagator: Option<&'a dyn TracePropagator>,
}

/// Waiting before the same model is called again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryDelay {
    pub(crate) duration: Duration,
    /// The provider asked for it, and its circuit keeps others away meanwhile.
    pub(crate) is_cooldown: bool,
}

/// An attempt that has come to its end.
pub(crate) struct CompletedAttempt {
    /// The model's place in the chain.
    pub(crate) index: usize,
    pub(crate) outcome: AttemptOutcome,
}

/// What came of an attempt.
pub(crate) enum AttemptOutcome {
    /// The circuit gave no leave; nothing was called.
    NotPermitted(Refusal),
    /// An answer in one piece.
    Response(CompleteResponse),
    /// A stream that has spoken, or ended well without a word.
    StreamStarted(StartedStream),
    /// A held stream, whole.
    Buffered(StartedStream),
    /// A stream that has grown too large to be held.
    BufferLimitExceeded(StartedStream),
    /// No good answer. The circuit knows.
    Failed(ProviderError),
    /// `timeouts.total` ran out.
    DeadlineExceeded,
}

/// A stream that has spoken.
pub(crate) struct StartedStream {
    /// What has come and was not handed on.
    pub(crate) buffered: Vec<Bytes>,
    /// The rest. Boxed, since it is handed on at every event.
    pub(crate) stream: Box<EventStream>,
    pub(crate) guard: AttemptGuard,
}

enum StartedResponse {
    Complete(CompleteResponse),
    Streaming { buffered: Vec<Bytes>, stream: Box<EventStream> },
}

impl CallContext<'_> {
    /// Asks the circuit for leave and calls the model once, after a pause if there is one.
    pub(crate) async fn attempt(self, index: usize, delay: Option<RetryDelay>) -> CompletedAttempt {
        let outcome = match self.acquire_permit(index, delay).await {
            Ok(permit) => self.call_once(index, permit).await,
            Err(refusal) => {
                let key = &self.chain.entries[index].key;
                tracing::debug!(request = self.call.id, model = %key, why = %refusal, "passed by");
                AttemptOutcome::NotPermitted(refusal)
            }
        };
        CompletedAttempt { index, outcome }
    }

    async fn acquire_permit(self, index: usize, delay: Option<RetryDelay>) -> Result<Permit, Refusal> {
        let mut cooldown_end = None;
        if let Some(RetryDelay { duration, is_cooldown }) = delay {
            cooldown_end = is_cooldown.then(|| Instant::now() + duration);
            sleep(duration).await;
        }
        loop {
            match self.circuits.admit(&self.chain.entries[index].key).await {
                Ok(permit) => return Ok(permit),
                Err(refusal) => match wait::remaining_cooldown(&refusal, cooldown_end) {
                    Some(remaining) => sleep(remaining).await,
                    None => return Err(refusal),
                },
            }
        }
    }

    /// Calls one model once. Its circuit learns how that went; a stream's, as far as it went.
    async fn call_once(self, index: usize, permit: Permit) -> AttemptOutcome {
        let Self { chain, call, .. } = self;
        let entry = &chain.entries[index];
        let started_at = Instant::now();
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let metrics = self.metrics.start_attempt(&entry.key, chain.is_routed_model);
        let span = spans::attempt(self.span, &entry.key, &entry.provider, permit.is_probe());
        let headers_with_trace = self.propagator.map(|propagator| propagator.inject(&span, &call.headers));
        let total_deadline = TotalDeadline::new(self.deadline, chain.timeouts.total);
        let mut guard = AttemptGuard::start(permit, call.request.stream(), total_deadline, metrics, span);
        let body = call.request.with_model(entry.key.model());
        let headers = headers_with_trace.as_ref().unwrap_or(&call.headers);
        let to_provider = call.to_provider(entry.key.model(), &body, headers, &chain.timeouts);
        let result =
            timeout_at(self.deadline, open(&entry.provider, to_provider, &mut guard, chain.buffer_limit))
                .await;
        let log_result = |what: &str| {
            let ms = started_at.elapsed().as_secs_f64() * 1000.0;
            tracing::debug!(request = call.id, model = %entry.key, ms, "attempt: {what}");
        };
        match result {
            Ok(Ok(StartedResponse::Complete(response))) => {
                log_result("answered");
                guard.record_response_meta(&response.meta);
                guard.succeeded(response.usage);
                AttemptOutcome::Response(response)
            }
            Ok(Ok(StartedResponse::Streaming { buffered, stream })) => {
                log_result("speaks");
                guard.record_response_meta(stream.meta());
                AttemptOutcome::StreamStarted(StartedStream { buffered, stream, guard })
            }
            Ok(Err(error)) => {
                log_result(&error.to_string());
                guard.failed(&error, chain);
                AttemptOutcome::Failed(error)
            }
            Err(_) => {
                // Whose fault that is, the trial says when it is dropped.
                log_result("timeouts.total ran out");
                AttemptOutcome::DeadlineExceeded
            }
        }
    }

    /// Reads a stream that has spoken to its end, so that nobody sees it fail. The caller still has nothing of it, so
    /// `timeouts.total` goes on.
    pub(crate) async fn buffer(self, index: usize, started: StartedStream) -> CompletedAttempt {
        let outcome = timeout_at(self.deadline, self.read_to_end(index, started)).await.unwrap_or_else(|_| {
            tracing::debug!(request = self.call.id, model = %self.chain.entries[index].key, "attempt: timeouts.total ran out while held");
            AttemptOutcome::DeadlineExceeded
        });
        CompletedAttempt { index, outcome }
    }

    async fn read_to_end(self, index: usize, mut started: StartedStream) -> AttemptOutcome {
        let mut size: usize = started.buffered.iter().map(Bytes::len).sum();
        loop {
            match started.stream.next().await {
                Ok(Some(event)) => {
                    size += event.bytes.len();
                    started.buffered.push(event.bytes);
                    if size > self.chain.buffer_limit.0 {
                        let (id, key) = (&self.call.id, &self.chain.entries[index].key);
                        tracing::warn!(request = id, model = %key, "the answer is too large to be held: relayed from here on");
                        break AttemptOutcome::BufferLimitExceeded(started);
                    }
                }
                Ok(None) => break AttemptOutcome::Buffered(started),
                Err(error) => {
                    tracing::debug!(request = self.call.id, model = %self.chain.entries[index].key, %error, "attempt: failed while held");
                    started.guard.failed(&error, self.chain);
                    break AttemptOutcome::Failed(error);
                }
            }
        }
    }
}

/// Calls the provider, and waits for its whole answer or for the stream's first content. What comes before that is kept,
/// so a provider that goes on without ever saying something has failed.
async fn open(
    provider: &Provider,
    call: providers::ProviderRequest<'_>,
    guard: &mut AttemptGuard,
    BufferLimit(max_bytes): BufferLimit,
) -> Result<StartedResponse, ProviderError> {
    let mut stream = match provider.call(call).await? {
        ProviderResponse::Complete(response) => return Ok(StartedResponse::Complete(response)),
        ProviderResponse::Streaming(stream) => stream,
    };
    let (mut buffered, mut size) = (Vec::new(), 0);
    while let Some(event) = stream.next().await? {
        guard.on_first_byte();
        size += event.bytes.len();
        buffered.push(event.bytes);
        if event.progress.content {
            guard.on_first_token();
            break;
        }
        if size > max_bytes {
            return Err(ProviderError::too_large(max_bytes));
        }
    }
    Ok(StartedResponse::Streaming { buffered, stream: Box::new(stream) })
}

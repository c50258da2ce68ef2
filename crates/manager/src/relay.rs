//! A stream on its way to the caller, event by event.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use breaker::ModelKey;
use bytes::Bytes;
use dialects::{
    Dialect,
    error::{error_event, provider_error_event},
};
use futures_util::{FutureExt as _, Stream, stream};
use providers::{EventStream, FailureClass, ProviderError, StreamEvent};

use crate::{Chain, attempt_guard::AttemptGuard, call_log::CallLog, yield_now::yield_to_runtime};

/// The `code` of the event that ends a stream which its provider broke off.
const STREAM_INTERRUPTED: &str = "stream_interrupted";

/// At most so many events that came together are handed on together.
const MAX_BATCH: usize = 32;

/// The events of a streamed answer, each as it came from the provider. A stream that fails ends with the dialect's
/// error event and without its end marker (C3). Dropping it stops the provider's call.
pub struct Events(Pin<Box<dyn Stream<Item = Bytes> + Send>>);

impl Events {
    pub(crate) fn new(events: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self(Box::pin(events))
    }
}

impl Stream for Events {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

/// Events that are all here.
pub(crate) fn buffered_events(events: Vec<Bytes>) -> Events {
    Events::new(stream::iter(events))
}

/// A stream that has begun to speak.
pub(crate) struct Relay {
    /// What is here and not yet handed on.
    pub(crate) buffered: VecDeque<Bytes>,
    /// What follows on that, if it is known.
    pub(crate) lookahead: Option<Result<Option<StreamEvent>, ProviderError>>,
    pub(crate) stream: Box<EventStream>,
    pub(crate) dialect: Dialect,
    pub(crate) chain: Arc<Chain>,
    pub(crate) guard: AttemptGuard,
    pub(crate) log: CallLog,
}

impl Relay {
    /// The events as the caller gets them.
    pub(crate) fn into_events(self) -> Events {
        Events::new(stream::unfold(Some(self), |relay| async { relay?.step().await }))
    }

    /// The next event, and the relay if another may follow.
    async fn step(mut self) -> Option<(Bytes, Option<Self>)> {
        if let Some(bytes) = self.buffered.pop_front() {
            return Some((bytes, Some(self)));
        }
        let next = match self.lookahead.take() {
            Some(next) => next,
            None => self.stream.next().await,
        };
        match next {
            Ok(Some(event)) => {
                self.coalesce_ready().await;
                Some((event.bytes, Some(self)))
            }
            Ok(None) => {
                self.finish();
                None
            }
            Err(error) => Some((self.fail(&error), None)),
        }
    }

    /// Takes along what has come by now, so that a burst of events costs one write to the caller's socket and not one
    /// each. Waits for nothing but the turn of the task that reads the provider's socket.
    async fn coalesce_ready(&mut self) {
        while self.buffered.len() < MAX_BATCH {
            yield_to_runtime().await;
            match self.stream.next().now_or_never() {
                Some(Ok(Some(event))) => self.buffered.push_back(event.bytes),
                lookahead => {
                    self.lookahead = lookahead;
                    return;
                }
            }
        }
    }

    fn finish(self) {
        let usage = self.stream.usage();
        self.guard.succeeded(usage);
        self.log.finish_success(usage);
    }

    /// Tells circuit and log, and says what the caller is told.
    fn fail(self, error: &ProviderError) -> Bytes {
        let event = request_error_event(self.dialect, error).unwrap_or_else(|| {
            let model = self.log.answered_by.as_ref().map_or("the model", ModelKey::as_str);
            let message =
                format!("the answer of {model} was broken off ({error}); what came before is not all of it");
            error_event(self.dialect, 500, STREAM_INTERRUPTED, &message)
        });
        self.guard.failed(error, &self.chain);
        self.log.finish(STREAM_INTERRUPTED);
        event
    }
}

/// What the provider says of the caller's request, which is passed on as it is (C2).
fn request_error_event(dialect: Dialect, error: &ProviderError) -> Option<Bytes> {
    let is_request_error = matches!(error.class, FailureClass::InvalidRequest | FailureClass::ContextTooLong);
    let response = error.response.as_ref().filter(|_| is_request_error)?;
    Some(provider_error_event(dialect, response.status.as_u16(), &response.body))
}

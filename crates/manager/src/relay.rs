//! A stream that is passed through to the caller, event by event.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    vec,
};

use bytes::Bytes;
use dialects::{
    Dialect,
    error::{error_event, provider_error_event},
    events::last_array_item,
};
use futures_util::Stream;
use providers::{ErrorDetail, EventStream, ProviderError};

use crate::{
    Chain, Events, MemoryShare, StreamAborted,
    attempt_guard::AttemptGuard,
    call_log::CallLog,
    outcome::{STREAM_INTERRUPTED, is_request_error},
};

/// A stream that has started.
pub(crate) struct Relay {
    /// What was received before the caller got any of it; `None`: all of that is passed on.
    pub(crate) buffered: Option<BufferedEvents>,
    pub(crate) stream: EventStream,
    pub(crate) dialect: Dialect,
    /// The caller gets the events as the items of a JSON array.
    pub(crate) json_array: bool,
    pub(crate) chain: Arc<Chain>,
    pub(crate) guard: AttemptGuard,
    pub(crate) log: Box<CallLog>,
}

/// Events that were received and not yet passed on.
pub(crate) struct BufferedEvents {
    pub(crate) events: vec::IntoIter<Bytes>,
    /// The memory that they take.
    pub(crate) _memory: Option<MemoryShare>,
}

/// The events of a relay, as the caller gets them; `None`: they have ended. Those that arrive together are sent together: whoever
/// writes them asks for more until there are none, and flushes then.
struct RelayedEvents(Option<Box<Relay>>);

impl Relay {
    /// The events as the caller gets them.
    pub(crate) fn into_events(self) -> Events {
        Events::new(RelayedEvents(Some(Box::new(self))))
    }

    fn finish(self) {
        let usage = self.stream.usage();
        self.guard.succeeded(usage);
        self.log.finish_success(usage);
    }

    /// Reports the error to circuit and log, and returns the event for the caller, or that its connection is to be cut off.
    fn fail(self, error: &ProviderError) -> Result<Bytes, StreamAborted> {
        let has_events = self.stream.has_events();
        let event = request_error_event(self.dialect, error).unwrap_or_else(|| {
            let model = self.log.answered_by.as_ref().map_or("the model", |model| model.as_str());
            let message = format!("stream from {model} ended early ({error}); the response is incomplete");
            error_event(self.dialect, 500, STREAM_INTERRUPTED, &message)
        });
        self.guard.failed(error, &self.chain);
        self.log.finish(STREAM_INTERRUPTED);
        if !has_events {
            return Err(StreamAborted);
        }
        // A stream is handed over with its first token, so the array has begun.
        Ok(if self.json_array { last_array_item(&event, false) } else { event })
    }
}

impl Stream for RelayedEvents {
    type Item = Result<Bytes, StreamAborted>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(relay) = &mut self.0 else { return Poll::Ready(None) };
        if let Some(buffered) = &mut relay.buffered {
            match buffered.events.next() {
                Some(event) => return Poll::Ready(Some(Ok(event))),
                None => relay.buffered = None,
            }
        }
        loop {
            match ready!(relay.stream.poll_next(cx)) {
                // Of a translated event nothing may be left.
                Ok(Some(event)) if event.bytes.is_empty() => {}
                Ok(Some(event)) => return Poll::Ready(Some(Ok(event.bytes))),
                Ok(None) => {
                    self.0.take().into_iter().for_each(|relay| relay.finish());
                    return Poll::Ready(None);
                }
                Err(error) => return Poll::Ready(self.0.take().map(|relay| relay.fail(&error))),
            }
        }
    }
}

/// The provider's own error event, if it concerns the caller's request (C2).
fn request_error_event(dialect: Dialect, error: &ProviderError) -> Option<Bytes> {
    let response = error.response.as_ref().filter(|_| is_request_error(error))?;
    Some(match error.detail.as_deref() {
        Some(ErrorDetail::Event(event)) => event.0.clone(),
        _ => provider_error_event(dialect, response.status.as_u16(), &response.body),
    })
}

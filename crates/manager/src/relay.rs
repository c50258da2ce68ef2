//! A stream that is passed through to the caller, event by event.

use std::{
    collections::VecDeque,
    future::Future,
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use dialects::{
    Dialect,
    error::{error_event, provider_error_event},
    events::last_array_item,
};
use futures_util::Stream;
use providers::{ErrorDetail, EventStream, ProviderError, StreamEvent};

use crate::{
    Chain, Events, MemoryShare, StreamAborted,
    attempt_guard::AttemptGuard,
    call_log::CallLog,
    outcome::{STREAM_INTERRUPTED, is_request_error},
};

/// A stream that has started.
pub(crate) struct Relay {
    /// Events that were received and not yet passed on.
    pub(crate) buffered: VecDeque<Bytes>,
    /// The memory that those take.
    pub(crate) memory: Option<MemoryShare>,
    pub(crate) stream: Box<EventStream>,
    /// The stream's last event was received.
    pub(crate) is_complete: bool,
    pub(crate) dialect: Dialect,
    /// The caller gets the events as the items of a JSON array.
    pub(crate) json_array: bool,
    pub(crate) chain: Arc<Chain>,
    pub(crate) guard: AttemptGuard,
    pub(crate) log: Box<CallLog>,
}

type NextEvent = Result<Option<StreamEvent>, ProviderError>;

/// The events of a relay, as the caller gets them. Those that arrive together are sent together: whoever writes them asks for
/// more until there are none, and flushes then.
enum RelayedEvents {
    /// Boxed, so that it stays where it is.
    Relaying(Box<Relay>),
    /// The last event was received: what follows it is read in one go, unlike events, of which each may be asked for anew.
    Completing(Pin<Box<dyn Future<Output = (Box<Relay>, NextEvent)> + Send>>),
    Done,
}

impl Relay {
    /// The events as the caller gets them.
    pub(crate) fn into_events(self) -> Events {
        Events::new(RelayedEvents::Relaying(Box::new(self)))
    }

    /// What follows the stream's last event.
    async fn next_of_complete(mut self: Box<Self>) -> (Box<Self>, NextEvent) {
        let next = self.stream.next().await;
        (self, next)
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
        loop {
            let next = match &mut *self {
                Self::Done => return Poll::Ready(None),
                Self::Relaying(relay) => {
                    if let Some(event) = relay.buffered.pop_front() {
                        return Poll::Ready(Some(Ok(event)));
                    }
                    relay.memory = None;
                    if relay.is_complete {
                        self.complete();
                        continue;
                    }
                    let next = ready!(pin!(relay.stream.next()).poll(cx));
                    relay.is_complete = next.as_ref().is_ok_and(is_last);
                    next
                }
                Self::Completing(next) => {
                    let (relay, next) = ready!(next.as_mut().poll(cx));
                    *self = Self::Relaying(relay);
                    next
                }
            };
            match next {
                // Of a translated event nothing may be left.
                Ok(Some(event)) if event.bytes.is_empty() => {}
                Ok(Some(event)) => return Poll::Ready(Some(Ok(event.bytes))),
                Ok(None) => {
                    self.take().into_iter().for_each(|relay| relay.finish());
                }
                Err(error) => return Poll::Ready(self.take().map(|relay| relay.fail(&error))),
            }
        }
    }
}

impl RelayedEvents {
    /// The relay, which ends here.
    fn take(&mut self) -> Option<Box<Relay>> {
        match mem::replace(self, Self::Done) {
            Self::Relaying(relay) => Some(relay),
            Self::Completing(_) | Self::Done => None,
        }
    }

    /// Reads what follows the last event.
    fn complete(&mut self) {
        if let Some(relay) = self.take() {
            *self = Self::Completing(Box::pin(relay.next_of_complete()));
        }
    }
}

/// Whether nothing but the end of the body can follow.
fn is_last(next: &Option<StreamEvent>) -> bool {
    next.as_ref().is_none_or(|event| event.progress.done)
}

/// The provider's own error event, if it concerns the caller's request (C2).
fn request_error_event(dialect: Dialect, error: &ProviderError) -> Option<Bytes> {
    let response = error.response.as_ref().filter(|_| is_request_error(error))?;
    Some(match error.detail.as_deref() {
        Some(ErrorDetail::Event(event)) => event.0.clone(),
        _ => provider_error_event(dialect, response.status.as_u16(), &response.body),
    })
}

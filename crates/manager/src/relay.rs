//! A stream that is passed through to the caller, event by event.

use std::{collections::VecDeque, sync::Arc};

use breaker::ModelKey;
use bytes::Bytes;
use dialects::{
    Dialect,
    error::{error_event, provider_error_event},
    events::last_array_item,
};
use futures_util::stream;
use providers::{ErrorDetail, EventStream, ProviderError};

use crate::{
    Chain, Events, MemoryShare, StreamAborted,
    attempt_guard::AttemptGuard,
    call_log::CallLog,
    outcome::{STREAM_INTERRUPTED, is_request_error},
};

/// The most events that are passed on in one batch.
const MAX_BATCH: usize = 32;

/// A stream that has started.
pub(crate) struct Relay {
    /// Events that were received and not yet passed on.
    pub(crate) buffered: VecDeque<Bytes>,
    /// The memory that those take.
    pub(crate) memory: MemoryShare,
    /// How it failed after those, if it has.
    pub(crate) failure: Option<ProviderError>,
    pub(crate) stream: Box<EventStream>,
    pub(crate) dialect: Dialect,
    /// The caller gets the events as the items of a JSON array.
    pub(crate) json_array: bool,
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
    async fn step(mut self) -> Option<(Result<Bytes, StreamAborted>, Option<Self>)> {
        loop {
            if let Some(bytes) = self.buffered.pop_front() {
                return Some((Ok(bytes), Some(self)));
            }
            self.memory.release();
            let next = match self.failure.take() {
                Some(error) => Err(error),
                None => self.stream.next().await,
            };
            match next {
                // Of a translated event nothing may be left.
                Ok(Some(event)) if event.bytes.is_empty() => {}
                Ok(Some(event)) => {
                    self.coalesce_ready();
                    return Some((Ok(event.bytes), Some(self)));
                }
                Ok(None) => {
                    self.finish();
                    return None;
                }
                Err(error) => return Some((self.fail(&error), None)),
            }
        }
    }

    /// Adds the events that are ready, so that a burst of events costs one write to the caller's socket and not one each.
    /// It waits for nothing.
    fn coalesce_ready(&mut self) {
        while self.buffered.len() < MAX_BATCH {
            match self.stream.next_if_ready() {
                Some(Ok(event)) if event.bytes.is_empty() => {}
                Some(Ok(event)) => self.buffered.push_back(event.bytes),
                Some(Err(error)) => {
                    self.failure = Some(error);
                    return;
                }
                None => return,
            }
        }
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
            let model = self.log.answered_by.as_ref().map_or("the model", ModelKey::as_str);
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

/// The provider's own error event, if it concerns the caller's request (C2).
fn request_error_event(dialect: Dialect, error: &ProviderError) -> Option<Bytes> {
    let response = error.response.as_ref().filter(|_| is_request_error(error))?;
    Some(match error.detail.as_deref() {
        Some(ErrorDetail::Event(event)) => event.0.clone(),
        _ => provider_error_event(dialect, response.status.as_u16(), &response.body),
    })
}

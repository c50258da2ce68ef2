//! A stream on its way to the caller, event by event.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    vec,
};

use breaker::ModelKey;
use bytes::Bytes;
use circuits::Permit;
use dialects::{Dialect, error::error_event};
use futures_util::{Stream, stream};
use providers::{EventStream, Fault};

use crate::{Chain, blame::settle, record::Record, trial::Trial};

/// The `code` of the event that ends a stream which its provider broke off.
const INTERRUPTED: &str = "stream_interrupted";

/// The events of a streamed answer, each as it came from the provider. A stream that fails ends with the dialect's
/// error event and without its end marker (C3). Dropping it stops the provider's call.
pub struct Events(Pin<Box<dyn Stream<Item = Bytes> + Send>>);

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

/// A stream that has begun to speak.
pub(crate) struct Relay {
    /// What was held back until then.
    pub(crate) held: vec::IntoIter<Bytes>,
    pub(crate) stream: Box<EventStream>,
    pub(crate) dialect: Dialect,
    pub(crate) chain: Arc<Chain>,
    pub(crate) trial: Trial,
    pub(crate) record: Record,
}

impl Relay {
    /// The events as the caller gets them.
    pub(crate) fn into_events(self) -> Events {
        Events(Box::pin(stream::unfold(Some(self), |relay| async { relay?.step().await })))
    }

    /// The next event, and the relay if another may follow.
    async fn step(mut self) -> Option<(Bytes, Option<Self>)> {
        if let Some(bytes) = self.held.next() {
            return Some((bytes, Some(self)));
        }
        match self.stream.next().await {
            Ok(Some(event)) => Some((event.bytes, Some(self))),
            Ok(None) => {
                self.finish();
                None
            }
            Err(fault) => Some((self.fail(&fault), None)),
        }
    }

    fn finish(mut self) {
        self.trial.end(Permit::succeeded);
        self.record.usage = self.stream.usage();
        self.record.end("answered");
    }

    /// Tells circuit and log, and says what the caller is told.
    fn fail(self, fault: &Fault) -> Bytes {
        let by = self.record.answered_by.as_ref().map_or("the model", ModelKey::as_str);
        let message =
            format!("the answer of {by} was broken off ({fault}); what came before is not all of it");
        self.trial.end(|permit| settle(permit, fault, &self.chain));
        self.record.end(INTERRUPTED);
        error_event(self.dialect, INTERRUPTED, &message)
    }
}

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
use providers::{Blame, Event, EventStream, Fault};

use crate::{Chain, record::Record, trial::Trial, turn::turn};

/// The `code` of the event that ends a stream which its provider broke off.
const INTERRUPTED: &str = "stream_interrupted";

/// At most so many events that came together are handed on together.
const BURST: usize = 32;

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
pub(crate) fn all_of(events: Vec<Bytes>) -> Events {
    Events::new(stream::iter(events))
}

/// A stream that has begun to speak.
pub(crate) struct Relay {
    /// What is here and not yet handed on.
    pub(crate) held: VecDeque<Bytes>,
    /// What follows on that, if it is known.
    pub(crate) following: Option<Result<Option<Event>, Fault>>,
    pub(crate) stream: Box<EventStream>,
    pub(crate) dialect: Dialect,
    pub(crate) chain: Arc<Chain>,
    pub(crate) trial: Trial,
    pub(crate) record: Record,
}

impl Relay {
    /// The events as the caller gets them.
    pub(crate) fn into_events(self) -> Events {
        Events::new(stream::unfold(Some(self), |relay| async { relay?.step().await }))
    }

    /// The next event, and the relay if another may follow.
    async fn step(mut self) -> Option<(Bytes, Option<Self>)> {
        if let Some(bytes) = self.held.pop_front() {
            return Some((bytes, Some(self)));
        }
        let next = match self.following.take() {
            Some(next) => next,
            None => self.stream.next().await,
        };
        match next {
            Ok(Some(event)) => {
                self.gather().await;
                Some((event.bytes, Some(self)))
            }
            Ok(None) => {
                self.finish();
                None
            }
            Err(fault) => Some((self.fail(&fault), None)),
        }
    }

    /// Takes along what has come by now, so that a burst of events costs one write to the caller's socket and not one
    /// each. Waits for nothing but the turn of the task that reads the provider's socket.
    async fn gather(&mut self) {
        while self.held.len() < BURST {
            turn().await;
            match self.stream.next().now_or_never() {
                Some(Ok(Some(event))) => self.held.push_back(event.bytes),
                following => {
                    self.following = following;
                    return;
                }
            }
        }
    }

    fn finish(self) {
        let usage = self.stream.usage();
        self.trial.succeeded(usage);
        self.record.answered(usage);
    }

    /// Tells circuit and log, and says what the caller is told.
    fn fail(self, fault: &Fault) -> Bytes {
        let event = own_words(self.dialect, fault).unwrap_or_else(|| {
            let by = self.record.answered_by.as_ref().map_or("the model", ModelKey::as_str);
            let message =
                format!("the answer of {by} was broken off ({fault}); what came before is not all of it");
            error_event(self.dialect, 500, INTERRUPTED, &message)
        });
        self.trial.failed(fault, &self.chain);
        self.record.end(INTERRUPTED);
        event
    }
}

/// What the provider says of the caller's request, which is passed on as it is (C2).
fn own_words(dialect: Dialect, fault: &Fault) -> Option<Bytes> {
    let of_the_request = matches!(fault.blame, Blame::Caller | Blame::ContextTooLong);
    let answer = fault.answer.as_ref().filter(|_| of_the_request)?;
    Some(provider_error_event(dialect, answer.status.as_u16(), &answer.body))
}

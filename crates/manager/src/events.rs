//! The events of a stream, as the caller gets them, or its bytes where it has no events.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};

use crate::MemoryShare;

/// The events of a streamed response, each unchanged from the provider. A stream that fails ends with the API format's
/// error event and without an end marker (C3); one of bytes with [`StreamAborted`]. Dropping it cancels the provider's call.
pub struct Events(Pin<Box<dyn Stream<Item = Result<Bytes, StreamAborted>> + Send>>);

/// A stream of bytes has failed. Nothing among them can say so, so the caller's connection has to be cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the response ended early")]
pub struct StreamAborted;

impl Events {
    pub(crate) fn new(events: impl Stream<Item = Result<Bytes, StreamAborted>> + Send + 'static) -> Self {
        Self(Box::pin(events))
    }

    /// Events that have all been received, and the memory that they take.
    pub(crate) fn buffered(events: Vec<Bytes>, memory: Option<MemoryShare>) -> Self {
        Self::new(stream::iter(events).map(Ok).inspect(move |_| _ = &memory))
    }
}

impl Stream for Events {
    type Item = Result<Bytes, StreamAborted>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

//! The events of a stream, as the caller gets them.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};

use crate::MemoryShare;

/// The events of a streamed response, each unchanged from the provider. A stream that fails ends with the API format's
/// error event and without an end marker (C3). Dropping it cancels the provider's call.
pub struct Events(Pin<Box<dyn Stream<Item = Bytes> + Send>>);

impl Events {
    pub(crate) fn new(events: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self(Box::pin(events))
    }

    /// Events that have all been received, and the memory that they take.
    pub(crate) fn buffered(events: Vec<Bytes>, memory: MemoryShare) -> Self {
        Self::new(stream::iter(events).inspect(move |_| _ = &memory))
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

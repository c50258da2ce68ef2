//! The events of a stream.

use bytes::Bytes;

/// The events of a stream in order, the end marker last, each with its blank line; and where its content begins.
#[derive(Debug, Default)]
pub(crate) struct EventList {
    events: Vec<Bytes>,
    preamble: Option<usize>,
}

impl EventList {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { events: Vec::with_capacity(capacity), preamble: None }
    }

    /// Adds an event that carries none of the model's output.
    pub(crate) fn push(&mut self, event: impl Into<Bytes>) {
        self.events.push(event.into());
    }

    /// Adds an event with output.
    pub(crate) fn push_content(&mut self, event: impl Into<Bytes>) {
        self.preamble.get_or_insert(self.events.len());
        self.push(event);
    }

    /// How many events come before the first output.
    pub(crate) fn preamble(&self) -> usize {
        self.preamble.unwrap_or(self.events.len())
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn into_events(self) -> Vec<Bytes> {
        self.events
    }
}

//! One event as it came over the wire.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::lines::{BYTE_ORDER_MARK, Fields, next_line};

/// One event as it came over the wire: its lines and the blank line that ends it. A lone comment and a superfluous blank
/// line are frames, too, although they are no events.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    raw: Bytes,
    fields: Fields,
}

impl Frame {
    pub(super) fn new(raw: Bytes, first_of_stream: bool) -> Self {
        let has_bom = first_of_stream && raw.starts_with(BYTE_ORDER_MARK);
        let mut fields = Fields::default();
        let mut start = if has_bom { BYTE_ORDER_MARK.len() } else { 0 };
        while let Some(line) = next_line(&raw, start) {
            fields.add(&raw, line);
            start = line.next;
        }
        Self { raw, fields }
    }

    /// A frame whose lines were seen when its end was looked for.
    pub(super) const fn with_fields(raw: Bytes, fields: Fields) -> Self {
        Self { raw, fields }
    }

    /// A piece of a stream of bytes, which is no event.
    #[must_use]
    pub fn of_bytes(raw: Bytes) -> Self {
        Self { raw, fields: Fields::default() }
    }

    /// All its bytes, with the blank line that ends it.
    #[must_use]
    pub const fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// All its bytes, with the blank line that ends it.
    #[must_use]
    pub fn into_raw(self) -> Bytes {
        self.raw
    }

    /// Where its data begins, if that is all on one line, and the same bytes around other data would be an event that ends with
    /// them, wherever it stands in a stream.
    pub(crate) fn start_of_only_data(&self) -> Option<usize> {
        // Of what ends with a carriage return, the end shows only in the next byte.
        let is_same_anywhere = self.raw.ends_with(b"\n") && !self.raw.starts_with(BYTE_ORDER_MARK);
        self.fields.start_of_only_data().filter(|_| is_same_anywhere)
    }

    /// The event's name: the last `event:`; empty if there is none.
    #[must_use]
    pub fn event(&self) -> &[u8] {
        self.fields.name.of(&self.raw)
    }

    /// The event's data: all `data:`, joined by line feeds; `None`: it has none, so it is no event.
    #[must_use]
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        self.fields.data(&self.raw)
    }
}

/// Without the bytes: they hold the model's output.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("bytes", &self.raw.len()).finish_non_exhaustive()
    }
}

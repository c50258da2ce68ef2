//! The pieces of a streamed body on their way to frames of events: decompressed, and out of AWS' messages.

use std::collections::VecDeque;

use bytes::Bytes;
use dialects::sse::{Decoder, Frame};
use dialects::{Dialect, EventReader, Progress};

use crate::bedrock::{EventsError, StreamDecoder};
use crate::decode::BodyDecoder;
use crate::error::{ProviderError, ProviderErrorKind};

/// The pieces of a streamed body on their way to frames of events.
pub(crate) struct StreamInput {
    decompressor: Option<Box<BodyDecoder>>,
    /// Of a stream of AWS' messages.
    messages: Option<Box<StreamDecoder>>,
    frames: Frames,
    /// Why nothing comes behind the frames so far.
    error: Option<Box<ProviderError>>,
}

/// What is made of the plain bytes.
enum Frames {
    Events(Decoder),
    /// Bytes that are no events, as they came.
    Bytes(VecDeque<Bytes>),
}

impl Frames {
    #[inline]
    fn push(&mut self, piece: Bytes) {
        match self {
            Self::Events(decoder) => decoder.push(piece),
            Self::Bytes(pieces) => push_bytes(pieces, piece),
        }
    }
}

#[inline(never)]
fn push_bytes(pieces: &mut VecDeque<Bytes>, piece: Bytes) {
    if !piece.is_empty() {
        pieces.push_back(piece);
    }
}

impl StreamInput {
    /// `decompressor`: where the body is compressed.
    pub(crate) fn new(decompressor: Option<Box<BodyDecoder>>) -> Self {
        Self { decompressor, messages: None, frames: Frames::Events(Decoder::default()), error: None }
    }

    /// The body is a stream of AWS' messages, from an endpoint of this format.
    pub(crate) fn expect_messages(&mut self, dialect: Dialect) {
        self.messages = Some(Box::new(StreamDecoder::new(dialect)));
    }

    /// Whether the body is such a stream.
    pub(crate) const fn is_messages(&self) -> bool {
        self.messages.is_some()
    }

    /// The body is bytes and no events.
    pub(crate) fn expect_bytes(&mut self) {
        self.frames = Frames::Bytes(VecDeque::new());
    }

    /// Adds the next piece of the body.
    // A call of its own takes as long as what it does.
    #[inline(always)]
    pub(crate) fn push(&mut self, piece: Bytes) {
        match (&self.decompressor, &self.messages) {
            (None, None) => self.frames.push(piece),
            _ => self.decode(piece),
        }
    }

    #[inline(never)]
    fn decode(&mut self, piece: Bytes) {
        match self.decompressor.as_mut().map(|decompressor| decompressor.push(&piece)) {
            None => self.push_decompressed(piece),
            Some(Ok(plain)) => self.push_decompressed(plain),
            Some(Err(error)) => self.error = Some(Box::new(error)),
        }
    }

    fn push_decompressed(&mut self, piece: Bytes) {
        match &mut self.messages {
            None => self.frames.push(piece),
            Some(messages) => {
                let events = messages.push(&piece);
                self.frames.push(events);
                self.error = messages.error().map(ProviderError::from).map(Box::new);
            }
        }
    }

    /// The body has ended.
    pub(crate) fn end(&mut self) {
        if let Some(decompressor) = &mut self.decompressor {
            match (decompressor.finish(), &self.frames) {
                (Ok(rest), _) => self.push_decompressed(rest),
                // What is missing of it, the events tell; of bytes nothing else does.
                (Err(_), Frames::Events(_)) => {}
                (Err(error), Frames::Bytes(_)) => self.error = Some(Box::new(error)),
            }
        }
        if let Some(error) = self.messages.as_ref().and_then(|messages| messages.error_at_end()) {
            self.error = Some(Box::new(error.into()));
        }
    }

    /// The next event, if it is there and means what the one before it does, as `reader` has read it.
    #[inline]
    pub(crate) fn next_alike<'a>(&mut self, reader: &'a mut EventReader) -> Option<(Bytes, &'a Progress)> {
        match &mut self.frames {
            Frames::Events(decoder) => reader.next_alike(decoder),
            Frames::Bytes(_) => None,
        }
    }

    /// Nothing can be made of what has come so far.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        let is_empty = match &self.frames {
            Frames::Events(decoder) => decoder.is_empty(),
            Frames::Bytes(pieces) => pieces.is_empty(),
        };
        is_empty && self.error.is_none()
    }

    /// The next frame; `None`: it has not come.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, ProviderError> {
        let next = match &mut self.frames {
            Frames::Events(decoder) => decoder.next_frame(),
            Frames::Bytes(pieces) => pieces.pop_front().map(|piece| Ok(Frame::of_bytes(piece))),
        };
        match next {
            Some(Ok(frame)) => Ok(Some(frame)),
            Some(Err(too_large)) => Err(ProviderError::too_large(too_large.limit)),
            None => self.error.as_ref().map_or(Ok(None), |error| Err((**error).clone())),
        }
    }

    /// A last frame that nothing ends.
    pub(crate) fn finish(&mut self) -> Option<Frame> {
        match &mut self.frames {
            Frames::Events(decoder) => decoder.finish(),
            Frames::Bytes(_) => None,
        }
    }
}

/// A cut (C1): what follows cannot be trusted.
impl From<EventsError> for ProviderError {
    fn from(error: EventsError) -> Self {
        match error {
            EventsError::Invalid => Self::provider_failure(ProviderErrorKind::Invalid),
            EventsError::TooLarge(limit) => Self::too_large(limit),
            EventsError::Truncated => Self::provider_failure(ProviderErrorKind::Truncated),
        }
    }
}

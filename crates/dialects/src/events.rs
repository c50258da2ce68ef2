//! What an event of a stream means.
//!
//! Every event of every stream is read here, so it is read once, into borrowed structures that hold only what counts.
//! What a provider may add later (a new kind of delta, a new field) must not break a stream: a delta with a value under
//! any name is content, and an event of an unknown type is passed on, as Anthropic's versioning rules require. So are pings,
//! `null` and trace data in formats that have none.

use bytes::Bytes;

use crate::dialect::Dialect;
use crate::endpoint::Endpoint;
use crate::error_body::ErrorBody;
use crate::format::UnexpectedShape;
use crate::json::Pattern;
use crate::openai_call::{self, OpenAiCall};
use crate::progress::{Choices, Progress};
use crate::response_meta::ResponseMeta;
use crate::sse::{Decoder, Frame};

/// What an event means for its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventClass {
    /// A valid event.
    Progress(Progress),
    /// The provider reports that the call has failed.
    Error(ErrorBody),
    /// An event that does not have the shape of the format: what follows cannot be trusted either (C1).
    Invalid,
}

/// How a stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFormat {
    /// Events of an API format.
    Dialect(Dialect),
    /// OpenAI's events of audio and images.
    Media,
    /// No events: bytes, whose end HTTP tells.
    Bytes,
}

impl StreamFormat {
    /// Of the events of an endpoint.
    #[must_use]
    pub const fn of(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::OpenAi(OpenAiCall::Completions) => Self::Dialect(Dialect::OpenAiChat),
            Endpoint::OpenAi(_) => Self::Media,
            _ => Self::Dialect(endpoint.dialect()),
        }
    }
}

impl From<Dialect> for StreamFormat {
    fn from(dialect: Dialect) -> Self {
        Self::Dialect(dialect)
    }
}

/// The format's end marker, for a stream that lacks nothing else (C3); empty where it has none.
#[must_use]
pub fn end_marker(format: impl Into<StreamFormat>) -> Bytes {
    match format.into() {
        StreamFormat::Dialect(dialect) => Bytes::from_static(dialect.format().end_marker().as_bytes()),
        StreamFormat::Media | StreamFormat::Bytes => Bytes::new(),
    }
}

/// An event without content, which keeps the connection of a waiting stream alive.
#[must_use]
pub fn keep_alive(dialect: Dialect) -> Bytes {
    Bytes::from_static(dialect.format().keep_alive().as_bytes())
}

/// The last event of a stream that its caller gets as a JSON array (Gemini without `alt=sse`): an item, and the array's
/// end. `is_first`: nothing of the array was sent yet.
#[must_use]
pub fn last_array_item(event: &[u8], is_first: bool) -> Bytes {
    let data = event.strip_prefix(b"data: ").unwrap_or(event).trim_ascii();
    let before: &[u8] = if is_first { b"[" } else { b",\n" };
    [before, data, b"]"].concat().into()
}

/// Classifies the events of one stream, which is of one format.
///
/// An event that differs from the one before it only where nobody looks means the same, which is seen by a comparison. It keeps
/// that event for it, unless it is longer than 4 KiB.
#[derive(Debug, Default)]
pub struct EventReader {
    pattern: Pattern,
    /// What the event of the pattern brings; `None`: nothing, so that others like it are read.
    progress: Option<Progress>,
}

impl EventReader {
    /// The next event of `decoder` and what it brings, if all of it is there, and it differs from the one before only where nobody
    /// looks. To compare it is to find its end, so its lines are not looked for. Any other is left there.
    #[inline]
    pub fn next_alike(&mut self, decoder: &mut Decoder) -> Option<(Bytes, &Progress)> {
        let length = self.pattern.match_start(decoder.next_bytes())?;
        let progress = self.progress.as_ref()?;
        decoder.take_frame(length).map(|event| (event, progress))
    }

    /// Classifies the next frame. What it says about the response goes into `meta`.
    ///
    /// Only data that cannot be read is invalid (C6): JSON that is no piece of an answer brings nothing and is passed on.
    pub fn classify(
        &mut self,
        format: impl Into<StreamFormat>,
        frame: &Frame,
        meta: &mut ResponseMeta,
    ) -> EventClass {
        let format = format.into();
        if format == StreamFormat::Bytes {
            return bytes();
        }
        // Without data it is no event: a comment, a blank line, a lone name.
        let Some(data) = frame.data().filter(|data| !data.trim_ascii_start().is_empty()) else {
            return EventClass::Progress(Progress::default());
        };
        if let Some(progress) = self.progress
            && self.pattern.matches(&data)
        {
            return EventClass::Progress(progress);
        }
        self.progress = None;
        self.pattern.clear();
        let read = match format {
            StreamFormat::Dialect(dialect) => dialect.format().read_event(&data, meta, &mut self.pattern),
            StreamFormat::Media => openai_call::event::read(&data, meta),
            StreamFormat::Bytes => return bytes(),
        };
        match read {
            Ok(Some(progress)) if !progress.brings_nothing() => {
                self.progress = Some(progress);
                if let Some(start) = frame.start_of_only_data() {
                    self.pattern.surround(frame.raw(), start);
                }
                EventClass::Progress(progress)
            }
            // Its name says it, whatever its data looks like.
            Ok(Some(_)) if frame.event() == b"error" => EventClass::Error(ErrorBody::from_ok_body(&data)),
            Ok(Some(progress)) => EventClass::Progress(progress),
            Ok(None) => EventClass::Error(ErrorBody::from_ok_body(&data)),
            Err(UnexpectedShape) => EventClass::Invalid,
        }
    }
}

/// Classifies a lone frame, or one of few. For a stream, an [`EventReader`] does the same for less.
pub fn classify_event(format: impl Into<StreamFormat>, frame: &Frame, meta: &mut ResponseMeta) -> EventClass {
    EventReader::default().classify(format, frame, meta)
}

/// Bytes may be the last ones: whether more were to come, HTTP tells.
fn bytes() -> EventClass {
    let choice = Choices::single(0);
    let progress = Progress { content: true, choices: choice, finished: choice, ..Progress::default() };
    EventClass::Progress(progress)
}

#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;

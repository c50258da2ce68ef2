//! A streamed response, event by event.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use dialects::error::{ErrorBody, body_of_event};
use dialects::events::end_marker;
use dialects::sse::Frame;
use dialects::{Choices, Dialect, EventClass, EventReader, Progress, ResponseMeta, StreamFormat, Usage};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::bedrock;
use crate::classify;
use crate::client::{ClientResponse, ResponseBody};
use crate::deadline::Wait;
use crate::decode::BodyDecoder;
use crate::error::{ErrorDetail, ErrorEvent, ProviderError, ProviderErrorKind};
use crate::headers::{forwarded_response_headers, translated_response_headers};
use crate::redact::without_key;
use crate::request::ProviderRequest;
use crate::response::CompleteResponse;
use crate::stream_input::StreamInput;
use crate::stream_timeouts::StreamTimeouts;
use crate::stream_translation::StreamTranslation;

/// How much of what comes after the end marker is looked at.
const MAX_TRAILING_BYTES: usize = 4 * 1024;

/// What every caller of a stream gets.
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// One event of a stream.
#[derive(Clone)]
pub struct StreamEvent {
    /// Its unchanged bytes, with the blank line that ends it; of a translated stream, what became of it, which may be
    /// nothing.
    pub bytes: Bytes,
    /// It has output of the model.
    pub has_content: bool,
    /// It says why a choice is complete.
    pub has_finish_reason: bool,
    /// It is the last one that counts: the end marker, or what stands in its place.
    pub is_last: bool,
}

impl StreamEvent {
    #[inline]
    const fn new(bytes: Bytes, progress: &Progress) -> Self {
        Self {
            bytes,
            has_content: progress.content,
            has_finish_reason: progress.has_finish_reason(),
            is_last: progress.done,
        }
    }
}

/// Without the bytes: they hold the model's output.
impl fmt::Debug for StreamEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamEvent")
            .field("has_content", &self.has_content)
            .field("is_last", &self.is_last)
            .finish_non_exhaustive()
    }
}

/// A streamed response. Dropping it before its end closes the connection, so that the provider stops generating.
pub struct EventStream(Box<OpenStream>);

/// It is boxed, since it is moved often until it is read.
struct OpenStream {
    format: StreamFormat,
    /// The API format of its errors.
    dialect: Dialect,
    headers: HeaderMap,
    /// `None`: it has ended.
    body: Option<ResponseBody>,
    /// The error that ended it.
    error: Option<Box<ProviderError>>,
    input: StreamInput,
    progress: StreamProgress,
    timeouts: StreamTimeouts,
    /// How much of what comes after the end marker is still looked at.
    trailing_bytes: usize,
    /// To the caller's API format, where that is another one. Boxed: most streams have none.
    translation: Option<Box<StreamTranslation>>,
    framing: Framing,
    /// The header value of the gateway's key, which no error may quote.
    key: Option<HeaderValue>,
}

/// How the caller wants the events of a stream that is not translated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Framing {
    /// As they are.
    Sse,
    /// As they are, but for the chunk that only reports the tokens, which the gateway alone asked for.
    SseWithoutUsage,
    /// Their data as the items of a JSON array.
    JsonArray { is_first: bool },
}

impl Framing {
    fn frame(&mut self, frame: Frame, progress: Progress) -> Bytes {
        let is_first = match self {
            Self::SseWithoutUsage if progress.is_only_usage() => return Bytes::new(),
            Self::Sse | Self::SseWithoutUsage => return frame.into_raw(),
            Self::JsonArray { is_first } => is_first,
        };
        let Some(data) = frame.data().filter(|data| !data.trim_ascii().is_empty()) else {
            return Bytes::new();
        };
        let before = if std::mem::take(is_first) { "[" } else { ",\n" };
        [before.as_bytes(), &data].concat().into()
    }

    /// What ends a stream that has no end marker of its own.
    fn end(self, format: StreamFormat) -> Bytes {
        match self {
            Self::Sse | Self::SseWithoutUsage => end_marker(format),
            Self::JsonArray { is_first: true } => Bytes::from_static(b"[]"),
            Self::JsonArray { is_first: false } => Bytes::from_static(b"]"),
        }
    }
}

/// The sum of the events so far.
#[derive(Default)]
struct StreamProgress {
    content: bool,
    choices: Choices,
    finished: Choices,
    done: bool,
    usage: Usage,
    meta: ResponseMeta,
    reader: EventReader,
}

impl EventStream {
    pub(crate) fn new(
        mut response: ClientResponse,
        call: ProviderRequest<'_>,
        framing: Framing,
        wait: Wait,
        key: Option<HeaderValue>,
    ) -> Self {
        let decompressor = BodyDecoder::take_from(&mut response.headers).map(Box::new);
        let headers = match call.translation {
            Some(_) => translated_response_headers(&response.headers),
            None => forwarded_response_headers(response.headers),
        };
        Self(Box::new(OpenStream {
            format: StreamFormat::of(call.endpoint),
            dialect: call.endpoint.dialect(),
            headers,
            translation: call.translation.map(StreamTranslation::new).map(Box::new),
            framing,
            key,
            body: Some(response.body),
            input: StreamInput::new(decompressor),
            error: None,
            progress: StreamProgress::default(),
            timeouts: StreamTimeouts::new(call.timeouts, wait),
            trailing_bytes: MAX_TRAILING_BYTES,
        }))
    }

    /// With the first chunk of the body, if that is read already. The caller is told that it is a stream, even if the provider
    /// did not say so.
    pub(crate) fn beginning_with(mut self, first: Option<Bytes>) -> Self {
        if let Some(first) = first {
            self.0.headers.insert(CONTENT_TYPE, EVENT_STREAM);
            self.0.input.push(first);
        }
        self
    }

    /// As a stream of AWS' messages, which become events.
    pub(crate) fn of_messages(mut self) -> Self {
        let stream = &mut *self.0;
        stream.headers.insert(CONTENT_TYPE, EVENT_STREAM);
        stream.input.expect_messages(stream.dialect);
        self
    }

    /// As a stream of bytes, which has no events.
    pub(crate) fn of_bytes(mut self) -> Self {
        self.0.format = StreamFormat::Bytes;
        self.0.input.expect_bytes();
        self
    }

    /// Whether it has events; else it is bytes, in which nothing can be said of a failure.
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.0.format != StreamFormat::Bytes
    }

    /// The headers that the caller gets.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The tokens reported so far.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.0.progress.usage
    }

    /// The id and model reported so far.
    #[must_use]
    pub const fn meta(&self) -> &ResponseMeta {
        &self.0.progress.meta
    }

    /// The next event; `None`: the stream is complete. The future may be dropped and this called again: no event is lost,
    /// and no timeout restarts.
    ///
    /// # Errors
    /// When the stream fails. Its connection is then closed, and every further call returns the same error.
    pub async fn next(&mut self) -> Result<Option<StreamEvent>, ProviderError> {
        poll_fn(|cx| self.poll_next(cx)).await.map_err(|error| *error)
    }

    /// The same for a caller that polls: a future for each event costs more than most of its steps.
    ///
    /// # Errors
    /// As those of [`EventStream::next`].
    pub fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<StreamEvent>, Box<ProviderError>>> {
        let stream = &mut *self.0;
        if stream.error.is_some() || stream.progress.done {
            return stream.poll_after_end(cx);
        }
        let next = ready!(stream.poll_event(cx));
        if let Err(error) = &next {
            stream.fail(error.clone());
        }
        Poll::Ready(next.map(Some))
    }
}

impl OpenStream {
    /// Ends with an error.
    #[cold]
    fn fail(&mut self, error: Box<ProviderError>) {
        self.body = None;
        self.error = Some(error);
    }

    /// What follows the last event.
    #[cold]
    fn poll_after_end(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<StreamEvent>, Box<ProviderError>>> {
        match &self.error {
            Some(error) => Poll::Ready(Err(error.clone())),
            None => self.poll_trailing_event(cx).map(Ok),
        }
    }

    /// The next event, up to the one that ends the stream.
    #[inline]
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<StreamEvent, Box<ProviderError>>> {
        loop {
            if !self.input.is_empty()
                && let Some(event) = self.next_received()?
            {
                return Poll::Ready(Ok(event));
            }
            let Some(body) = &mut self.body else { return Poll::Ready(self.on_body_end()) };
            match body.poll_chunk(cx) {
                Poll::Ready(Ok(Some(chunk))) => self.input.push(chunk),
                Poll::Ready(Ok(None)) => self.on_last_chunk(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Box::new(error.into()))),
                Poll::Pending => return self.timeouts.poll_end(cx).map(Err),
            }
        }
    }

    /// The next event, if all of it is there.
    #[inline]
    fn next_received(&mut self) -> Result<Option<StreamEvent>, Box<ProviderError>> {
        match self.next_alike() {
            None => self.next_other(),
            alike => Ok(alike),
        }
    }

    /// The same, if it is passed on as it came, and means what the one before it did: so the sum of them stays as it is. Nearly all
    /// are such.
    #[inline]
    fn next_alike(&mut self) -> Option<StreamEvent> {
        let withholds_usage = match self.framing {
            Framing::Sse => false,
            Framing::SseWithoutUsage => true,
            Framing::JsonArray { .. } => return None,
        };
        if self.translation.is_some() {
            return None;
        }
        let (bytes, progress) = self.input.next_alike(&mut self.progress.reader)?;
        self.timeouts.on_event_alike();
        let bytes = if withholds_usage && progress.is_only_usage() { Bytes::new() } else { bytes };
        Some(StreamEvent::new(bytes, progress))
    }

    #[inline(never)]
    fn next_other(&mut self) -> Result<Option<StreamEvent>, Box<ProviderError>> {
        let Some(frame) = self.input.next_frame()? else { return Ok(None) };
        Ok(Some(self.on_frame(frame)?))
    }

    #[cold]
    fn on_last_chunk(&mut self) {
        self.body = None;
        self.input.end();
    }

    /// The event of a frame.
    fn on_frame(&mut self, frame: Frame) -> Result<StreamEvent, ProviderError> {
        match self.progress.reader.classify(self.format, &frame, &mut self.progress.meta) {
            EventClass::Progress(progress) => {
                self.progress.update(progress);
                // An end marker without a finish reason and without content would make a truncated stream look complete.
                // Some vendors give `[DONE]` and never a finish reason: behind content that is enough (C3).
                if progress.done && !self.progress.any_finished() && !self.progress.content {
                    return Err(ProviderError::provider_failure(ProviderErrorKind::Truncated));
                }
                if progress.done {
                    self.timeouts.on_end();
                } else {
                    self.timeouts.on_event(self.progress.content);
                }
                let bytes = match &mut self.translation {
                    Some(translation) => translation.translate(&frame, progress.done)?,
                    // Google's SDK takes every event for JSON, and this format has no marker.
                    None if progress.done && self.dialect == Dialect::Gemini => self.framing.end(self.format),
                    None => self.framing.frame(frame, progress),
                };
                Ok(StreamEvent::new(bytes, &progress))
            }
            EventClass::Error(error) => Err(self.error_in_stream(error, &frame)),
            EventClass::Invalid => Err(ProviderError::provider_failure(ProviderErrorKind::Invalid)),
        }
    }

    /// The event that ends a stream whose body ended without an end marker, if nothing else is missing.
    fn on_body_end(&mut self) -> Result<StreamEvent, Box<ProviderError>> {
        if let Some(frame) = self.input.finish() {
            let to_truncated = |error: ProviderError| match error.kind {
                ProviderErrorKind::Invalid => ProviderError::provider_failure(ProviderErrorKind::Truncated),
                _ => error,
            };
            return self.on_frame(frame).map_err(to_truncated).map_err(Box::new);
        }
        if !self.progress.all_finished() {
            return Err(Box::new(ProviderError::provider_failure(ProviderErrorKind::Truncated)));
        }
        let progress = Progress { done: true, ..Progress::default() };
        self.progress.update(progress);
        let bytes = match &mut self.translation {
            Some(translation) => translation.finish()?,
            None => self.framing.end(self.format),
        };
        Ok(StreamEvent::new(bytes, &progress))
    }

    /// An error event, which the caller can get: as a response before its stream has started, as an event later.
    fn error_in_stream(&self, error: ErrorBody, frame: &Frame) -> ProviderError {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = without_key(frame.data().unwrap_or_default().into_owned().into(), self.key.as_ref());
        let response = CompleteResponse {
            status: StatusCode::OK,
            headers,
            body,
            usage: self.progress.usage,
            meta: ResponseMeta::default(),
        };
        let mut error = classify::from_error_in_body(error, response);
        if self.translation.is_none() && self.dialect == Dialect::OpenAiChat {
            let event = ErrorEvent(without_key(frame.raw().clone(), self.key.as_ref()));
            error.detail = Some(Box::new(ErrorDetail::Event(event)));
        }
        if let Some(response) = &mut error.response {
            let status = response.status.as_u16();
            match &self.translation {
                Some(translation) => {
                    let (from, to) = (translation.from, translation.to);
                    response.body = dialects::error::translate(from, to, status, &response.body, None);
                }
                None if self.input.is_messages() => bedrock::adapt_error(self.dialect, response),
                // The caller may get it before the stream has started, as a response.
                None => response.body = body_of_event(self.dialect, std::mem::take(&mut response.body)),
            }
        }
        error
    }

    /// What follows the end of a stream, and is passed on as it came: compatible servers put `[DONE]` behind Responses' last
    /// event. Anything else is dropped.
    fn poll_trailing_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<StreamEvent>> {
        ready!(self.poll_drained(cx));
        while let Ok(Some(frame)) = self.input.next_frame() {
            let is_marker = frame.data().is_some_and(|data| data.trim_ascii() == b"[DONE]");
            if is_marker && self.translation.is_none() && self.dialect == Dialect::OpenAiResponses {
                return Poll::Ready(Some(StreamEvent::new(frame.into_raw(), &Progress::default())));
            }
        }
        Poll::Ready(None)
    }

    /// Reads the rest of the body of a complete stream, so that its connection can be used again. If that takes long, it is closed.
    fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(body) = &mut self.body {
            match body.poll_chunk(cx) {
                // One marker at most is of interest; a provider that goes on and on is not listened to.
                Poll::Ready(Ok(Some(chunk))) if chunk.len() <= self.trailing_bytes => {
                    self.trailing_bytes -= chunk.len();
                    self.input.push(chunk);
                }
                Poll::Ready(Ok(Some(_))) => {}
                Poll::Ready(Ok(None) | Err(_)) => self.body = None,
                Poll::Pending => {
                    ready!(self.timeouts.poll_end(cx));
                    self.body = None;
                }
            }
        }
        Poll::Ready(())
    }
}

/// Without the buffered bytes: they hold the model's output.
impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("dialect", &self.0.dialect)
            .field("content", &self.0.progress.content)
            .field("done", &self.0.progress.done)
            .finish_non_exhaustive()
    }
}

impl StreamProgress {
    fn update(&mut self, progress: Progress) {
        self.content |= progress.content;
        self.choices = self.choices.merge(progress.choices);
        self.finished = self.finished.merge(progress.finished);
        self.done |= progress.done;
        self.usage = self.usage.updated_by(progress.usage);
    }

    /// Enough for an end marker to be valid.
    const fn any_finished(&self) -> bool {
        !self.finished.is_empty()
    }

    /// Enough for the stream to be complete without an end marker.
    const fn all_finished(&self) -> bool {
        self.any_finished() && self.finished.contains_all(self.choices)
    }
}

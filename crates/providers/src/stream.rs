//! A streamed response, event by event.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use dialects::error::{ErrorBody, body_of_event};
use dialects::events::end_marker;
use dialects::sse::Frame;
use dialects::{Choices, Dialect, EventClass, EventReader, Progress, ResponseMeta, StreamFormat, Usage};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::Instant;
use translate::{Bridge, Translation};

use crate::bedrock;
use crate::body::next_chunk;
use crate::classify;
use crate::client::{ClientResponse, ResponseBody};
use crate::config::Timeouts;
use crate::deadline::{Deadline, Timer, Wait};
use crate::decode::BodyDecoder;
use crate::error::{ErrorDetail, ErrorEvent, ProviderError, ProviderErrorKind, TimeoutKind};
use crate::headers::{forwarded_response_headers, translated_response_headers};
use crate::redact::without_key;
use crate::request::ProviderRequest;
use crate::response::CompleteResponse;
use crate::stream_input::StreamInput;

/// How long to wait for the end of the body after the end marker, so that the connection can be reused.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(50);

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
    /// What it brings.
    pub progress: Progress,
}

/// Without the bytes: they hold the model's output.
impl fmt::Debug for StreamEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamEvent").field("progress", &self.progress).finish_non_exhaustive()
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
    deadlines: StreamDeadlines,
    timer: Timer,
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

struct StreamTranslation {
    bridge: Bridge,
    from: Dialect,
    to: Dialect,
}

impl StreamTranslation {
    fn new(translation: &Translation) -> Self {
        Self { bridge: translation.bridge(), from: translation.provider(), to: translation.caller() }
    }

    /// The caller's events for one of the provider's; often none, or several.
    /// What the model got wrong is no answer, as in a plain response.
    fn translate(&mut self, frame: &Frame, is_last: bool) -> Result<Bytes, ProviderError> {
        let Some(data) = frame.data() else { return Ok(Bytes::new()) };
        let name = std::str::from_utf8(frame.event()).ok().filter(|name| !name.is_empty());
        let bytes = self.bridge.push(name, &data);
        let bytes = if is_last { [bytes, self.bridge.finish()].concat().into() } else { bytes };
        self.checked(bytes)
    }

    fn finish(&mut self) -> Result<Bytes, ProviderError> {
        let bytes = self.bridge.finish();
        self.checked(bytes)
    }

    fn checked(&self, bytes: Bytes) -> Result<Bytes, ProviderError> {
        if self.bridge.is_malformed() {
            return Err(ProviderError::provider_failure(ProviderErrorKind::Invalid));
        }
        Ok(bytes)
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
            timer: wait.timer,
            deadlines: StreamDeadlines {
                timeouts: *call.timeouts,
                start: wait.start,
                phase: StreamPhase::BeforeFirstEvent,
                waiting_since: None,
            },
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
        let stream = &mut *self.0;
        if let Some(error) = &stream.error {
            return Err((**error).clone());
        }
        let next = stream.advance().await;
        if let Err(error) = &next {
            stream.fail(error);
        }
        next
    }

    /// The next event, if it has been received; `None`: it must be waited for with [`EventStream::next`], or there is none.
    /// It waits for nothing, and starts no timeout.
    pub fn next_if_ready(&mut self) -> Option<Result<StreamEvent, ProviderError>> {
        let stream = &mut *self.0;
        if stream.error.is_some() || stream.progress.done {
            return None;
        }
        let event = stream.advance_if_ready()?;
        if let Err(error) = &event {
            stream.fail(error);
        }
        Some(event)
    }
}

impl OpenStream {
    /// Ends with an error.
    fn fail(&mut self, error: &ProviderError) {
        self.body = None;
        self.error = Some(Box::new(error.clone()));
    }

    fn advance_if_ready(&mut self) -> Option<Result<StreamEvent, ProviderError>> {
        loop {
            match self.input.next_frame() {
                Ok(Some(frame)) => return Some(self.on_frame(frame)),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
            match self.body.as_mut()?.chunk_if_ready()? {
                Ok(Some(chunk)) => self.input.push(chunk),
                Ok(None) => self.on_last_chunk(),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }

    async fn advance(&mut self) -> Result<Option<StreamEvent>, ProviderError> {
        if self.progress.done {
            return Ok(self.trailing_event().await);
        }
        poll_fn(|cx| self.poll_event(cx)).await.map(Some)
    }

    /// The next event, up to the one that ends the stream. It is polled by hand, since a future for each step costs more than most
    /// of the steps.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<StreamEvent, ProviderError>> {
        loop {
            if let Some(frame) = self.input.next_frame()? {
                return Poll::Ready(self.on_frame(frame));
            }
            let Some(body) = &mut self.body else { return Poll::Ready(self.on_body_end()) };
            match body.poll_chunk(cx)? {
                Poll::Ready(Some(chunk)) => self.input.push(chunk),
                Poll::Ready(None) => self.on_last_chunk(),
                Poll::Pending => return self.timer.poll_end(self.deadlines.deadline(), cx).map(Err),
            }
        }
    }

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
                self.deadlines.on_event(self.progress.content);
                let bytes = match &mut self.translation {
                    Some(translation) => translation.translate(&frame, progress.done)?,
                    // Google's SDK takes every event for JSON, and this format has no marker.
                    None if progress.done && self.dialect == Dialect::Gemini => self.framing.end(self.format),
                    None => self.framing.frame(frame, progress),
                };
                Ok(StreamEvent { bytes, progress })
            }
            EventClass::Error(error) => Err(self.error_in_stream(error, &frame)),
            EventClass::Invalid => Err(ProviderError::provider_failure(ProviderErrorKind::Invalid)),
        }
    }

    /// The event that ends a stream whose body ended without an end marker, if nothing else is missing.
    fn on_body_end(&mut self) -> Result<StreamEvent, ProviderError> {
        if let Some(frame) = self.input.finish() {
            let to_truncated = |error: ProviderError| match error.kind {
                ProviderErrorKind::Invalid => ProviderError::provider_failure(ProviderErrorKind::Truncated),
                _ => error,
            };
            return self.on_frame(frame).map_err(to_truncated);
        }
        if !self.progress.all_finished() {
            return Err(ProviderError::provider_failure(ProviderErrorKind::Truncated));
        }
        let progress = Progress { done: true, ..Progress::default() };
        self.progress.update(progress);
        let bytes = match &mut self.translation {
            Some(translation) => translation.finish()?,
            None => self.framing.end(self.format),
        };
        Ok(StreamEvent { bytes, progress })
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
    async fn trailing_event(&mut self) -> Option<StreamEvent> {
        self.drain_body().await;
        while let Ok(Some(frame)) = self.input.next_frame() {
            let is_marker = frame.data().is_some_and(|data| data.trim_ascii() == b"[DONE]");
            if is_marker && self.translation.is_none() && self.dialect == Dialect::OpenAiResponses {
                return Some(StreamEvent { bytes: frame.into_raw(), progress: Progress::default() });
            }
        }
        None
    }

    /// Reads the rest of the body of a complete stream.
    async fn drain_body(&mut self) {
        if let Some(mut body) = self.body.take() {
            let input = &mut self.input;
            let drain = async {
                // One marker at most is of interest; a provider that goes on and on is not listened to.
                let mut rest = MAX_TRAILING_BYTES;
                while let Ok(Some(chunk)) = next_chunk(&mut body).await {
                    if chunk.len() <= rest {
                        rest -= chunk.len();
                        input.push(chunk);
                    }
                }
            };
            // If it takes longer, the connection is closed.
            let end = Deadline::new(Instant::now(), DRAIN_TIMEOUT, TimeoutKind::Idle);
            let _ = Timer::default().timeout(end, drain).await;
        }
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

/// The timeouts that apply to a stream.
struct StreamDeadlines {
    timeouts: Timeouts,
    start: Instant,
    phase: StreamPhase,
    /// Since when the next event is awaited. A caller that reads slowly requests it late, and that must not look like a
    /// stalled provider.
    waiting_since: Option<Instant>,
}

enum StreamPhase {
    BeforeFirstEvent,
    BeforeFirstToken,
    Streaming,
}

impl StreamDeadlines {
    fn deadline(&mut self) -> Deadline {
        let waiting_since = *self.waiting_since.get_or_insert_with(Instant::now);
        let Timeouts { first_byte, first_token, idle, .. } = self.timeouts;
        let first_byte = || Deadline::new(self.start, first_byte, TimeoutKind::FirstByte);
        let first_token = || Deadline::new(self.start, first_token, TimeoutKind::FirstToken);
        let idle = || Deadline::new(waiting_since, idle, TimeoutKind::Idle);
        match self.phase {
            StreamPhase::BeforeFirstEvent => first_byte().earlier(first_token()),
            StreamPhase::BeforeFirstToken => idle().earlier(first_token()),
            StreamPhase::Streaming => idle(),
        }
    }

    fn on_event(&mut self, has_content: bool) {
        self.phase = if has_content { StreamPhase::Streaming } else { StreamPhase::BeforeFirstToken };
        self.waiting_since = None;
    }
}

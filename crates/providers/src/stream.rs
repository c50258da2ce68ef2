//! A streamed answer, event by event.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use dialects::error::ErrorBody;
use dialects::events::end_marker;
use dialects::sse::{Decoder, Frame};
use dialects::{Choices, Dialect, EventClass, Origin, Progress, Usage, classify};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::Response;
use tokio::time::{Instant, timeout};

use crate::answer::next_chunk;
use crate::deadline::Deadline;
use crate::headers::for_caller;
use crate::{Fault, FaultKind, Limit, Timeouts, WholeAnswer, judge};

/// How long the end of the body is waited for behind the end marker, so that the connection can be used again.
const END_OF_BODY: Duration = Duration::from_millis(50);

/// One event of a stream.
#[derive(Clone)]
pub struct Event {
    /// As it came, with the blank line that ends it.
    pub bytes: Bytes,
    /// What it brings.
    pub class: Progress,
}

/// Without the bytes, since they hold what the model says.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("class", &self.class).finish_non_exhaustive()
    }
}

/// A streamed answer. Dropping it before its end closes the connection, and so stops the provider's work.
pub struct EventStream {
    dialect: Dialect,
    headers: HeaderMap,
    /// `None` once it has ended.
    body: Option<Response>,
    /// How it failed, if it did.
    fault: Option<Fault>,
    decoder: Decoder,
    heard: Heard,
    clock: Clock,
}

/// What the events so far have brought.
#[derive(Default)]
struct Heard {
    content: bool,
    choices: Choices,
    finished: Choices,
    done: bool,
    usage: Usage,
    origin: Origin,
}

impl EventStream {
    /// `start` is when the call began.
    pub(crate) fn new(mut response: Response, dialect: Dialect, start: Instant, limits: Timeouts) -> Self {
        Self {
            dialect,
            headers: for_caller(std::mem::take(response.headers_mut())),
            body: Some(response),
            fault: None,
            decoder: Decoder::default(),
            heard: Heard::default(),
            clock: Clock { limits, start, phase: Phase::BeforeFirstEvent, waiting_since: None },
        }
    }

    /// The headers that the caller gets.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The tokens reported so far.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.heard.usage
    }

    /// Where it says that it comes from, as far as it has said so.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.heard.origin
    }

    /// The next event; `None` once the stream was whole. The future may be dropped and this be called again: no event
    /// is lost, and no limit starts anew.
    ///
    /// # Errors
    /// When the stream fails. Its connection is then closed, and every further call gives the same fault.
    pub async fn next(&mut self) -> Result<Option<Event>, Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let next = self.advance().await;
        if let Err(fault) = &next {
            self.body = None;
            self.fault = Some(fault.clone());
        }
        next
    }

    async fn advance(&mut self) -> Result<Option<Event>, Fault> {
        loop {
            if self.heard.done {
                self.end_body().await;
                return Ok(None);
            }
            if let Some(frame) = self.decoder.next_frame() {
                let frame = frame.map_err(|too_large| Fault::too_large(too_large.limit))?;
                return self.take(frame).map(Some);
            }
            let Some(response) = &mut self.body else { return self.end().map(Some) };
            match self.clock.deadline().bound(next_chunk(response)).await?? {
                Some(chunk) => self.decoder.push(chunk),
                None => self.body = None,
            }
        }
    }

    /// The event of a frame.
    fn take(&mut self, frame: Frame) -> Result<Event, Fault> {
        match classify(self.dialect, &frame, &mut self.heard.origin) {
            EventClass::Progress(class) => {
                self.heard.add(class);
                // Passed on, an end marker without a finish would make a cut look whole (C3).
                if class.done && !self.heard.finished_any() {
                    return Err(Fault::of_provider(FaultKind::Cut));
                }
                self.clock.event_came(self.heard.content);
                Ok(Event { bytes: frame.into_raw(), class })
            }
            EventClass::Error(error) => Err(self.reported(error, &frame)),
            EventClass::Invalid => Err(Fault::of_provider(FaultKind::Invalid)),
        }
    }

    /// The event that ends a stream whose body ended without an end marker, if nothing else is missing.
    fn end(&mut self) -> Result<Event, Fault> {
        if let Some(frame) = self.decoder.finish() {
            let cut = |fault: Fault| match fault.kind {
                FaultKind::Invalid => Fault::of_provider(FaultKind::Cut),
                _ => fault,
            };
            return self.take(frame).map_err(cut);
        }
        if !self.heard.finished_all() {
            return Err(Fault::of_provider(FaultKind::Cut));
        }
        let class = Progress { done: true, ..Progress::default() };
        self.heard.add(class);
        Ok(Event { bytes: end_marker(self.dialect), class })
    }

    /// An error event, which the caller can be given: as an answer before its stream has begun, later as an event.
    fn reported(&self, error: ErrorBody, frame: &Frame) -> Fault {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = frame.data().unwrap_or_default().into_owned().into();
        let answer = WholeAnswer {
            status: StatusCode::OK,
            headers,
            body,
            usage: self.heard.usage,
            origin: Origin::default(),
        };
        judge::reported(error, answer)
    }

    /// Reads a whole stream's body to its end. Whatever else comes is of no interest.
    async fn end_body(&mut self) {
        if let Some(mut response) = self.body.take() {
            let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
            // If it takes longer, the connection is closed instead of kept.
            let _ = timeout(END_OF_BODY, rest).await;
        }
    }
}

/// Without the buffered bytes, since they hold what the model says.
impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("dialect", &self.dialect)
            .field("content", &self.heard.content)
            .field("done", &self.heard.done)
            .finish_non_exhaustive()
    }
}

impl Heard {
    fn add(&mut self, class: Progress) {
        self.content |= class.content;
        self.choices = self.choices.and(class.choices);
        self.finished = self.finished.and(class.finished);
        self.done |= class.done;
        self.usage = self.usage.updated_by(class.usage);
    }

    /// Enough for an end marker to be believed.
    const fn finished_any(&self) -> bool {
        !self.finished.is_empty()
    }

    /// Enough to do without an end marker.
    const fn finished_all(&self) -> bool {
        self.finished_any() && self.finished.has_all(self.choices)
    }
}

/// Which limit a stream is under.
struct Clock {
    limits: Timeouts,
    start: Instant,
    phase: Phase,
    /// Since when the next event is waited for. It is asked for late where the caller reads slowly, and that must not
    /// look like a provider that is silent.
    waiting_since: Option<Instant>,
}

enum Phase {
    BeforeFirstEvent,
    BeforeContent,
    AfterContent,
}

impl Clock {
    fn deadline(&mut self) -> Deadline {
        let waiting_since = *self.waiting_since.get_or_insert_with(Instant::now);
        let Timeouts { first_byte, first_token, idle, .. } = self.limits;
        let first_byte = || Deadline::new(self.start, first_byte, Limit::FirstByte);
        let first_token = || Deadline::new(self.start, first_token, Limit::FirstContent);
        let idle = || Deadline::new(waiting_since, idle, Limit::Idle);
        match self.phase {
            Phase::BeforeFirstEvent => first_byte().or_sooner(first_token()),
            Phase::BeforeContent => idle().or_sooner(first_token()),
            Phase::AfterContent => idle(),
        }
    }

    fn event_came(&mut self, content_so_far: bool) {
        self.phase = if content_so_far { Phase::AfterContent } else { Phase::BeforeContent };
        self.waiting_since = None;
    }
}

//! A reader joined to a writer.

use bytes::Bytes;
use dialects::Dialect;

use crate::caller::Caller;
use crate::form::{Event, FinishReason, Request};
use crate::json::Object;
use crate::request_error::RequestError;
use crate::restore::Restore;
use crate::target::{AnswerContext, CannotCarry, Target, Written};
use crate::{caller_fields, chat, converse, count, gemini, messages, responses};

/// A caller's request, read once and written for any number of targets.
#[derive(Debug)]
pub struct CallerRequest {
    caller: Caller,
    request: Request,
    echo: String,
}

/// What the caller said outside of the body, and what dates the answer.
#[derive(Debug, Clone, Default)]
pub struct CallerOptions {
    /// A stream is asked for; Gemini says so in the path.
    pub stream: bool,
    /// Gemini's stream without `alt=sse`: one JSON array.
    pub json_array: bool,
    /// The id of the caller's request: ids that the provider does not give are derived from it.
    pub request_id: String,
    /// Unix seconds.
    pub created: u64,
}

impl CallerRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// When it is not what its API format asks for, or the format is one that only providers have.
    pub fn read(dialect: Dialect, body: &[u8]) -> Result<Self, RequestError> {
        let caller = Caller::of(dialect).ok_or(RequestError::NotACallersFormat)?;
        let object = Object::parse(body).ok_or(RequestError::NotAnObject)?;
        let request = read_request(caller, &object)?;
        let echo = if caller == Caller::Responses { responses::echo(&object) } else { String::new() };
        Ok(Self { caller, request, echo })
    }

    /// Writes it for a target.
    ///
    /// # Errors
    /// What the target cannot carry (T3).
    pub fn translate(
        &self,
        target: &Target<'_>,
        options: CallerOptions,
    ) -> Result<Translation, Vec<CannotCarry>> {
        let mut request = self.request.clone();
        request.stream = options.stream;
        let written = write_request(&request, target);
        let written = written.map_err(|reasons| self.in_the_callers_words(reasons))?;
        let context = AnswerContext {
            owner: target.owner(),
            names: written.names,
            has_namespaces: request.has_namespaces(),
            include_usage: request.include_usage,
            show_reasoning: request.reasoning.show.unwrap_or(false),
            json_array: options.json_array,
            created: options.created,
            request_id: options.request_id,
            echo: self.echo.clone(),
        };
        Ok(Translation {
            body: written.body.into(),
            dropped: caller_fields::names_of(self.caller, &written.dropped),
            caller: self.caller,
            provider: target.dialect,
            is_count: false,
            context,
        })
    }
}

impl CallerRequest {
    fn in_the_callers_words(&self, reasons: Vec<CannotCarry>) -> Vec<CannotCarry> {
        let renamed = reasons.into_iter().map(|reason| CannotCarry {
            field: caller_fields::name_of(self.caller, &reason.field).to_owned(),
            ..reason
        });
        renamed.collect()
    }

    /// Writes the question for the number of its tokens.
    ///
    /// # Errors
    /// What the target cannot carry (T3).
    pub fn translate_count(&self, target: &Target<'_>) -> Result<Translation, Vec<CannotCarry>> {
        let mut translation = self.translate(target, CallerOptions::default())?;
        let body = String::from_utf8_lossy(&translation.body);
        translation.body = count::request(target.dialect, target.model, &body).into();
        translation.is_count = true;
        Ok(translation)
    }
}

/// A request as a target wants it, and the way back for its answer.
#[derive(Debug)]
pub struct Translation {
    /// The body for the provider.
    pub body: Bytes,
    /// Fields of the caller's that were left out or changed without harm, by name (T3).
    pub dropped: Vec<String>,
    caller: Caller,
    provider: Dialect,
    /// It asks for the number of tokens only.
    is_count: bool,
    context: AnswerContext,
}

impl Translation {
    /// The caller's API format.
    #[must_use]
    pub const fn caller(&self) -> Dialect {
        self.caller.dialect()
    }

    /// The provider's API format.
    #[must_use]
    pub const fn provider(&self) -> Dialect {
        self.provider
    }

    /// A plain response as the caller wants it; `None`: the body is no response of the provider's API format, or the model
    /// failed (`MALFORMED_FUNCTION_CALL`).
    #[must_use]
    pub fn response(&self, body: &[u8]) -> Option<Bytes> {
        if self.is_count {
            return count::response(self.provider, self.caller, body).map(Into::into);
        }
        let events = read_response(self.provider, body, &self.context)?;
        // What the model got wrong is no answer, and another model may get it right.
        if events.iter().any(is_malformed) {
            return None;
        }
        let mut restore = Restore::new(self.context.names.clone(), self.context.has_namespaces);
        let mut restored = Vec::with_capacity(events.len());
        for event in events {
            restore.push(event, &mut restored);
        }
        Some(write_response(self.caller, &restored, &self.context).into())
    }

    /// The way back for a stream.
    #[must_use]
    pub fn bridge(&self) -> Bridge {
        Bridge {
            reader: StreamReader::new(self.provider, &self.context),
            restore: Restore::new(self.context.names.clone(), self.context.has_namespaces),
            writer: StreamWriter::new(self.caller, self.context.clone()),
            read: Vec::new(),
            restored: Vec::new(),
            is_malformed: false,
        }
    }
}

/// A stream on its way from a provider's API format to the caller's.
#[derive(Debug)]
pub struct Bridge {
    reader: StreamReader,
    restore: Restore,
    writer: StreamWriter,
    read: Vec<Event>,
    restored: Vec<Event>,
    is_malformed: bool,
}

impl Bridge {
    /// Takes an event of the provider's, its name and data, and gives the caller's events that are ready by now, if
    /// any. An event that is none of the format's is passed over (C6).
    pub fn push(&mut self, name: Option<&str>, data: &[u8]) -> Bytes {
        self.reader.push(name, data, &mut self.read);
        self.write()
    }

    /// The stream ended as it should: what is left of it, with the end marker.
    pub fn finish(&mut self) -> Bytes {
        self.reader.finish(&mut self.read);
        let mut out = self.write_events();
        self.writer.finish(&mut out);
        out.into()
    }

    /// Whether the model got its answer wrong (`MALFORMED_FUNCTION_CALL`): it is none, as in [`Translation::response`].
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        self.is_malformed
    }

    fn write(&mut self) -> Bytes {
        self.write_events().into()
    }

    fn write_events(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for event in self.read.drain(..) {
            self.is_malformed |= is_malformed(&event);
            self.restore.push(event, &mut self.restored);
        }
        for event in self.restored.drain(..) {
            self.writer.push(&event, &mut out);
        }
        out
    }
}

fn is_malformed(event: &Event) -> bool {
    matches!(event, Event::Finish(end) if end.reason == FinishReason::Malformed)
}

pub(crate) fn read_request(caller: Caller, body: &Object<'_>) -> Result<Request, RequestError> {
    match caller {
        Caller::Chat => chat::read_request(body),
        Caller::Responses => responses::read_request(body),
        Caller::Messages => messages::read_request(body),
        Caller::Gemini => gemini::read_request(body),
    }
}

pub(crate) fn write_request(request: &Request, target: &Target<'_>) -> Result<Written, Vec<CannotCarry>> {
    match target.dialect {
        Dialect::OpenAiChat => chat::write_request(request, target),
        Dialect::OpenAiResponses => responses::write_request(request, target),
        Dialect::Anthropic => messages::write_request(request, target),
        Dialect::Gemini => gemini::write_request(request, target),
        Dialect::BedrockConverse => converse::write_request(request, target),
    }
}

pub(crate) fn read_response(dialect: Dialect, body: &[u8], context: &AnswerContext) -> Option<Vec<Event>> {
    match dialect {
        Dialect::OpenAiChat => chat::read_response(body, context),
        Dialect::OpenAiResponses => responses::read_response(body, context),
        Dialect::Anthropic => messages::read_response(body, context),
        Dialect::Gemini => gemini::read_response(body, context),
        Dialect::BedrockConverse => converse::read_response(body, context),
    }
}

pub(crate) fn write_response(caller: Caller, events: &[Event], context: &AnswerContext) -> String {
    match caller {
        Caller::Chat => chat::write_response(events, context),
        Caller::Responses => responses::write_response(events, context),
        Caller::Messages => messages::write_response(events, context),
        Caller::Gemini => gemini::write_response(events, context),
    }
}

#[derive(Debug)]
pub(crate) enum StreamReader {
    Chat(Box<chat::StreamReader>),
    Responses(Box<responses::StreamReader>),
    Messages(Box<messages::StreamReader>),
    Gemini(Box<gemini::StreamReader>),
    Converse(Box<converse::StreamReader>),
}

impl StreamReader {
    pub(crate) fn new(dialect: Dialect, context: &AnswerContext) -> Self {
        match dialect {
            Dialect::OpenAiChat => Self::Chat(Box::new(chat::StreamReader::new(context))),
            Dialect::OpenAiResponses => Self::Responses(Box::new(responses::StreamReader::new(context))),
            Dialect::Anthropic => Self::Messages(Box::new(messages::StreamReader::new(context))),
            Dialect::Gemini => Self::Gemini(Box::new(gemini::StreamReader::new(context))),
            Dialect::BedrockConverse => Self::Converse(Box::new(converse::StreamReader::new(context))),
        }
    }

    pub(crate) fn push(&mut self, name: Option<&str>, data: &[u8], out: &mut Vec<Event>) {
        match self {
            Self::Chat(reader) => reader.push(name, data, out),
            Self::Responses(reader) => reader.push(name, data, out),
            Self::Messages(reader) => reader.push(name, data, out),
            Self::Gemini(reader) => reader.push(name, data, out),
            Self::Converse(reader) => reader.push(data, out),
        }
    }

    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        match self {
            Self::Chat(reader) => reader.finish(out),
            Self::Responses(reader) => reader.finish(out),
            Self::Messages(reader) => reader.finish(out),
            Self::Gemini(reader) => reader.finish(out),
            Self::Converse(reader) => reader.finish(out),
        }
    }
}

#[derive(Debug)]
pub(crate) enum StreamWriter {
    Chat(Box<chat::StreamWriter>),
    Responses(Box<responses::StreamWriter>),
    Messages(Box<messages::StreamWriter>),
    Gemini(Box<gemini::StreamWriter>),
}

impl StreamWriter {
    pub(crate) fn new(caller: Caller, context: AnswerContext) -> Self {
        match caller {
            Caller::Chat => Self::Chat(Box::new(chat::StreamWriter::new(context))),
            Caller::Responses => Self::Responses(Box::new(responses::StreamWriter::new(context))),
            Caller::Messages => Self::Messages(Box::new(messages::StreamWriter::new(context))),
            Caller::Gemini => Self::Gemini(Box::new(gemini::StreamWriter::new(context))),
        }
    }

    pub(crate) fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        match self {
            Self::Chat(writer) => writer.push(event, out),
            Self::Responses(writer) => writer.push(event, out),
            Self::Messages(writer) => writer.push(event, out),
            Self::Gemini(writer) => writer.push(event, out),
        }
    }

    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Chat(writer) => writer.finish(out),
            Self::Responses(writer) => writer.finish(out),
            Self::Messages(writer) => writer.finish(out),
            Self::Gemini(writer) => writer.finish(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use dialects::Dialect;

    use super::{CallerOptions, CallerRequest};
    use crate::target::Target;

    #[test]
    fn what_a_user_sends_and_nobody_knows_is_refused_by_every_format() {
        let body =
            br#"{"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"hologram"}]}]}"#;
        let request = CallerRequest::read(Dialect::OpenAiChat, body).unwrap();
        for dialect in Dialect::OF_PROVIDERS {
            let target = Target { dialect, provider: "p", model: "m", is_official: true, refuses: &[] };
            let refused = request.translate(&target, CallerOptions::default()).unwrap_err();
            assert!(refused.iter().any(|reason| reason.to_string().contains("hologram")), "{refused:?}");
        }
    }

    #[test]
    fn a_call_that_the_model_got_wrong_is_no_answer() {
        let request =
            CallerRequest::read(Dialect::Anthropic, br#"{"messages":[{"role":"user","content":"x"}]}"#);
        let target = Target {
            dialect: Dialect::Gemini,
            provider: "p",
            model: "gemini-3-pro",
            is_official: true,
            refuses: &[],
        };
        let translation = request.unwrap().translate(&target, CallerOptions::default()).unwrap();
        let body = |reason: &str| {
            format!(
                r#"{{"candidates":[{{"content":{{"parts":[{{"text":"x"}}]}},"finishReason":"{reason}"}}]}}"#
            )
        };
        assert!(translation.response(body("STOP").as_bytes()).is_some());
        assert!(translation.response(body("MALFORMED_FUNCTION_CALL").as_bytes()).is_none());
        for (reason, is_malformed) in [("STOP", false), ("MALFORMED_FUNCTION_CALL", true)] {
            let mut bridge = translation.bridge();
            bridge.push(None, body(reason).as_bytes());
            bridge.finish();
            assert_eq!(bridge.is_malformed(), is_malformed, "{reason}");
        }
    }
}

//! The formats, each with a model to speak to and ways to read and write.

use dialects::Dialect::{self, Anthropic, Gemini, OpenAiChat, OpenAiResponses};

use super::converse_writer;
use crate::bridge::{self, StreamReader, StreamWriter};
use crate::caller::Caller;
use crate::form::{Event, Request};
use crate::json::Object;
use crate::target::{AnswerContext, Target};

/// Those of callers.
pub(super) const ALL: [Dialect; 4] = [OpenAiChat, OpenAiResponses, Anthropic, Gemini];

/// Those of providers.
pub(super) const TARGETS: [Dialect; 5] = Dialect::OF_PROVIDERS;

fn caller(dialect: Dialect) -> Caller {
    Caller::of(dialect).expect("a format of callers")
}

/// A model that takes as much as its format can say. Only Gemini's abilities must be known for it to be asked to think.
pub(super) fn target(dialect: Dialect) -> Target<'static> {
    let model = if dialect == Gemini { "gemini-3.1-flash" } else { "any-model" };
    Target { dialect, provider: "p", model, is_official: true, refuses: &[] }
}

/// Of a call to [`target`], by a client that wants to see everything.
pub(super) fn context(dialect: Dialect) -> AnswerContext {
    AnswerContext {
        owner: target(dialect).owner(),
        include_usage: true,
        show_reasoning: true,
        ..AnswerContext::for_test()
    }
}

/// The body for [`target`].
pub(super) fn write(dialect: Dialect, request: &Request) -> String {
    match bridge::write_request(request, &target(dialect)) {
        Ok(written) => written.body,
        Err(refused) => panic!("{dialect:?} refuses {refused:?} of {request:#?}"),
    }
}

pub(super) fn read(dialect: Dialect, body: &str) -> Request {
    let object = Object::parse(body.as_bytes()).expect(body);
    bridge::read_request(caller(dialect), &object).expect(body)
}

/// Writes and reads.
pub(super) fn through(dialect: Dialect, request: &Request) -> Request {
    read(dialect, &write(dialect, request))
}

/// Of Converse, as Bedrock would.
pub(super) fn write_answer(dialect: Dialect, events: &[Event]) -> String {
    if dialect == Dialect::BedrockConverse {
        return converse_writer::response(events);
    }
    bridge::write_response(caller(dialect), events, &context(dialect))
}

pub(super) fn read_answer(dialect: Dialect, body: &str) -> Vec<Event> {
    bridge::read_response(dialect, body.as_bytes(), &context(dialect)).expect(body)
}

pub(super) fn write_stream(dialect: Dialect, events: &[Event], context: AnswerContext) -> Vec<u8> {
    if dialect == Dialect::BedrockConverse {
        return converse_writer::stream(events);
    }
    let mut writer = StreamWriter::new(caller(dialect), context);
    let mut out = Vec::new();
    for event in events {
        writer.push(event, &mut out);
    }
    writer.finish(&mut out);
    out
}

/// Reads the frames that a stream's pieces add up to.
pub(super) fn read_stream<'a>(dialect: Dialect, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut decoder = dialects::sse::Decoder::default();
    let mut reader = StreamReader::new(dialect, &context(dialect));
    let mut events = Vec::new();
    let mut push = |frame: &dialects::sse::Frame, events: &mut Vec<Event>| {
        let name = std::str::from_utf8(frame.event()).ok().filter(|name| !name.is_empty());
        if let Some(data) = frame.data() {
            reader.push(name, &data, events);
        }
    };
    for piece in pieces {
        decoder.push(bytes::Bytes::copy_from_slice(piece));
        while let Some(Ok(frame)) = decoder.next_frame() {
            push(&frame, &mut events);
        }
    }
    if let Some(frame) = decoder.finish() {
        push(&frame, &mut events);
    }
    reader.finish(&mut events);
    events
}

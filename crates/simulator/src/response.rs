//! From a request and a behaviour to the response's bytes and their ending. No time, no I/O.

use std::mem;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use crate::behaviour::{Behaviour, Fault};
use crate::dialect::Dialect;
use crate::error_spec::ErrorSpec;
use crate::event_stream;
use crate::openai_call::{OpenAiCall, Wishes};
use crate::provider_error::{ProviderError, Reason};
use crate::response_spec::ResponseSpec;

const JSON_CONTENT_TYPE: &str = "application/json";
const HTML_BODY: &[u8] = b"<html><head><title>Welcome</title></head><body>It works.</body></html>\n";

/// A response ready to be played.
#[derive(Debug)]
pub(crate) struct ScriptedResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) chunks: Vec<Chunk>,
    /// Each chunk is a separate write, even without a delay.
    pub(crate) flush_each_chunk: bool,
    pub(crate) ending: Ending,
}

/// A piece of the body and the delay before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) delay: Duration,
    pub(crate) bytes: Bytes,
}

/// What comes after the last chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Clean,
    Cut,
    Reset,
    Silence,
    /// This chunk, repeated forever.
    Endless(Chunk),
}

/// What a call gets: a response, or none at all.
#[derive(Debug)]
pub(crate) enum Outcome {
    Response(ScriptedResponse),
    Hang,
    Reset,
}

/// The form of a good response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Complete,
    /// Server-sent events.
    EventStream,
    /// A JSON array that grows by an element for each event, which only Gemini has.
    JsonArray,
    /// A count of the prompt's tokens instead of an answer.
    TokenCount,
    /// Bytes in pieces, which speech alone has.
    Bytes,
}

/// The call that needs a response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimulatedCall<'a> {
    pub(crate) dialect: Dialect,
    /// What is called, if it is no conversation.
    pub(crate) openai_call: Option<(OpenAiCall, Wishes)>,
    pub(crate) form: Form,
    pub(crate) response: ResponseSpec<'a>,
}

impl SimulatedCall<'_> {
    pub(crate) fn respond(&self, behaviour: &Behaviour) -> Outcome {
        let mut response = match &behaviour.fault {
            Some(Fault::Hang) => return Outcome::Hang,
            Some(Fault::Reset) => return Outcome::Reset,
            Some(Fault::Error(error)) => self.error_response(error),
            Some(Fault::NotJson) => {
                ScriptedResponse::with_content_length("text/html", Bytes::from_static(HTML_BODY))
            }
            fault => match self.form {
                Form::EventStream | Form::JsonArray | Form::Bytes => {
                    self.stream_response(behaviour, fault.as_ref())
                }
                Form::Complete => self.complete_response(behaviour, fault.as_ref()),
                Form::TokenCount => {
                    let body = self.dialect.token_count_body(&self.response);
                    self.plain_response(body, behaviour, fault.as_ref())
                }
            },
        };
        if behaviour.split {
            response.split_into_bytes();
        }
        response.headers.extend(self.dialect.request_id(self.response.number));
        Outcome::Response(response)
    }

    fn complete_response(&self, behaviour: &Behaviour, fault: Option<&Fault>) -> ScriptedResponse {
        let Some((call, wishes)) = self.openai_call else {
            return self.plain_response(self.dialect.response_body(&self.response), behaviour, fault);
        };
        let body = call.response_body(&self.response, wishes);
        let mut response = self.plain_response(body, behaviour, fault);
        if wishes.text && !matches!(fault, Some(Fault::ErrorEvent { .. })) {
            response.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        }
        response
    }

    /// What is stored of the response, unless it fails.
    pub(crate) fn stored_response(&self, behaviour: &Behaviour) -> Option<(String, Value)> {
        let answers =
            self.form != Form::TokenCount && self.openai_call.is_none() && behaviour.fault.is_none();
        answers.then(|| self.dialect.stored_response(&self.response))?
    }

    fn error_response(&self, error: &ProviderError) -> ScriptedResponse {
        let (status, body) = self.error_body(error);
        let mut response = ScriptedResponse { status, ..ScriptedResponse::from_json(&body) };
        response.headers.extend(self.dialect.error_headers(error));
        response
    }

    fn error_body(&self, error: &ProviderError) -> (StatusCode, Value) {
        self.dialect.error(ErrorSpec {
            reason: error.reason,
            hints: &error.hints,
            model: self.response.model,
            number: self.response.number,
            custom_message: error.message.clone(),
        })
    }

    fn stream_response(&self, behaviour: &Behaviour, fault: Option<&Fault>) -> ScriptedResponse {
        let events = match self.openai_call {
            Some((call, _)) => call.events(&self.response, self.form == Form::EventStream),
            None => self.dialect.events(&self.response),
        };
        let preamble = events.preamble();
        let mut events = events.into_events();
        let mut ending = self.apply_fault(&mut events, fault, behaviour.gap);
        if behaviour.foreign_events {
            events = events.into_iter().flat_map(|event| [self.dialect.foreign_event(), event]).collect();
        }
        let content_type = if self.form == Form::JsonArray {
            events = self.frame_as_array(events, &mut ending);
            JSON_CONTENT_TYPE
        } else if self.form == Form::Bytes {
            "audio/mpeg"
        } else if self.dialect.is_binary() {
            event_stream::CONTENT_TYPE
        } else if behaviour.text_plain {
            "text/plain; charset=utf-8"
        } else {
            "text/event-stream; charset=utf-8"
        };
        let mut response = ScriptedResponse::chunked(content_type, events, behaviour.gap);
        response.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response.ending = ending;
        response.delay_chunk(preamble, behaviour.first_token);
        if let Some(Fault::Stall { after, length }) = fault {
            response.delay_chunk((*after).min(response.chunks.len() - 1), *length);
        }
        if behaviour.crlf && !self.dialect.is_binary() {
            response.chunks.iter_mut().for_each(Chunk::end_lines_with_crlf);
        }
        response
    }

    /// Applies a fault to a good stream's events, and returns how they end.
    fn apply_fault(&self, events: &mut Vec<Bytes>, fault: Option<&Fault>, gap: Duration) -> Ending {
        match fault {
            Some(Fault::Cut { after }) => {
                let begun = events.get(*after).filter(|_| self.dialect.is_binary() && *after > 0);
                let half = begun.map(|event| event.slice(..event.len() / 2));
                events.truncate(*after);
                events.extend(half);
                return Ending::Cut;
            }
            Some(Fault::ResetAfter { after }) => {
                events.truncate(*after);
                return Ending::Reset;
            }
            Some(Fault::Silence { after }) => {
                events.truncate(*after);
                return Ending::Silence;
            }
            Some(Fault::Endless { after }) => {
                events.truncate(*after);
                let repeated = events.last().cloned().unwrap_or(self.dialect.idle_event());
                return Ending::Endless(Chunk { delay: gap, bytes: repeated });
            }
            Some(Fault::End { after }) => events.truncate(*after),
            Some(Fault::Garbage { after }) => {
                events.insert((*after).min(events.len()), self.dialect.garbage_event());
            }
            Some(Fault::ErrorEvent { after, error }) => {
                events.truncate(*after);
                let (status, body) = self.error_body(error);
                events.push(self.dialect.error_event(&self.response, (error, status, &body), events.len()));
            }
            Some(Fault::NoDone) => {
                events.pop();
            }
            Some(Fault::Empty) => events.clear(),
            None
            | Some(Fault::Error(_) | Fault::Hang | Fault::Reset | Fault::NotJson | Fault::Stall { .. }) => {}
        }
        Ending::Clean
    }

    /// The same events as an array, which is closed if it ends as a response should.
    fn frame_as_array(&self, events: Vec<Bytes>, ending: &mut Ending) -> Vec<Bytes> {
        if let Ending::Endless(Chunk { bytes, .. }) = ending {
            // The second of two, so that it has the comma before it.
            let twice = vec![bytes.clone(), mem::take(bytes)];
            *bytes = self.dialect.to_array_elements(twice, false).pop().unwrap_or_default();
            if events.is_empty() {
                return vec![Bytes::from_static(b"[{}")];
            }
        }
        self.dialect.to_array_elements(events, *ending == Ending::Clean)
    }

    fn plain_response(&self, body: Bytes, behaviour: &Behaviour, fault: Option<&Fault>) -> ScriptedResponse {
        let (half, other_half) = (body.slice(..body.len() / 2), body.slice(body.len() / 2..));
        let sent_part = |after: &usize| if *after == 0 { Bytes::new() } else { half.clone() };
        let mut response = match fault {
            Some(Fault::Cut { after }) => ScriptedResponse::truncated(&body, sent_part(after), Ending::Cut),
            Some(Fault::ResetAfter { after }) => {
                ScriptedResponse::truncated(&body, sent_part(after), Ending::Reset)
            }
            Some(Fault::Silence { after }) => {
                ScriptedResponse::truncated(&body, sent_part(after), Ending::Silence)
            }
            Some(Fault::Endless { .. }) => {
                let mut response =
                    ScriptedResponse::chunked(JSON_CONTENT_TYPE, vec![half.clone()], behaviour.gap);
                response.ending = Ending::Endless(Chunk { delay: behaviour.gap, bytes: half });
                response
            }
            Some(Fault::Stall { after, length }) => {
                let mut response = ScriptedResponse::with_content_length(JSON_CONTENT_TYPE, body);
                response.chunks =
                    [half, other_half].map(|bytes| Chunk { delay: Duration::ZERO, bytes }).into();
                response.delay_chunk((*after).min(1), *length);
                response
            }
            Some(Fault::End { after }) => {
                ScriptedResponse::with_content_length(JSON_CONTENT_TYPE, sent_part(after))
            }
            Some(Fault::Garbage { .. }) => ScriptedResponse::with_content_length(JSON_CONTENT_TYPE, half),
            Some(Fault::ErrorEvent { error, .. }) => {
                let body = self.error_body(error).1;
                ScriptedResponse::from_json(&self.dialect.error_in_success(&self.response, body))
            }
            Some(Fault::Empty) => ScriptedResponse::with_content_length(JSON_CONTENT_TYPE, Bytes::new()),
            None | Some(Fault::NoDone | Fault::Error(_) | Fault::Hang | Fault::Reset | Fault::NotJson) => {
                ScriptedResponse::with_content_length(JSON_CONTENT_TYPE, body)
            }
        };
        response.delay_chunk(0, behaviour.first_token);
        response
    }
}

impl ScriptedResponse {
    fn chunked(content_type: &'static str, pieces: Vec<Bytes>, gap: Duration) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        let mut chunks: Vec<Chunk> = pieces.into_iter().map(|bytes| Chunk { delay: gap, bytes }).collect();
        if let Some(first) = chunks.first_mut() {
            first.delay = Duration::ZERO;
        }
        Self { status: StatusCode::OK, headers, chunks, flush_each_chunk: false, ending: Ending::Clean }
    }

    /// One chunk with a content length, as providers send it when it is no stream.
    fn with_content_length(content_type: &'static str, body: Bytes) -> Self {
        let length = HeaderValue::from(body.len());
        let chunks = if body.is_empty() { Vec::new() } else { vec![body] };
        let mut response = Self::chunked(content_type, chunks, Duration::ZERO);
        response.headers.insert(CONTENT_LENGTH, length);
        response
    }

    /// A body that is shorter than its content length.
    fn truncated(whole: &Bytes, part: Bytes, ending: Ending) -> Self {
        let mut response = Self::with_content_length(JSON_CONTENT_TYPE, part);
        response.headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
        response.ending = ending;
        response
    }

    pub(crate) fn from_json(body: &Value) -> Self {
        Self::with_content_length(JSON_CONTENT_TYPE, body.to_string().into())
    }

    /// An error about the request itself, whatever the model's behaviour is.
    pub(crate) fn invalid_request(
        dialect: Dialect,
        reason: Reason,
        number: u64,
        custom_message: String,
    ) -> Self {
        let (error, custom_message) = (ProviderError::from_reason(reason), Some(custom_message));
        let (status, body) =
            dialect.error(ErrorSpec { reason, hints: &[], model: "", number, custom_message });
        let mut response = Self { status, ..Self::from_json(&body) };
        response.headers.extend(dialect.request_id(number).into_iter().chain(dialect.error_type(&error)));
        response
    }

    /// Adds to the delay before a chunk, if the response gets that far.
    fn delay_chunk(&mut self, index: usize, delay: Duration) {
        if let Some(chunk) = self.chunks.get_mut(index) {
            chunk.delay += delay;
        }
    }

    /// Makes each byte a separate chunk.
    fn split_into_bytes(&mut self) {
        self.flush_each_chunk = true;
        self.chunks = mem::take(&mut self.chunks)
            .into_iter()
            .flat_map(|Chunk { delay, bytes }| {
                (0..bytes.len()).map(move |at| Chunk {
                    delay: if at == 0 { delay } else { Duration::ZERO },
                    bytes: bytes.slice(at..=at),
                })
            })
            .collect();
    }
}

impl Chunk {
    /// JSON as it is written here has no line feeds of its own.
    fn end_lines_with_crlf(&mut self) {
        let lines = String::from_utf8_lossy(&self.bytes);
        self.bytes = lines.replace('\n', "\r\n").into();
    }
}

#[cfg(test)]
mod tests;

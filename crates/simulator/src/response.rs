//! From a request and a behaviour to the response's bytes and their ending. No time, no I/O.

use std::mem;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use crate::behaviour::{Behaviour, Fault};
use crate::dialect::Dialect;
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

/// The call that needs a response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimulatedCall<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) stream: bool,
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
            fault if self.stream => self.stream_response(behaviour, fault.as_ref()),
            fault => self.plain_response(behaviour, fault.as_ref()),
        };
        if behaviour.split {
            response.split_into_bytes();
        }
        let (name, value) = self.dialect.request_id(self.response.number);
        response.headers.insert(name, value);
        Outcome::Response(response)
    }

    fn error_response(&self, error: &ProviderError) -> ScriptedResponse {
        let (status, body) = self.error_body(error);
        let mut response = ScriptedResponse { status, ..ScriptedResponse::from_json(&body) };
        response.headers.extend(self.dialect.error_headers(error));
        response
    }

    fn error_body(&self, error: &ProviderError) -> (StatusCode, Value) {
        self.dialect.error(error.reason, self.response.model, self.response.number, None)
    }

    fn stream_response(&self, behaviour: &Behaviour, fault: Option<&Fault>) -> ScriptedResponse {
        let mut events = self.dialect.events(&self.response);
        let ending = self.apply_fault(&mut events, fault, behaviour.gap);
        let mut response =
            ScriptedResponse::chunked("text/event-stream; charset=utf-8", events, behaviour.gap);
        response.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response.ending = ending;
        response.delay_chunk(self.dialect.preamble(&self.response), behaviour.first_token);
        if let Some(Fault::Stall { after, length }) = fault {
            response.delay_chunk((*after).min(response.chunks.len() - 1), *length);
        }
        if behaviour.crlf {
            response.chunks.iter_mut().for_each(Chunk::end_lines_with_crlf);
        }
        response
    }

    /// Applies a fault to a good stream's events, and returns how they end.
    fn apply_fault(&self, events: &mut Vec<Bytes>, fault: Option<&Fault>, gap: Duration) -> Ending {
        match fault {
            Some(Fault::Cut { after }) => {
                events.truncate(*after);
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
                let repeated = events.last().cloned().unwrap_or(Bytes::from_static(b": still here\n\n"));
                return Ending::Endless(Chunk { delay: gap, bytes: repeated });
            }
            Some(Fault::End { after }) => events.truncate(*after),
            Some(Fault::Garbage { after }) => {
                events.insert((*after).min(events.len()), self.dialect.garbage_event());
            }
            Some(Fault::ErrorEvent { after, error }) => {
                events.truncate(*after);
                events.push(self.dialect.error_event(&self.error_body(error).1));
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

    fn plain_response(&self, behaviour: &Behaviour, fault: Option<&Fault>) -> ScriptedResponse {
        let body = self.dialect.response_body(&self.response);
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
            Some(Fault::ErrorEvent { error, .. }) => ScriptedResponse::from_json(&self.error_body(error).1),
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
        status: StatusCode,
        number: u64,
        custom_message: String,
    ) -> Self {
        let (status, body) = dialect.error(Reason::Status(status), "", number, Some(custom_message));
        let mut response = Self { status, ..Self::from_json(&body) };
        let (name, value) = dialect.request_id(number);
        response.headers.insert(name, value);
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
mod tests {
    use super::*;

    fn test_call(dialect: Dialect, stream: bool) -> SimulatedCall<'static> {
        let response = ResponseSpec {
            number: 1,
            created: 0,
            model: "m",
            words: 3,
            prompt_tokens: 4,
            include_usage: true,
            choices: 1,
        };
        SimulatedCall { dialect, stream, response }
    }

    fn respond_to(call: &SimulatedCall<'_>, behaviour: impl Into<Behaviour>) -> ScriptedResponse {
        match call.respond(&behaviour.into()) {
            Outcome::Response(response) => response,
            other => panic!("no response: {other:?}"),
        }
    }

    fn pieces(response: &ScriptedResponse) -> Vec<Bytes> {
        response.chunks.iter().map(|chunk| chunk.bytes.clone()).collect()
    }

    /// The delays before the chunks, in milliseconds.
    fn delays_ms(response: &ScriptedResponse) -> Vec<u128> {
        response.chunks.iter().map(|chunk| chunk.delay.as_millis()).collect()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn delays_add_up() {
        let slow = Behaviour::ok().gap(Duration::from_millis(20)).first_token(SECOND);
        let stalling = slow.clone().with(Fault::Stall { after: 1, length: SECOND });
        let openai = test_call(Dialect::OpenAi, true);
        assert_eq!(delays_ms(&respond_to(&openai, slow.clone())), [0, 1_020, 20, 20, 20, 20, 20]);
        assert_eq!(delays_ms(&respond_to(&openai, stalling.clone()))[..3], [0, 2_020, 20]);
        let anthropic = test_call(Dialect::Anthropic, true);
        assert_eq!(delays_ms(&respond_to(&anthropic, slow.clone()))[..5], [0, 20, 20, 1_020, 20]);
        let plain = test_call(Dialect::OpenAi, false);
        assert_eq!(delays_ms(&respond_to(&plain, slow)), [1_000]);
        assert_eq!(delays_ms(&respond_to(&plain, stalling)), [1_000, 1_000]);
    }

    #[test]
    fn a_stall_is_before_the_last_event_at_the_latest() {
        let stall = respond_to(&test_call(Dialect::OpenAi, true), Fault::Stall { after: 99, length: SECOND });
        assert_eq!(delays_ms(&stall).last(), Some(&1_000));
    }

    #[test]
    fn split_and_other_line_ends_change_no_other_byte() {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let call = test_call(dialect, true);
            let whole = dialect.events(&call.response).concat();
            let split = respond_to(&call, Behaviour::ok().split());
            assert!(split.chunks.iter().all(|chunk| chunk.bytes.len() == 1));
            assert_eq!(pieces(&split).concat(), whole);
            let crlf =
                String::from_utf8(pieces(&respond_to(&call, Behaviour::ok().crlf())).concat()).unwrap();
            assert_eq!(crlf.matches("\r\n").count(), crlf.matches('\n').count());
            assert_eq!(crlf.replace("\r\n", "\n").as_bytes(), whole);
        }
    }

    #[test]
    fn a_fault_beyond_the_last_event_comes_after_the_whole_stream() {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let call = test_call(dialect, true);
            let all = dialect.events(&call.response);
            let cut = respond_to(&call, Fault::Cut { after: 99 });
            assert_eq!((pieces(&cut), cut.ending), (all.clone(), Ending::Cut));
            let garbage = respond_to(&call, Fault::Garbage { after: 99 });
            assert_eq!(garbage.chunks.len(), all.len() + 1);
        }
    }

    #[test]
    fn without_its_end_marker_a_stream_is_the_same_but_for_the_last_event() {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let call = test_call(dialect, true);
            let mut all = dialect.events(&call.response);
            all.pop();
            assert_eq!(pieces(&respond_to(&call, Fault::NoDone)), all);
        }
    }

    #[test]
    fn a_truncated_plain_response_has_its_whole_content_length() {
        let call = test_call(Dialect::OpenAi, false);
        let whole = call.dialect.response_body(&call.response);
        let cut = respond_to(&call, Fault::Cut { after: 1 });
        assert_eq!(cut.headers[CONTENT_LENGTH], whole.len().to_string());
        assert_eq!(pieces(&cut), [whole.slice(..whole.len() / 2)]);
        let immediate = respond_to(&call, Fault::Cut { after: 0 });
        assert_eq!(immediate.headers[CONTENT_LENGTH], whole.len().to_string());
        assert_eq!(immediate.chunks, []);
    }
}

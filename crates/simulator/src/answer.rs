//! From a request and a behaviour to the answer's bytes and how they end. No time, no I/O.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use crate::behaviour::{Behaviour, Fault};
use crate::dialect::{Dialect, Reply};
use crate::provider_error::{ProviderError, Reason};

const HTML: &[u8] = b"<html><head><title>Welcome</title></head><body>It works.</body></html>\n";

/// An answer ready to be played.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) gap: Duration,
    pub(crate) ending: Ending,
}

/// What comes after the last chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Clean,
    Cut,
    Silence,
}

/// What a call meets: an answer, or none at all.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answer(Answer),
    Hang,
    Reset,
}

/// The call to be answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) stream: bool,
    pub(crate) reply: Reply<'a>,
}

impl Asked<'_> {
    pub(crate) fn meet(&self, behaviour: &Behaviour) -> Outcome {
        let answer = match &behaviour.fault {
            Some(Fault::Hang) => return Outcome::Hang,
            Some(Fault::Reset) => return Outcome::Reset,
            Some(Fault::Error(error)) => self.refusal(error),
            Some(Fault::NotJson) => Answer::whole("text/html", Bytes::from_static(HTML)),
            fault if self.stream => self.stream(fault.as_ref()),
            fault => self.plain(fault.as_ref()),
        };
        let mut answer = Answer { gap: behaviour.gap, ..answer };
        let (name, value) = self.dialect.request_id(self.reply.number);
        answer.headers.insert(name, value);
        Outcome::Answer(answer)
    }

    fn refusal(&self, error: &ProviderError) -> Answer {
        let (status, body) = self.error(error);
        let mut answer = Answer { status, ..Answer::json(&body) };
        answer.headers.extend(self.dialect.error_headers(error));
        answer
    }

    fn error(&self, error: &ProviderError) -> (StatusCode, Value) {
        self.dialect.error(error.reason, self.reply.model, self.reply.number, None)
    }

    fn stream(&self, fault: Option<&Fault>) -> Answer {
        let mut events = self.dialect.events(&self.reply);
        let mut ending = Ending::Clean;
        match fault {
            Some(Fault::Cut { after }) => {
                events.truncate(*after);
                ending = Ending::Cut;
            }
            Some(Fault::End { after }) => events.truncate(*after),
            Some(Fault::Silence { after }) => {
                events.truncate(*after);
                ending = Ending::Silence;
            }
            Some(Fault::Garbage { after }) => {
                events.insert((*after).min(events.len()), self.dialect.garbage_event());
            }
            Some(Fault::ErrorEvent { after, error }) => {
                events.truncate(*after);
                events.push(self.dialect.error_event(&self.error(error).1));
            }
            Some(Fault::NoDone) => {
                events.pop();
            }
            Some(Fault::Empty) => events.clear(),
            None | Some(Fault::Error(_) | Fault::Hang | Fault::Reset | Fault::NotJson) => {}
        }
        let mut answer = Answer::of("text/event-stream; charset=utf-8", events);
        answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        answer.ending = ending;
        answer
    }

    fn plain(&self, fault: Option<&Fault>) -> Answer {
        let body = self.dialect.answer(&self.reply);
        let half = body.slice(..body.len() / 2);
        match fault {
            Some(Fault::Cut { .. }) => Answer::half_of(&body, half, Ending::Cut),
            Some(Fault::Silence { .. }) => Answer::half_of(&body, half, Ending::Silence),
            Some(Fault::End { .. } | Fault::Garbage { .. }) => Answer::whole("application/json", half),
            Some(Fault::ErrorEvent { error, .. }) => Answer::json(&self.error(error).1),
            Some(Fault::Empty) => Answer::whole("application/json", Bytes::new()),
            None | Some(Fault::NoDone | Fault::Error(_) | Fault::Hang | Fault::Reset | Fault::NotJson) => {
                Answer::whole("application/json", body)
            }
        }
    }
}

impl Answer {
    fn of(content_type: &'static str, chunks: Vec<Bytes>) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        Self { status: StatusCode::OK, headers, chunks, gap: Duration::ZERO, ending: Ending::Clean }
    }

    /// One chunk whose length is told in the head, as providers do for what is no stream.
    fn whole(content_type: &'static str, body: Bytes) -> Self {
        let length = HeaderValue::from(body.len());
        let chunks = if body.is_empty() { Vec::new() } else { vec![body] };
        let mut answer = Self::of(content_type, chunks);
        answer.headers.insert(CONTENT_LENGTH, length);
        answer
    }

    /// A body of which the head promises more than comes.
    fn half_of(whole: &Bytes, half: Bytes, ending: Ending) -> Self {
        let mut answer = Self::whole("application/json", half);
        answer.headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
        answer.ending = ending;
        answer
    }

    pub(crate) fn json(body: &Value) -> Self {
        Self::whole("application/json", body.to_string().into())
    }

    /// An error about the request itself, whatever the model's behaviour is.
    pub(crate) fn rejection(dialect: Dialect, status: StatusCode, number: u64, told: String) -> Self {
        let (status, body) = dialect.error(Reason::Status(status), "", number, Some(told));
        let mut answer = Self { status, ..Self::json(&body) };
        let (name, value) = dialect.request_id(number);
        answer.headers.insert(name, value);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(dialect: Dialect, stream: bool) -> Asked<'static> {
        let reply =
            Reply { number: 1, created: 0, model: "m", words: 3, prompt_tokens: 4, include_usage: true };
        Asked { dialect, stream, reply }
    }

    fn answer(asked: &Asked<'_>, fault: Fault) -> Answer {
        match asked.meet(&fault.into()) {
            Outcome::Answer(answer) => answer,
            other => panic!("no answer: {other:?}"),
        }
    }

    #[test]
    fn a_fault_beyond_the_last_event_comes_after_the_whole_stream() {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let asked = asked(dialect, true);
            let all = dialect.events(&asked.reply);
            let cut = answer(&asked, Fault::Cut { after: 99 });
            assert_eq!((cut.chunks, cut.ending), (all.clone(), Ending::Cut));
            let garbage = answer(&asked, Fault::Garbage { after: 99 });
            assert_eq!(garbage.chunks.len(), all.len() + 1);
        }
    }

    #[test]
    fn without_its_end_marker_a_stream_is_the_same_but_for_the_last_event() {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let asked = asked(dialect, true);
            let mut all = dialect.events(&asked.reply);
            all.pop();
            assert_eq!(answer(&asked, Fault::NoDone).chunks, all);
        }
    }

    #[test]
    fn a_plain_answer_cut_short_promises_its_whole_length() {
        let asked = asked(Dialect::OpenAi, false);
        let whole = asked.dialect.answer(&asked.reply);
        let cut = answer(&asked, Fault::Cut { after: 0 });
        assert_eq!(cut.headers[CONTENT_LENGTH], whole.len().to_string());
        assert_eq!(cut.chunks, [whole.slice(..whole.len() / 2)]);
    }
}

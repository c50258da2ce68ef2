//! Writes a plain response: what the stream of the same events ends with.

use super::answer_fold::{AnswerFold, Sink};
use crate::form::Event;
use crate::json::ObjectWriter;
use crate::target::AnswerContext;

pub(crate) fn write(events: &[Event], context: &AnswerContext) -> String {
    let mut answer = AnswerFold::new(context.clone());
    for event in events {
        answer.push(event, &mut Unheard);
    }
    answer.finish(&mut Unheard);
    answer.response()
}

/// Nobody listens to the events.
struct Unheard;

impl Sink for Unheard {
    fn event(&mut self, _kind: &str, _fields: impl FnOnce(ObjectWriter) -> ObjectWriter) {}
}

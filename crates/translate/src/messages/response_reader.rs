//! Reads a plain response.

use super::answer_reader::AnswerReader;
use crate::form::Event;
use crate::json::{Object, items};
use crate::target::AnswerContext;

pub(crate) fn read(body: &[u8], _context: &AnswerContext) -> Option<Vec<Event>> {
    let message = Object::parse(body)?;
    let mut answer = AnswerReader::default();
    let mut out = Vec::new();
    let content = message.raw("content").and_then(items);
    // Whatever else a message has, it is one (C6).
    if message.str("type").as_deref() == Some("error") || content.is_none() && message.error().is_some() {
        answer.error(&message, &mut out);
        return Some(out);
    }
    let content = content?;
    answer.start(Some(&message), &mut out);
    for (index, block) in (0..).zip(content) {
        if let Some(block) = Object::of(block) {
            answer.open(index, &block, &mut out);
            answer.close(index, &mut out);
        }
    }
    answer.finish(Some(&message), &mut out);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::form::{Block, Event, FinishReason, OpaqueKind};
    use crate::target::AnswerContext;

    #[test]
    fn a_response_becomes_the_same_events_as_a_stream() {
        let body = br#"{"id":"msg_1","type":"message","model":"c","content":[{"type":"redacted_thinking","data":"R"},
            {"type":"text","text":"Hi","citations":[{"type":"web_search_result_location","url":"https://a.example","title":"A"}]},
            {"type":"text","text":""},{"type":"tool_use","id":"t","name":"f","input":{"a": 1}}],
            "stop_reason":"refusal","stop_details":{"explanation":"no"},"usage":{"input_tokens":1,"output_tokens":2}}"#;
        let events = read(body, &AnswerContext::for_test()).unwrap();
        assert!(matches!(&events[3], Event::Opaque(opaque) if opaque.kind == OpaqueKind::Redacted));
        assert_eq!(events[5..7], [Event::Open(Block::Text), Event::Delta("Hi".to_owned())]);
        assert!(matches!(&events[7], Event::Citation(citation) if citation.url == "https://a.example"));
        assert!(matches!(&events[9], Event::Open(Block::ToolCall { .. })));
        assert_eq!(events[10], Event::Delta(r#"{"a": 1}"#.to_owned()));
        let Some(Event::Finish(finish)) = events.last() else { panic!("{events:?}") };
        assert_eq!((finish.reason, finish.detail.as_deref()), (FinishReason::Filtered, Some("no")));
    }

    #[test]
    fn a_message_with_an_odd_error_beside_it_is_a_message() {
        let body =
            br#"{"type":"message","content":[{"type":"text","text":"Hi"}],"error":{"input_tokens":81}}"#;
        let events = read(body, &AnswerContext::for_test()).unwrap();
        assert!(matches!(events.last(), Some(Event::Finish(_))), "{events:?}");
        let error = read(br#"{"error":{"type":"overloaded_error"}}"#, &AnswerContext::for_test()).unwrap();
        assert!(matches!(error[..], [Event::Error(_)]), "{error:?}");
    }

    #[test]
    fn thinking_that_is_not_signed_goes_back_as_text() {
        let thinking = |signature: &str| {
            let block = format!(r#"{{"type":"thinking","thinking":"t","signature":"{signature}"}}"#);
            let body = format!(r#"{{"content":[{block}]}}"#);
            match &read(body.as_bytes(), &AnswerContext::for_test()).unwrap()[3] {
                Event::Opaque(opaque) => opaque.kind,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!([thinking("Eq"), thinking("")], [OpaqueKind::Signature, OpaqueKind::PlainText]);
    }

    #[test]
    fn anything_else_is_no_response() {
        for body in ["{}", "[]", "null", r#"{"content":null}"#] {
            assert_eq!(read(body.as_bytes(), &AnswerContext::for_test()), None);
        }
    }
}

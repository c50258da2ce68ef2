//! Reads a plain response.

use serde_json::value::RawValue;

use super::answer_reader::AnswerReader;
use crate::form::Event;
use crate::json::{Object, items};
use crate::target::AnswerContext;

pub(crate) fn read(body: &[u8], _context: &AnswerContext) -> Option<Vec<Event>> {
    let answer = Object::parse(body)?;
    let message = answer.object("output")?.object("message")?;
    let content = message.raw("content").and_then(items)?;
    let (mut reader, mut out) = (AnswerReader::default(), Vec::new());
    reader.start(&mut out);
    for (index, block) in (0..).zip(content) {
        if let Some(block) = Object::of(block) {
            read_block(&mut reader, index, &block, &mut out);
            reader.close(index, &mut out);
        }
    }
    if let Some(usage) = answer.object("usage") {
        reader.usage(&usage, &mut out);
    }
    reader.finish(answer.str("stopReason").as_deref(), &mut out);
    Some(out)
}

fn read_block(reader: &mut AnswerReader, index: u64, block: &Object<'_>, out: &mut Vec<Event>) {
    if let Some(text) = block.string("text") {
        reader.text(index, text, out);
    } else if let Some(call) = block.object("toolUse") {
        reader.call(index, &call, out);
        let input = call.raw("input").map_or("{}", RawValue::get);
        reader.input(index, input.to_owned(), out);
    } else if let Some(content) = block.object("reasoningContent") {
        reader.reasoning(index, &content, out);
    } else if let Some(cited) = block.object("citationsContent") {
        for text in cited.objects("content").iter().filter_map(|part| part.string("text")) {
            reader.text(index, text, out);
        }
        for citation in cited.objects("citations") {
            reader.citation(index, &citation, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::form::{Block, Event, FinishReason, OpaqueKind, TokenUsage};
    use crate::target::AnswerContext;

    #[test]
    fn a_response_becomes_the_same_events_as_a_stream() {
        let body = br#"{"output":{"message":{"role":"assistant","content":[
            {"reasoningContent":{"reasoningText":{"text":"hm","signature":"Eq"}}},
            {"reasoningContent":{"redactedContent":"UmVk"}},{"reasoningContent":{}},
            {"toolUse":{"toolUseId":"s","name":"nova_grounding","input":{},"type":"server_tool_use"}},
            {"toolResult":{"toolUseId":"s","content":[{"weird":1}]}},
            {"citationsContent":{"content":[{"text":"Hi"}],"citations":[{"location":{"web":{"url":"https://a.example"}},
                "title":"A"},{"location":{"documentChar":{"start":1}}}]}},
            {"toolUse":{"toolUseId":"t","name":"f","input":{"a": 1},"type":"tool_use"}}]}},"stopReason":"tool_use",
            "usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3,"cacheReadInputTokens":4,"cacheWriteInputTokens":5}}"#;
        let events = read(body, &AnswerContext::for_test()).unwrap();
        let opaque =
            |event: &Event| matches!(event, Event::Opaque(opaque) if opaque.kind == OpaqueKind::Signature);
        assert_eq!(events[1..3], [Event::Open(Block::Reasoning), Event::Delta("hm".to_owned())]);
        assert!(opaque(&events[3]), "{events:#?}");
        assert!(matches!(&events[6], Event::Opaque(opaque) if opaque.kind == OpaqueKind::Redacted));
        assert_eq!(events[8..10], [Event::Open(Block::Text), Event::Delta("Hi".to_owned())]);
        assert!(matches!(&events[10], Event::Citation(citation) if citation.url == "https://a.example"));
        assert_eq!(events[13], Event::Delta(r#"{"a": 1}"#.to_owned()));
        let usage = TokenUsage {
            input: Some(10),
            cache_read: Some(4),
            cache_write: Some(5),
            output: Some(2),
            reasoning: None,
        };
        assert_eq!(events[15], Event::Usage(usage));
        assert!(matches!(&events[16], Event::Finish(end) if end.reason == FinishReason::ToolCalls));
    }

    #[test]
    fn anything_else_is_no_response() {
        for body in ["{}", "[]", "null", r#"{"message":"x"}"#, r#"{"output":{"message":{"content":null}}}"#] {
            assert_eq!(read(body.as_bytes(), &AnswerContext::for_test()), None);
        }
    }
}

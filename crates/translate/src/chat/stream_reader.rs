//! Reads a stream's chunks.

use super::assembler::Assembler;
use super::{answer_reader, failure};
use crate::form::Event;
use crate::json::Object;
use crate::target::AnswerContext;

#[derive(Debug)]
pub(crate) struct StreamReader {
    assembler: Assembler,
    /// The index of the choice that is read: the first one that came.
    choice: Option<u64>,
}

impl StreamReader {
    pub(crate) fn new(context: &AnswerContext) -> Self {
        Self { assembler: Assembler::new(context), choice: None }
    }

    /// Takes one event: its SSE name, if it has one, and its data.
    pub(crate) fn push(&mut self, name: Option<&str>, data: &[u8], out: &mut Vec<Event>) {
        if self.assembler.failed() {
            return;
        }
        let Some(body) = Object::parse(data) else { return };
        answer_reader::read_head(&body, &mut self.assembler);
        for choice in body.objects("choices") {
            let index = choice.u64("index").unwrap_or(0);
            if *self.choice.get_or_insert(index) != index {
                continue;
            }
            answer_reader::read_choice(&body, &choice, false, &mut self.assembler, out);
            if choice.str("finish_reason").is_some_and(|reason| !reason.is_empty()) {
                // The reason itself waits for the end: some servers name another one later, or go on with calls.
                self.assembler.close(out);
            }
        }
        if let Some(error) = failure::read(&body) {
            self.assembler.error(error, out);
        } else if name == Some("error") || body.str("object").as_deref() == Some("error") {
            self.assembler.error(failure::read_whole(&body), out);
        }
    }

    /// The stream ended as it should.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        self.assembler.finish(out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::StreamReader;
    use crate::chat::testing::context;
    use crate::form::{Block, Event, FinishReason, OpaqueKind};

    fn read(chunks: &[&str]) -> Vec<Event> {
        let mut reader = StreamReader::new(&context());
        let mut events = Vec::new();
        for chunk in chunks {
            reader.push(None, chunk.as_bytes(), &mut events);
        }
        reader.finish(&mut events);
        events
    }

    /// Blocks with their text, and how it ended: `text(ab) call(c1 f {}) Stop`.
    fn summarize(events: &[Event]) -> String {
        let mut summary = String::new();
        for event in events {
            match event {
                Event::Start { .. } | Event::Usage(_) => {}
                Event::Open(Block::Text) => summary.push_str("text("),
                Event::Open(Block::Refusal) => summary.push_str("refusal("),
                Event::Open(Block::Reasoning) => summary.push_str("reasoning("),
                Event::Open(Block::ToolCall { id, name, .. }) => {
                    summary.push_str(&format!("call({id} {name} "));
                }
                Event::Open(Block::Media { media_type }) => summary.push_str(&format!("media({media_type} ")),
                Event::Delta(text) => summary.push_str(text),
                Event::Opaque(opaque) if opaque.kind == OpaqueKind::PlainText => {
                    summary.push_str(&format!("|{}", opaque.data));
                }
                Event::Opaque(opaque) => summary.push_str(&format!("!{}", opaque.data)),
                Event::Citation(citation) => {
                    summary.push_str(&format!("^{} {:?}", citation.url, citation.span));
                }
                Event::Close => summary.push_str(") "),
                Event::Finish(finish) => summary.push_str(&format!("{:?}", finish.reason)),
                Event::Error(error) => summary.push_str(&format!("error {} {}", error.status, error.message)),
            }
        }
        summary
    }

    fn delta(json: &str) -> String {
        format!(r#"{{"id":"a","model":"x","choices":[{{"index":0,"delta":{json}}}]}}"#)
    }

    fn summary_of(deltas: &[&str]) -> String {
        let chunks: Vec<String> = deltas.iter().map(|json| delta(json)).collect();
        summarize(&read(&chunks.iter().map(String::as_str).collect::<Vec<_>>()))
    }

    #[test]
    fn noise_is_passed_over() {
        let chunks = [
            r#"{"choices":[],"id":"","model":"","prompt_filter_results":[]}"#,
            "null",
            "[DONE]",
            r#"{"choices":[{"index":0,"delta":null}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"another"}}]}"#,
            r#"{"id":"c","model":"x","created":7,"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":""}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"b","tool_calls":null},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
        ];
        let events = read(&chunks);
        assert_eq!(summarize(&events), "text(ab) Stop");
        let start = Event::Start { id: Some("c".to_owned()), model: Some("x".to_owned()), created: Some(7) };
        assert_eq!(events[0], start);
        assert!(matches!(events[events.len() - 2], Event::Usage(usage) if usage.output == Some(2)));
    }

    #[test]
    fn calls_are_put_in_order() {
        let piece = |index: &str, rest: &str| format!(r#"{{"tool_calls":[{{{index}{rest}}}]}}"#);
        let call = |n: usize, rest: &str| piece(&format!(r#""index":{n},"#), rest);
        let start = |id: &str| format!(r#""id":"{id}","function":{{"name":"f","arguments":""}}"#);
        let more = |text: &str| format!(r#""function":{{"arguments":"{text}"}}"#);
        let tables = [
            // Interleaved.
            (
                vec![
                    call(0, &start("c0")),
                    call(1, &start("c1")),
                    call(0, &more("{")),
                    call(1, &more("[")),
                    call(0, &more("}")),
                    call(1, &more("]")),
                ],
                "call(c0 f {}) call(c1 f []) ToolCalls",
            ),
            // Without an index, and the id empty later.
            (
                vec![
                    piece("", &start("c0")),
                    piece("", &format!(r#""id":"",{}"#, more("{}"))),
                    piece("", &start("c1")),
                    piece("", &more("{}")),
                ],
                "call(c0 f {}) call(c1 f {}) ToolCalls",
            ),
            // Whole calls, all of one index.
            (
                vec![
                    call(0, r#""id":"c0","function":{"name":"f","arguments":"{}"}"#),
                    call(0, r#""id":"c1","function":{"name":"g","arguments":"{}"}"#),
                ],
                "call(c0 f {}) call(c1 g {}) ToolCalls",
            ),
            // The name in pieces, then again and again.
            (
                vec![
                    call(0, r#""id":"c0","function":{"name":"get_"}"#),
                    call(0, r#""function":{"name":"time"}"#),
                    call(0, r#""id":"c0","function":{"name":"get_time","arguments":"{"}"#),
                    call(0, r#""id":"c0","function":{"name":"get_time","arguments":"}"}"#),
                ],
                "call(c0 get_time {}) ToolCalls",
            ),
            // Arguments that are no text, and none at all.
            (
                vec![
                    call(0, r#""id":"c0","function":{"name":"f","arguments":{"a":1}}"#),
                    call(1, &start("c1")),
                ],
                r#"call(c0 f {"a":1}) call(c1 f ) ToolCalls"#,
            ),
            // Text between the pieces of a call.
            (
                vec![
                    call(0, &start("c0")),
                    call(0, &more("{")),
                    r#"{"content":"x"}"#.to_owned(),
                    call(0, &more("}")),
                ],
                "call(c0 f {}) text(x) ToolCalls",
            ),
        ];
        for (deltas, expected) in tables {
            let deltas: Vec<&str> = deltas.iter().map(String::as_str).collect();
            assert_eq!(summary_of(&deltas), expected);
        }
    }

    #[test]
    fn several_calls_in_one_chunk_are_several() {
        let both = r#"{"tool_calls":[{"index":0,"id":"c0","function":{"name":"f","arguments":"{}"}},
            {"index":1,"id":"c0","function":{"name":"f","arguments":"{}"}}]}"#;
        let summary = summary_of(&[both]);
        // Two calls of one id would be one to the client.
        assert!(summary.starts_with("call(c0 f {}) call(call_"), "{summary}");
        let old = summary_of(&[
            r#"{"function_call":{"name":"f","arguments":""}}"#,
            r#"{"function_call":{"arguments":"{}"}}"#,
        ]);
        assert!(old.starts_with("call(call_") && old.ends_with(" f {}) ToolCalls"), "{old}");
    }

    #[test]
    fn reasoning_is_read_wherever_it_stands() {
        let table = [
            (
                vec![r#"{"reasoning_content":"a"}"#, r#"{"reasoning_content":"b","content":"c"}"#],
                "reasoning(ab|) text(c) Stop",
            ),
            (
                vec![r#"{"reasoning":"a","content":""}"#, r#"{"content":"c"}"#],
                "reasoning(a|reasoning) text(c) Stop",
            ),
            (
                vec![
                    r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]}]}"#,
                    r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"b"}]},{"type":"text","text":"c"}]}"#,
                ],
                "reasoning(ab|thinking) text(c) Stop",
            ),
            (
                vec![
                    r#"{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","index":0}]}"#,
                    r#"{"reasoning_details":[{"type":"reasoning.text","signature":"S","index":0}]}"#,
                ],
                r#"reasoning(a|[{"type":"reasoning.text","text":"a","index":0,"signature":"S"}]) Stop"#,
            ),
            (
                vec![
                    r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"S"}}}]}"#,
                ],
                "reasoning(!S) call(c f {}) ToolCalls",
            ),
        ];
        for (deltas, expected) in table {
            assert_eq!(summary_of(&deltas), expected);
        }
    }

    #[test]
    fn sources_belong_to_the_text() {
        let early = summary_of(&[
            r#"{"annotations":[{"type":"url_citation","url_citation":{"url":"u","start_index":0,"end_index":0}}]}"#,
            r#"{"content":"x"}"#,
        ]);
        assert_eq!(early, "text(x^u None) Stop");
        let listed = r#"{"search_results":[{"url":"u","title":"t"}],"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}"#;
        assert_eq!(summarize(&read(&[listed])), "text(x^u None) Stop");
    }

    #[test]
    fn an_error_ends_it() {
        let text = delta(r#"{"content":"x"}"#);
        let error = r#"{"error":{"message":"boom","status_code":503}}"#;
        assert_eq!(summarize(&read(&[&text, error, &text])), "text(xerror 503 boom");
        let inside =
            r#"{"choices":[{"delta":{},"finish_reason":"error","error":{"message":"boom","code":429}}]}"#;
        assert_eq!(summarize(&read(&[inside])), "error 429 boom");
        let mut reader = StreamReader::new(&context());
        let mut events = Vec::new();
        reader.push(Some("error"), br#"{"message":"boom","type":"overloaded_error"}"#, &mut events);
        assert_eq!(summarize(&events), "error 503 boom");
    }

    #[test]
    fn a_plain_answer_in_a_stream_is_read() {
        let chunk = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}"#;
        // What repeats all that was said says nothing new.
        assert_eq!(summarize(&read(&[chunk, chunk])), "text(x) Stop");
    }

    /// The order that writers rely on.
    fn assert_order(events: &[Event]) {
        let (mut started, mut open, mut ended) = (false, false, false);
        for event in events {
            assert!(!ended, "nothing follows the end: {events:?}");
            match event {
                Event::Start { .. } => assert!(!std::mem::replace(&mut started, true)),
                Event::Open(_) => assert!(started && !std::mem::replace(&mut open, true)),
                Event::Close => assert!(std::mem::replace(&mut open, false)),
                Event::Delta(_) | Event::Opaque(_) | Event::Citation(_) => assert!(open),
                Event::Usage(_) => assert!(started),
                Event::Finish(finish) => {
                    assert!(started && !open && finish.reason != FinishReason::Paused);
                    ended = true;
                }
                Event::Error(_) => ended = true,
            }
        }
        assert!(ended);
    }

    proptest! {
        #[test]
        fn any_pieces_keep_the_order(pieces in prop::collection::vec((0_usize..9, 0_u8..4, any::<bool>()), 0..24)) {
            let chunks: Vec<String> = pieces.iter().map(|(kind, index, flag)| match kind {
                0 => delta(r#"{"content":"x"}"#),
                1 => delta(r#"{"reasoning":"r"}"#),
                2 => delta(r#"{"refusal":"no"}"#),
                3 => delta(&format!(r#"{{"tool_calls":[{{"index":{index},"id":"c{index}","function":{{"name":"f"}}}}]}}"#)),
                4 => delta(&format!(r#"{{"tool_calls":[{{"index":{index},"function":{{"arguments":"{{"}}}}]}}"#)),
                5 => delta(&format!(r#"{{"tool_calls":[{{"index":{index},"function":{{"arguments":"}}"}}}}]}}"#)),
                6 => delta(r#"{"annotations":[{"url_citation":{"url":"u"}}]}"#),
                7 if *flag => r#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#.to_owned(),
                _ => delta(r#"{"tool_calls":[{"function":{"name":"g","arguments":"{}"}}]}"#),
            }).collect();
            assert_order(&read(&chunks.iter().map(String::as_str).collect::<Vec<_>>()));
        }

        #[test]
        fn any_bytes_do_no_harm(data in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = StreamReader::new(&context());
            let mut events = Vec::new();
            reader.push(None, &data, &mut events);
            reader.finish(&mut events);
            assert_order(&events);
        }
    }
}

//! Writes a stream: SSE, or one JSON array for those who do not say `alt=sse`.

use super::answer_writer::{AnswerWriter, error_body};
use crate::form::Event;
use crate::target::AnswerContext;

#[derive(Debug)]
pub(crate) struct StreamWriter {
    writer: AnswerWriter,
    json_array: bool,
    has_begun: bool,
    has_ended: bool,
}

impl StreamWriter {
    pub(crate) fn new(context: AnswerContext) -> Self {
        Self {
            json_array: context.json_array,
            writer: AnswerWriter::new(context),
            has_begun: false,
            has_ended: false,
        }
    }

    pub(crate) fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.has_ended {
            return;
        }
        if let Event::Error(error) = event {
            self.chunk(&error_body(error), out);
            self.end(out);
            return;
        }
        let mut parts = Vec::new();
        self.writer.push(event, &mut parts);
        if !parts.is_empty() {
            let chunk = self.writer.chunk(&parts, false);
            self.chunk(&chunk, out);
        }
    }

    /// The stream ended as it should: the last chunk, with the reason and the usage.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        if self.has_ended {
            return;
        }
        if self.writer.is_finished() {
            let chunk = self.writer.chunk(&[], true);
            self.chunk(&chunk, out);
        }
        self.end(out);
    }

    /// Google's framing, which its SDKs take to the letter: `data: `, JSON, a blank line; nothing else.
    fn chunk(&mut self, json: &str, out: &mut Vec<u8>) {
        let (before, behind): (&[u8], &[u8]) = match (self.json_array, self.has_begun) {
            (false, _) => (b"data: ", b"\r\n\r\n"),
            (true, false) => (b"[", b""),
            (true, true) => (b",\r\n", b""),
        };
        self.has_begun = true;
        out.extend_from_slice(before);
        out.extend_from_slice(json.as_bytes());
        out.extend_from_slice(behind);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.has_ended = true;
        if self.json_array {
            out.extend_from_slice(if self.has_begun { b"]" } else { b"[]" });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StreamWriter;
    use crate::form::{
        Block, Citation, Event, Finish, FinishReason, Opaque, OpaqueKind, Owner, StreamError, TokenUsage,
    };
    use crate::gemini::response_writer;
    use crate::names::ToolNames;
    use crate::target::AnswerContext;

    fn context(show_reasoning: bool, json_array: bool) -> AnswerContext {
        AnswerContext {
            owner: Owner { provider: "p".to_owned(), model: "m".to_owned() },
            names: ToolNames::default(),
            has_namespaces: false,
            include_usage: false,
            show_reasoning,
            json_array,
            created: 0,
            request_id: "r".to_owned(),
            echo: String::new(),
        }
    }

    fn text(text: &str) -> Event {
        Event::Delta(text.to_owned())
    }

    fn call() -> Event {
        Event::Open(Block::ToolCall {
            id: "c".to_owned(),
            name: "f".to_owned(),
            namespace: None,
            custom: false,
        })
    }

    fn answer_events() -> Vec<Event> {
        let citation =
            Citation { url: "https://a".to_owned(), title: None, cited_text: None, span: Some((0, 1)) };
        let opaque = Opaque { kind: OpaqueKind::Signature, data: "Eq".to_owned(), id: None, owner: None };
        let usage =
            TokenUsage { input: Some(5), output: Some(4), reasoning: Some(1), ..TokenUsage::default() };
        vec![
            Event::Start { id: Some("id".to_owned()), model: None, created: None },
            Event::Open(Block::Reasoning),
            text("hm"),
            Event::Opaque(opaque),
            Event::Close,
            Event::Open(Block::Text),
            text("ä"),
            text("b"),
            Event::Citation(citation),
            Event::Close,
            call(),
            text("{\"x\""),
            text(":1.0}"),
            Event::Close,
            call(),
            Event::Close,
            Event::Finish(Finish::new(FinishReason::ToolCalls)),
            Event::Usage(usage),
        ]
    }

    fn streamed(events: &[Event], context: AnswerContext) -> String {
        let mut writer = StreamWriter::new(context);
        let mut out = Vec::new();
        for event in events {
            writer.push(event, &mut out);
        }
        writer.finish(&mut out);
        writer.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// All parts of chunks, in short.
    fn parts(chunks: &[serde_json::Value]) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for part in
            chunks.iter().flat_map(|chunk| chunk["candidates"][0]["content"]["parts"].as_array().unwrap())
        {
            let signed = if part.get("thoughtSignature").is_some() { " signed" } else { "" };
            let call =
                part.get("functionCall").map(|call| format!("call {}", call["args"])).unwrap_or_default();
            let thought = if part.get("thought").is_some() { "thought " } else { "" };
            out.push(format!("{thought}{call}{}{signed}", part["text"].as_str().unwrap_or_default()));
        }
        out
    }

    fn chunks(sse: &str) -> Vec<serde_json::Value> {
        let chunks = sse.split_terminator("\r\n\r\n");
        chunks.map(|chunk| serde_json::from_str(chunk.strip_prefix("data: ").unwrap()).unwrap()).collect()
    }

    #[test]
    fn a_stream_and_a_plain_answer_say_the_same() {
        let chunks = chunks(&streamed(&answer_events(), context(true, false)));
        assert_eq!(parts(&chunks), ["thought hm", "ä signed", "b", "call {\"x\":1.0} signed", "call {}", ""]);
        let last = chunks.last().unwrap();
        let candidate = &last["candidates"][0];
        assert_eq!(candidate["finishReason"], "STOP");
        assert_eq!(
            last["usageMetadata"].to_string(),
            r#"{"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":9,"thoughtsTokenCount":1}"#
        );
        assert_eq!(candidate["groundingMetadata"]["groundingSupports"][0]["segment"]["endIndex"], 2);
        assert!(chunks.iter().all(|chunk| chunk["responseId"] == "id" && chunk["modelVersion"] == "m"));
        assert!(
            chunks[..chunks.len() - 1]
                .iter()
                .all(|chunk| chunk["candidates"][0].get("finishReason").is_none())
        );

        let plain =
            serde_json::from_str(&response_writer::write(&answer_events(), &context(false, false))).unwrap();
        assert_eq!(parts(std::slice::from_ref(&plain)), ["äb signed", "call {\"x\":1.0} signed", "call {}"]);
        assert_eq!(plain["usageMetadata"], last["usageMetadata"]);
    }

    #[test]
    fn an_array_is_whole_json() {
        let array: Vec<serde_json::Value> =
            serde_json::from_str(&streamed(&answer_events(), context(false, true))).unwrap();
        assert_eq!(parts(&array).len(), 5);
        let error = StreamError {
            status: 529,
            error_type: Some("overloaded_error".to_owned()),
            code: None,
            message: "busy".to_owned(),
        };
        let mut events = answer_events();
        events.truncate(7);
        events.push(Event::Error(error));
        events.push(text("lost"));
        let array: Vec<serde_json::Value> =
            serde_json::from_str(&streamed(&events, context(false, true))).unwrap();
        assert_eq!(array[1].to_string(), r#"{"error":{"code":529,"message":"busy","status":"UNAVAILABLE"}}"#);
        assert_eq!(streamed(&[], context(false, true)), "[]");
    }

    #[test]
    fn a_refusal_is_a_text_and_safety() {
        let events = [
            Event::Open(Block::Refusal),
            text("no"),
            Event::Close,
            Event::Finish(Finish::new(FinishReason::Stop)),
        ];
        let chunks = chunks(&streamed(&events, context(false, false)));
        assert_eq!(parts(&chunks), ["no", ""]);
        assert_eq!(chunks[1]["candidates"][0]["finishReason"], "SAFETY");
    }

    #[test]
    fn without_an_end_there_is_none() {
        let sse = streamed(&answer_events()[..8], context(false, false));
        assert!(!sse.contains("finishReason") && sse.ends_with("\r\n\r\n"));
    }
}

//! The events of OpenAI Responses.

use serde_json::Value;

use super::response::ResponseObject;
use crate::error_body::is_error;
use crate::format::{Parsed, is_done_marker};
use crate::json::{Cursor, Pattern};
use crate::lenient::{Filled, fields};
use crate::progress::{Choices, Progress};
use crate::response_meta::{Name, ResponseMeta};
use crate::usage::Usage;

/// The fields of all types of event. What holds the output depends on the type: `delta` in a delta, another in the event
/// that repeats the whole. Some servers send only the latter.
#[derive(Default)]
struct Event<'a> {
    kind: Name<'a>,
    delta: Filled,
    text: Filled,
    refusal: Filled,
    arguments: Filled,
    input: Filled,
    partial_image_b64: Filled,
    item: Option<Item<'a>>,
    response: Option<ResponseObject<'a>>,
}

fields!(
    Event<'a>:
    b"type" => kind,
    b"delta" => delta,
    b"text" => text,
    b"refusal" => refusal,
    b"arguments" => arguments,
    b"input" => input,
    b"partial_image_b64" => partial_image_b64,
    b"item" => item,
    b"response" => response,
);

/// A complete item of the output.
#[derive(Default)]
struct Item<'a> {
    kind: Name<'a>,
    content: Filled,
    summary: Filled,
    encrypted_content: Filled,
}

fields!(
    Item<'a>:
    b"type" => kind,
    b"content" => content,
    b"summary" => summary,
    b"encrypted_content" => encrypted_content,
);

impl Item<'_> {
    fn has_content(&self) -> bool {
        let Self { kind, content, summary, encrypted_content } = self;
        match kind.get().as_deref() {
            None => false,
            Some("message" | "reasoning") => content.0 || summary.0 || encrypted_content.0,
            // Every other item is a call, or what came of one.
            Some(_) => true,
        }
    }
}

/// The only choice there is.
fn single_choice() -> Choices {
    Choices::single(0)
}

pub(super) fn read(data: &[u8], meta: &mut ResponseMeta, pattern: &mut Pattern) -> Parsed<Progress> {
    // The format has no such marker, but compatible servers have.
    if is_done_marker(data) {
        return Ok(Some(Progress { done: true, ..Progress::default() }));
    }
    let event: Option<Event<'_>> = pattern.read(data, Cursor::any)?;
    let read = event.map_or_else(|| Some(Progress::default()), |event| progress_of(event, meta));
    if read == Some(Progress::default()) {
        // No event of this format, and perhaps an error in another's shape.
        let data: Value = serde_json::from_slice(data)?;
        return Ok((!is_error(&data)).then(Progress::default));
    }
    Ok(read)
}

fn progress_of(event: Event<'_>, meta: &mut ResponseMeta) -> Option<Progress> {
    let Some(kind) = event.kind.get() else { return Some(Progress::default()) };
    if matches!(&*kind, "error" | "response.failed") {
        return None;
    }
    let mut progress = Progress { choices: single_choice(), ..Progress::default() };
    let is_last = matches!(&*kind, "response.completed" | "response.incomplete");
    progress.content = match &*kind {
        "response.output_item.done" => event.item.is_some_and(|item| item.has_content()),
        _ if kind.ends_with(".delta") => event.delta.0,
        _ if kind.ends_with(".partial_image") => event.partial_image_b64.0,
        _ if kind.ends_with(".done") => event.text.0 || event.refusal.0 || event.arguments.0 || event.input.0,
        _ => false,
    };
    if let Some(response) = event.response {
        meta.fill_missing(response.id, response.model);
        progress.usage = response.usage.map(Usage::from).unwrap_or_default();
        progress.content |= is_last && response.output.0.is_some_and(|items| items > 0);
    }
    if is_last {
        progress.finished = single_choice();
        progress.done = true;
    }
    Some(progress)
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::json::Pattern;
    use crate::progress::Progress;
    use crate::response_meta::ResponseMeta;
    use crate::usage::Usage;

    fn parse(data: &str) -> Option<Progress> {
        read(data.as_bytes(), &mut ResponseMeta::default(), &mut Pattern::default()).unwrap()
    }

    #[test]
    fn events() {
        for (data, expected) in [
            (
                r#"{"type":"response.created","response":{"id":"resp_1","status":"in_progress","output":[]}}"#,
                "",
            ),
            (r#"{"type":"response.in_progress","response":{"output":[],"error":null,"usage":null}}"#, ""),
            (
                r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"msg_1","type":"message","content":[]}}"#,
                "",
            ),
            (r#"{"type":"response.content_part.added","part":{"type":"output_text","text":""}}"#, ""),
            (r#"{"type":"response.output_text.delta","delta":"Hi","logprobs":[]}"#, "c"),
            (r#"{"type":"response.output_text.delta","delta":"","logprobs":[]}"#, ""),
            (r#"{"delta":"Hi","type":"response.refusal.delta"}"#, "c"),
            (r#"{"type":"response.reasoning_text.delta","delta":"hm"}"#, "c"),
            (r#"{"type":"response.reasoning_summary_text.delta","delta":"hm"}"#, "c"),
            (r#"{"type":"response.function_call_arguments.delta","delta":"{"}"#, "c"),
            (r#"{"type":"response.custom_tool_call_input.delta","delta":"*** Begin"}"#, "c"),
            (r#"{"type":"response.mcp_call_arguments.delta","delta":{"a":1}}"#, "c"),
            (r#"{"type":"response.something_new.delta","delta":7}"#, ""),
            (r#"{"type":"response.image_generation_call.partial_image","partial_image_b64":"iVBO"}"#, "c"),
            (r#"{"type":"response.output_text.done","text":"Hi"}"#, "c"),
            (r#"{"type":"response.function_call_arguments.done","arguments":""}"#, ""),
            (
                r#"{"type":"response.output_item.done","item":{"type":"reasoning","id":"rs_1","summary":[]}}"#,
                "",
            ),
            (
                r#"{"type":"response.output_item.done","item":{"type":"reasoning","encrypted_content":"gAAA"}}"#,
                "c",
            ),
            (r#"{"type":"response.output_item.done","item":{"type":"message","content":[]}}"#, ""),
            (r#"{"type":"response.output_item.done","item":{"type":"message","content":[{}]}}"#, "c"),
            (
                r#"{"type":"response.output_item.done","item":{"type":"function_call","name":"f","arguments":""}}"#,
                "c",
            ),
            (r#"{"type":"response.web_search_call.searching","item_id":"ws_1"}"#, ""),
            (r#"{"type":"response.completed","response":{"output":[]}}"#, "fd"),
            (r#"{"type":"response.completed","response":{"output":[{}]}}"#, "cfd"),
            (r#"{"type":"response.completed","type":"response.incomplete","response":null}"#, "fd"),
            (r#"{"type":"response.incomplete","response":"odd"}"#, "fd"),
            ("[DONE]", "d"),
            ("null", ""),
            ("{}", ""),
            (r#"{"type":7,"delta":"x"}"#, ""),
            (r#"{"type":"keepalive","sequence_number":3}"#, ""),
        ] {
            assert_eq!(parse(data).unwrap().flags(), expected, "{data}");
        }
    }

    #[test]
    fn errors() {
        for data in [
            r#"{"type":"error","code":"server_error","message":"x","param":null,"sequence_number":2}"#,
            r#"{"type":"error","sequence_number":2,"error":{"type":"insufficient_quota","message":"x"}}"#,
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error"}}}"#,
            r#"{"error":{"message":"x"}}"#,
            r#"{"object":"error","message":"x"}"#,
            r#"{"detail":"x"}"#,
        ] {
            assert_eq!(parse(data), None, "{data}");
        }
    }

    #[test]
    fn usage_and_meta() {
        let mut meta = ResponseMeta::default();
        let data =
            br#"{"type":"response.created","response":{"id":"resp_1","model":"gpt-5-nano","usage":null}}"#;
        assert!(read(data, &mut meta, &mut Pattern::default()).is_ok());
        let data = br#"{"type":"response.incomplete","response":{"id":"other","output":[],
            "usage":{"input_tokens":5,"input_tokens_details":{},"output_tokens":"odd"}}}"#;
        let progress = read(data, &mut meta, &mut Pattern::default()).unwrap().unwrap();
        assert_eq!(progress.usage, Usage { input: Some(5), output: None });
        let expected = ResponseMeta { id: Some("resp_1".into()), model: Some("gpt-5-nano".into()) };
        assert_eq!(meta, expected);
    }
}

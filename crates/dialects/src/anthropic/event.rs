//! Anthropic's events.

use serde_json::Value;

use super::usage::AnthropicUsage;
use crate::error_body::is_error;
use crate::format::{Parsed, is_done_marker};
use crate::has_content::HasContent;
use crate::json::{self, Cursor, Pattern};
use crate::lenient::{Filled, FromFields, fields};
use crate::progress::{Choices, Progress};
use crate::response_meta::{Name, ResponseMeta};
use crate::usage::Usage;

/// The fields of all types of event.
#[derive(Default)]
struct Event<'a> {
    kind: Name<'a>,
    message: Option<Message<'a>>,
    content_block: Option<HasContent>,
    delta: Option<Delta>,
    usage: Option<AnthropicUsage>,
}

fields!(
    Event<'a>:
    b"type" => kind,
    b"message" => message,
    b"content_block" => content_block,
    b"delta" => delta,
    b"usage" => usage,
);

/// The message of `message_start`, still empty.
#[derive(Default)]
struct Message<'a> {
    id: Name<'a>,
    model: Name<'a>,
    usage: Option<AnthropicUsage>,
}

fields!(Message<'a>: b"id" => id, b"model" => model, b"usage" => usage);

/// The delta of a block, or of the message.
#[derive(Default)]
struct Delta {
    content: bool,
    stop_reason: bool,
}

impl<'a> FromFields<'a> for Delta {
    #[inline]
    fn field(&mut self, name: &[u8], value: &mut Cursor<'a>) -> json::Result<()> {
        let Filled(filled) = value.any()?;
        match name {
            b"type" | b"role" => {}
            b"stop_reason" => self.stop_reason |= filled,
            _ => self.content |= filled,
        }
        Ok(())
    }
}

/// The only choice there is.
fn single_choice() -> Choices {
    Choices::single(0)
}

pub(super) fn read(data: &[u8], meta: &mut ResponseMeta, pattern: &mut Pattern) -> Parsed<Progress> {
    // OpenAI's marker, from compatible servers. This format has its own, which follows or is mended.
    if is_done_marker(data) {
        return Ok(Some(Progress::default()));
    }
    let event: Option<Event<'_>> = pattern.read(data, Cursor::any)?;
    let read = event.and_then(|event| progress_of(event, meta));
    if read.is_some() {
        return Ok(read);
    }
    // Neither an event nor, perhaps, an error.
    let data: Value = serde_json::from_slice(data)?;
    Ok((!is_error(&data)).then(Progress::default))
}

/// `None`: it has no type, or that of an error.
fn progress_of(event: Event<'_>, meta: &mut ResponseMeta) -> Option<Progress> {
    let mut progress = Progress { choices: single_choice(), ..Progress::default() };
    match &*event.kind.get()? {
        "error" => return None,
        "message_start" => {
            if let Some(message) = event.message {
                meta.fill_missing(message.id, message.model);
                progress.usage = usage(message.usage);
            }
        }
        // A text or thinking block starts empty; a tool call starts with its name.
        "content_block_start" => progress.content = event.content_block.is_some_and(|block| block.0),
        "content_block_delta" => progress.content = event.delta.is_some_and(|delta| delta.content),
        "message_delta" => {
            if event.delta.is_some_and(|delta| delta.stop_reason) {
                progress.finished = single_choice();
            }
            progress.usage = usage(event.usage);
        }
        "message_stop" => progress.done = true,
        _ => {}
    }
    Some(progress)
}

fn usage(reported: Option<AnthropicUsage>) -> Usage {
    reported.map(Into::into).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::json::Pattern;
    use crate::progress::Progress;
    use crate::response_meta::ResponseMeta;
    use crate::usage::Usage;

    fn parse(data: &str) -> Progress {
        read(data.as_bytes(), &mut ResponseMeta::default(), &mut Pattern::default()).unwrap().unwrap()
    }

    #[test]
    fn events() {
        for (data, expected) in [
            (r#"{"type":"message_start","message":{"content":[],"stop_reason":null}}"#, ""),
            (r#"{"type":"ping"}"#, ""),
            (r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#, ""),
            (
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
                "",
            ),
            (
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
                "c",
            ),
            (
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"x"}}"#,
                "c",
            ),
            (r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#, "c"),
            (
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
                "c",
            ),
            (
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}"#,
                "c",
            ),
            (r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}"#, ""),
            (r#"{"type":"content_block_stop","index":0}"#, ""),
            (r#"{"type":"message_delta","delta":{"stop_reason":null}}"#, ""),
            (
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}"#,
                "f",
            ),
            (r#"{"type":"message_stop"}"#, "d"),
            (r#"{"type":"something_new","delta":7}"#, ""),
            ("{}", ""),
            ("null", ""),
            ("[DONE]", ""),
            (r#"{"choices":[]}"#, ""),
            (r#"{"type":"message_start"}"#, ""),
            (r#"{"type":"content_block_delta","delta":"x"}"#, ""),
            (r#"{"type":"content_block_delta","delta":{"text":"a","text":"b"}}"#, "c"),
            (r#"{"type":"message_delta","type":"message_delta","delta":{"stop_reason":"end_turn"}}"#, "f"),
            (r#"{"type":"message_delta"}"#, ""),
        ] {
            assert_eq!(parse(data).flags(), expected, "{data}");
        }
    }

    #[test]
    fn usage_of_events() {
        for (data, input, output) in [
            (
                r#"{"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}"#,
                Some(9),
                Some(1),
            ),
            (r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":30}}"#, None, Some(30)),
            (
                r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":"30","input_tokens":[]}}"#,
                None,
                Some(30),
            ),
        ] {
            assert_eq!(parse(data).usage, Usage { input, output });
        }
    }
}

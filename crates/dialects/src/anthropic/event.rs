//! Anthropic's events.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::usage::AnthropicUsage;
use crate::format::{Parsed, UnexpectedShape};
use crate::has_content::HasContent;
use crate::progress::{Choices, Progress};
use crate::response_meta::{LenientStr, ResponseMeta};
use crate::usage::Usage;

/// The fields of all types of event. The shape of `delta` depends on the type.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    content_block: Option<HasContent>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    usage: Option<AnthropicUsage>,
}

/// The message of `message_start`, still empty.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default, borrow)]
    id: LenientStr<'a>,
    #[serde(default, borrow)]
    model: LenientStr<'a>,
    usage: Option<AnthropicUsage>,
}

/// The delta of a `message_delta`.
#[derive(Deserialize)]
struct MessageDelta {
    stop_reason: Option<String>,
}

/// The only choice there is.
fn single_choice() -> Choices {
    Choices::single(0)
}

pub(super) fn read(data: &[u8], meta: &mut ResponseMeta) -> Parsed<Progress> {
    let event: Event<'_> = serde_json::from_slice(data)?;
    let mut progress = Progress { choices: single_choice(), ..Progress::default() };
    match &*event.kind {
        "error" => return Ok(None),
        "message_start" => {
            let message = event.message.ok_or(UnexpectedShape)?;
            meta.fill_missing(message.id, message.model);
            progress.usage = usage(message.usage);
        }
        // A text or thinking block starts empty; a tool call starts with its name.
        "content_block_start" => progress.content = event.content_block.ok_or(UnexpectedShape)?.0,
        "content_block_delta" => {
            let HasContent(has_content) = serde_json::from_str(event.delta.ok_or(UnexpectedShape)?.get())?;
            progress.content = has_content;
        }
        "message_delta" => {
            let delta: MessageDelta = serde_json::from_str(event.delta.ok_or(UnexpectedShape)?.get())?;
            if delta.stop_reason.is_some() {
                progress.finished = single_choice();
            }
            progress.usage = usage(event.usage);
        }
        "message_stop" => progress.done = true,
        _ => {}
    }
    Ok(Some(progress))
}

fn usage(reported: Option<AnthropicUsage>) -> Usage {
    reported.map(Into::into).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::progress::Progress;
    use crate::response_meta::ResponseMeta;
    use crate::usage::Usage;

    fn parse(data: &str) -> Progress {
        read(data.as_bytes(), &mut ResponseMeta::default()).unwrap().unwrap()
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
        ] {
            assert_eq!(parse(data).usage, Usage { input, output });
        }
    }
}

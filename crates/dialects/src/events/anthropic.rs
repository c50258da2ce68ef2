//! Anthropic's events.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::has_content::HasContent;
use super::{Choices, Parsed, Progress, UnexpectedShape};
use crate::response_meta::LenientStr;
use crate::usage::AnthropicUsage;
use crate::{ResponseMeta, Usage};

/// The fields of all types of event. What `delta` is depends on the type.
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

/// The message that `message_start` brings, still empty.
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

pub(super) fn parse(data: &[u8], meta: &mut ResponseMeta) -> Parsed {
    let event: Event<'_> = serde_json::from_slice(data)?;
    let mut progress = Progress { choices: single_choice(), ..Progress::default() };
    match &*event.kind {
        "error" => return Ok(None),
        "message_start" => {
            let message = event.message.ok_or(UnexpectedShape)?;
            meta.fill_missing(message.id, message.model);
            progress.usage = usage(message.usage);
        }
        // The start of a text or thinking block is empty; that of a tool's call has its name.
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

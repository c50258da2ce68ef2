//! Anthropic's events.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::said::Said;
use super::{Choices, Parsed, Progress, Unpromised};
use crate::origin::Name;
use crate::usage::AnthropicUsage;
use crate::{Origin, Usage};

/// The fields of all types of event. What `delta` is depends on the type.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    content_block: Option<Said>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    usage: Option<AnthropicUsage>,
}

/// The message that `message_start` brings, still empty.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default, borrow)]
    id: Name<'a>,
    #[serde(default, borrow)]
    model: Name<'a>,
    usage: Option<AnthropicUsage>,
}

/// The delta of a `message_delta`.
#[derive(Deserialize)]
struct MessageDelta {
    stop_reason: Option<String>,
}

/// The only choice there is.
fn only() -> Choices {
    Choices::of(0)
}

pub(super) fn read(data: &[u8], origin: &mut Origin) -> Parsed {
    let event: Event<'_> = serde_json::from_slice(data)?;
    let mut progress = Progress { choices: only(), ..Progress::default() };
    match &*event.kind {
        "error" => return Ok(None),
        "message_start" => {
            let message = event.message.ok_or(Unpromised)?;
            origin.learn(message.id, message.model);
            progress.usage = usage(message.usage);
        }
        // The start of a text or thinking block is empty; that of a tool's call has its name.
        "content_block_start" => progress.content = event.content_block.ok_or(Unpromised)?.0,
        "content_block_delta" => {
            let Said(said) = serde_json::from_str(event.delta.ok_or(Unpromised)?.get())?;
            progress.content = said;
        }
        "message_delta" => {
            let delta: MessageDelta = serde_json::from_str(event.delta.ok_or(Unpromised)?.get())?;
            if delta.stop_reason.is_some() {
                progress.finished = only();
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

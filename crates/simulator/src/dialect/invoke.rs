//! Amazon Bedrock's InvokeModel of a Claude: Anthropic's Messages, whose events are messages of AWS's event stream.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::json;

use super::anthropic;
use crate::event_list::EventList;
use crate::event_stream;
use crate::response_spec::ResponseSpec;

/// Without pings, which Bedrock does not send.
pub(super) fn events(spec: &ResponseSpec<'_>) -> EventList {
    let sse = anthropic::events(spec);
    let preamble = sse.preamble();
    let mut events = EventList::with_capacity(sse.len());
    for (index, event) in sse.into_events().into_iter().enumerate() {
        let text = String::from_utf8_lossy(&event);
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_default();
        if data == r#"{"type":"ping"}"# {
            continue;
        }
        let chunk = chunk(data);
        if index == preamble { events.push_content(chunk) } else { events.push(chunk) }
    }
    events
}

fn chunk(data: &str) -> Bytes {
    let payload = json!({"bytes": BASE64_STANDARD.encode(data), "p": "abcdef"});
    event_stream::event("chunk", &payload.to_string())
}

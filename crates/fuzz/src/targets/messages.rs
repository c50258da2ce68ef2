//! Messages of AWS' event stream (`application/vnd.amazon.eventstream`): the same events, however they arrive.

use dialects::Dialect;
use providers::fuzzing::message_stream;

use crate::{
    cuts::pieces,
    features::Features,
    recordings::{ResponseBody, recordings},
};

/// The formats whose streams come so.
const DIALECTS: [Dialect; 2] = [Dialect::Anthropic, Dialect::BedrockConverse];

/// As it came, and as the content of messages whose checksums are right: a random change breaks those, and nothing behind them
/// would ever be read.
pub(super) fn run(input: &[u8], features: &mut Features) {
    for dialect in DIALECTS {
        read(dialect, input, features);
        let Some((first, content)) = input.split_first() else { continue };
        let (headers, payload) = content.split_at(usize::from(*first).min(content.len()));
        read(dialect, &message(headers, payload), features);
        let name = if dialect == Dialect::Anthropic { "chunk" } else { "contentBlockDelta" };
        let event = [&header(":event-type", name)[..], &header(":message-type", "event")].concat();
        read(dialect, &[message(&event, content), message(headers, payload)].concat(), features);
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let recorded = recordings().into_iter().filter_map(|recording| match recording.response {
        ResponseBody::Messages(messages) => Some(messages),
        ResponseBody::Stream(_) | ResponseBody::Whole(_) => None,
    });
    let exception =
        [header(":exception-type", "throttlingException"), header(":message-type", "exception")].concat();
    let chunk = br#"{"bytes":"eyJ0eXBlIjoicGluZyJ9"}"#;
    let selected =
        [&[u8::try_from(exception.len()).unwrap_or_default()], &*exception, b"{\"message\":\"m\"}"];
    recorded
        .chain([message(&exception, b"{\"message\":\"m\"}"), selected.concat(), [b"\0", &chunk[..]].concat()])
        .collect()
}

fn read(dialect: Dialect, stream: &[u8], features: &mut Features) {
    let whole = message_stream(dialect, std::iter::once(stream));
    features.add_magnitude(dialect.label(), whole.0.len() as u64);
    features.add((dialect.label(), &whole.1));
    for longest in [1, 13] {
        assert_eq!(message_stream(dialect, pieces(stream, longest)), whole, "pieces of {longest}");
    }
}

/// A header that is a text.
fn header(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).unwrap_or_default();
    [&[length(name)], name.as_bytes(), &[7, 0, length(value)], value.as_bytes()].concat()
}

/// A message with the lengths and checksums that belong to it.
fn message(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or_default().to_be_bytes();
    let mut message = [length(16 + headers.len() + payload.len()), length(headers.len())].concat();
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message.extend([headers, payload].concat());
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message
}

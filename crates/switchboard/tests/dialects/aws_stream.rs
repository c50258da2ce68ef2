//! AWS's event stream: a message has its length, the length of its headers and a checksum, then the headers, the payload
//! and a checksum of all.

use serde_json::{Value, json};

pub(crate) const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// A header's value behind its name: its type, which is 7 for a text, and two bytes of length.
const VALUE_START: usize = 3;

pub(crate) fn message(name: &str, payload: &Value) -> Vec<u8> {
    let payload = payload.to_string();
    let mut headers = Vec::new();
    for (header, value) in [(":event-type", name), (":message-type", "event")] {
        headers.push(u8::try_from(header.len()).unwrap());
        headers.extend_from_slice(header.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let mut out = Vec::new();
    for length in [16 + headers.len() + payload.len(), headers.len()] {
        out.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
    }
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload.as_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}

/// The whole messages of a stream as lines of events: objects with the event's or exception's name as their one key.
pub(crate) fn read(mut bytes: &[u8]) -> String {
    let mut lines = String::new();
    while bytes.len() >= 16 {
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let (total, headers) = (number(0), number(4));
        let Some(message) = bytes.get(..total) else { break };
        let name_start = 12 + 1 + usize::from(message[12]) + VALUE_START;
        let length = usize::from(u16::from_be_bytes([message[name_start - 2], message[name_start - 1]]));
        let name = String::from_utf8(message[name_start..name_start + length].to_vec()).unwrap();
        let payload: Value = serde_json::from_slice(&message[12 + headers..total - 4]).unwrap();
        lines.push_str(&format!("data: {}\n\n", json!({ name: payload })));
        bytes = &bytes[total..];
    }
    lines
}

//! `application/vnd.amazon.eventstream`: messages with headers and a payload, each with two checksums.
//!
//! A message is its length, the length of its headers and the checksum of both; the headers; the payload; and the checksum
//! of all that. Numbers are 32 bits, big-endian. A header is its name's length (8 bits), its name, 7 (it is a string), its
//! value's length (16 bits) and its value. Source: botocore 1.44.8, `eventstream.py`.

use bytes::Bytes;

/// The content type of a stream.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// Prelude and checksums.
const OVERHEAD: usize = 16;

const STRING: u8 = 7;

/// An event with JSON.
pub(crate) fn event(name: &str, payload: &str) -> Bytes {
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    message(&headers, payload.as_bytes())
}

/// An exception with JSON.
pub(crate) fn exception(name: &str, payload: &str) -> Bytes {
    let headers =
        [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    message(&headers, payload.as_bytes())
}

/// The same message with a byte that its checksum does not fit.
pub(crate) fn damaged(message: &Bytes) -> Bytes {
    let mut bytes = message.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes.into()
}

fn message(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        encoded.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        encoded.extend_from_slice(name.as_bytes());
        encoded.push(STRING);
        encoded.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        encoded.extend_from_slice(value.as_bytes());
    }
    let mut out = Vec::with_capacity(OVERHEAD + encoded.len() + payload.len());
    out.extend_from_slice(&length(OVERHEAD + encoded.len() + payload.len()));
    out.extend_from_slice(&length(encoded.len()));
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&encoded);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.into()
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::{damaged, event};

    #[test]
    fn a_message_is_what_bedrock_sends() {
        let message = event("contentBlockStop", r#"{"contentBlockIndex":0}"#);
        let u32_at = |at: usize| u32::from_be_bytes(message[at..at + 4].try_into().unwrap());
        let (total, headers) = (u32_at(0) as usize, u32_at(4) as usize);
        assert_eq!((total, u32_at(8)), (message.len(), crc32fast::hash(&message[..8])));
        assert_eq!(&message[12 + headers..total - 4], br#"{"contentBlockIndex":0}"#);
        assert_eq!(u32_at(total - 4), crc32fast::hash(&message[..total - 4]));
        let name = b"\x0b:event-type\x07\x00\x10contentBlockStop";
        assert_eq!(&message[12..12 + name.len()], name);
        let damaged = damaged(&message);
        assert!(damaged.len() == message.len() && damaged != message);
    }
}

//! Messages of `application/vnd.amazon.eventstream`, AWS' binary format for streams.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html>: the length of all and of the headers and a
//! CRC-32 of those two; headers; payload; a CRC-32 of everything before.

use bytes::{Buf as _, Bytes, BytesMut};

/// Both lengths and their checksum.
const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;

/// AWS allows 24 MiB of payload; the largest event of a model's stream has some KiB.
pub(super) const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: MessageKind,
    pub(super) payload: Bytes,
}

/// What its headers say it is, by the name that goes with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MessageKind {
    Event(String),
    /// `:exception-type`.
    Exception(String),
    /// `:error-code` and `:error-message`; it has no payload.
    Error {
        code: String,
        message: String,
    },
    /// None of these: nothing that is of interest.
    Other,
}

/// Why the bytes are no message. What follows cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageError {
    /// Lengths that contradict each other, or headers that do not fit.
    Malformed,
    /// A checksum is wrong.
    Checksum,
    /// It is larger than [`MAX_MESSAGE_BYTES`].
    TooLarge,
}

/// Finds the messages in bytes that come in any pieces.
#[derive(Debug, Default)]
pub(super) struct MessageDecoder {
    buffer: BytesMut,
}

impl MessageDecoder {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_within_message(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next message; `None`: not all of it is there.
    pub(super) fn next_message(&mut self) -> Option<Result<Message, MessageError>> {
        let prelude = self.buffer.get(..PRELUDE_BYTES)?;
        let (length, header_length) = match lengths(prelude) {
            Ok(lengths) => lengths,
            Err(error) => return Some(Err(error)),
        };
        if self.buffer.len() < length {
            return None;
        }
        let mut message = self.buffer.split_to(length).freeze();
        let checksum = (&message[length - CHECKSUM_BYTES..]).get_u32();
        message.truncate(length - CHECKSUM_BYTES);
        if crc32fast::hash(&message) != checksum {
            return Some(Err(MessageError::Checksum));
        }
        let mut headers = message.split_off(PRELUDE_BYTES);
        let payload = headers.split_off(header_length);
        Some(kind(&headers).ok_or(MessageError::Malformed).map(|kind| Message { kind, payload }))
    }
}

/// The length of the message, and that of its headers.
fn lengths(mut prelude: &[u8]) -> Result<(usize, usize), MessageError> {
    let expected = crc32fast::hash(&prelude[..PRELUDE_BYTES - CHECKSUM_BYTES]);
    let mut number = || usize::try_from(prelude.get_u32()).unwrap_or(usize::MAX);
    let (length, header_length) = (number(), number());
    // Checked first: a length that is wrong would be waited for.
    if prelude.get_u32() != expected {
        return Err(MessageError::Checksum);
    }
    if length > MAX_MESSAGE_BYTES {
        return Err(MessageError::TooLarge);
    }
    if header_length > length.saturating_sub(PRELUDE_BYTES + CHECKSUM_BYTES)
        || length < PRELUDE_BYTES + CHECKSUM_BYTES
    {
        return Err(MessageError::Malformed);
    }
    Ok((length, header_length))
}

/// `None`: the headers cannot be read.
fn kind(mut headers: &[u8]) -> Option<MessageKind> {
    let mut message_type = "";
    let mut names = Names::default();
    while !headers.is_empty() {
        let length = usize::from(headers.try_get_u8().ok()?);
        let name = take(&mut headers, length)?;
        let Some(value) = value(&mut headers)? else { continue };
        match name {
            b":message-type" => message_type = value,
            b":event-type" => names.event = value,
            b":exception-type" => names.exception = value,
            b":error-code" => names.code = value,
            b":error-message" => names.message = value,
            _ => {}
        }
    }
    Some(match message_type {
        "event" => MessageKind::Event(names.event.to_owned()),
        "exception" => MessageKind::Exception(names.exception.to_owned()),
        "error" => MessageKind::Error { code: names.code.to_owned(), message: names.message.to_owned() },
        _ => MessageKind::Other,
    })
}

#[derive(Default)]
struct Names<'a> {
    event: &'a str,
    exception: &'a str,
    code: &'a str,
    message: &'a str,
}

/// A header's value, if it is a text; the outer `None`: it cannot be read.
fn value<'a>(headers: &mut &'a [u8]) -> Option<Option<&'a str>> {
    let length = match headers.try_get_u8().ok()? {
        // True and false.
        0 | 1 => 0,
        // Integers of 1, 2, 4 and 8 bytes.
        2 => 1,
        3 => 2,
        4 => 4,
        // A timestamp has 8 bytes, too.
        5 | 8 => 8,
        6 => usize::from(headers.try_get_u16().ok()?),
        7 => {
            let length = usize::from(headers.try_get_u16().ok()?);
            return Some(std::str::from_utf8(take(headers, length)?).ok());
        }
        // A UUID.
        9 => 16,
        _ => return None,
    };
    take(headers, length)?;
    Some(None)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::{BufMut as _, Bytes};

    use super::*;

    /// A message with headers that are texts.
    pub(in crate::bedrock) fn encode(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut encoded_headers = Vec::new();
        for (name, value) in headers {
            encoded_headers.put_u8(name.len().try_into().unwrap());
            encoded_headers.put_slice(name.as_bytes());
            encoded_headers.put_u8(7);
            encoded_headers.put_u16(value.len().try_into().unwrap());
            encoded_headers.put_slice(value.as_bytes());
        }
        encode_raw(&encoded_headers, payload)
    }

    fn encode_raw(headers: &[u8], payload: &[u8]) -> Vec<u8> {
        let length = PRELUDE_BYTES + headers.len() + payload.len() + CHECKSUM_BYTES;
        let mut message = Vec::new();
        message.put_u32(length.try_into().unwrap());
        message.put_u32(headers.len().try_into().unwrap());
        message.put_u32(crc32fast::hash(&message));
        message.put_slice(headers);
        message.put_slice(payload);
        message.put_u32(crc32fast::hash(&message));
        message
    }

    pub(in crate::bedrock) fn event(name: &str, payload: &[u8]) -> Vec<u8> {
        let headers =
            [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
        encode(&headers, payload)
    }

    fn decode(bytes: &[u8], piece: usize) -> Vec<Result<Message, MessageError>> {
        let mut decoder = MessageDecoder::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(piece) {
            decoder.push(piece);
            while let Some(message) = decoder.next_message() {
                let is_error = message.is_err();
                found.push(message);
                if is_error {
                    return found;
                }
            }
        }
        found
    }

    #[test]
    fn messages_in_any_pieces() {
        let stream = [
            event("chunk", b"one"),
            encode(&[(":message-type", "exception"), (":exception-type", "e")], b"two"),
            encode(&[(":message-type", "error"), (":error-code", "c"), (":error-message", "m")], b""),
            encode(&[], b""),
        ]
        .concat();
        let kinds = [
            MessageKind::Event("chunk".to_owned()),
            MessageKind::Exception("e".to_owned()),
            MessageKind::Error { code: "c".to_owned(), message: "m".to_owned() },
            MessageKind::Other,
        ];
        let payloads = ["one", "two", "", ""];
        let expected: Vec<_> = kinds.into_iter().zip(payloads).collect();
        for piece in [1, 2, 7, 13, stream.len()] {
            let found = decode(&stream, piece).into_iter().map(Result::unwrap);
            let found: Vec<_> = found.map(|message| (message.kind, message.payload)).collect();
            assert!(found.iter().zip(&expected).all(|(a, b)| a.0 == b.0 && a.1 == b.1), "{found:?}");
            assert_eq!(found.len(), expected.len());
        }
    }

    #[test]
    fn headers_of_other_types_are_skipped() {
        let mut headers = Vec::new();
        let others: [&[u8]; 10] = [
            &[0],
            &[1],
            &[2, 1],
            &[3, 1, 2],
            &[4, 1, 2, 3, 4],
            &[5, 1, 2, 3, 4, 5, 6, 7, 8],
            &[6, 0, 2, 1, 2],
            &[8, 1, 2, 3, 4, 5, 6, 7, 8],
            &[9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
            &[7, 0, 1, 0xff],
        ];
        for other in others {
            headers.extend_from_slice(b"\x01a");
            headers.extend_from_slice(other);
        }
        headers.extend_from_slice(b"\x0d:message-type\x07\x00\x05event");
        let found = decode(&encode_raw(&headers, b"p"), 1000);
        let expected = Message { kind: MessageKind::Event(String::new()), payload: Bytes::from_static(b"p") };
        assert_eq!(found, [Ok(expected)]);
    }

    #[test]
    fn what_is_no_message() {
        let good = event("chunk", b"{}");
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] ^= 0x40;
            let found = decode(&bad, bad.len());
            assert_eq!(found, [Err(MessageError::Checksum)], "byte {position}");
            assert_eq!(decode(&good[..position], good.len()), [], "cut at {position}");
        }
        for headers in [&b"\x01"[..], b"\x01a", b"\x01a\x0a", b"\x01a\x07\x00", b"\x01a\x07\x00\x02x"] {
            assert_eq!(decode(&encode_raw(headers, b""), 99), [Err(MessageError::Malformed)], "{headers:?}");
        }
        let prelude = |length: u32, headers: u32| {
            let mut bytes = [length.to_be_bytes(), headers.to_be_bytes()].concat();
            bytes.put_u32(crc32fast::hash(&bytes));
            decode(&bytes, 99)
        };
        assert_eq!(prelude(15, 0), [Err(MessageError::Malformed)]);
        assert_eq!(prelude(16, 1), [Err(MessageError::Malformed)]);
        assert_eq!(prelude(u32::MAX, 0), [Err(MessageError::TooLarge)]);
    }
}

//! Members put into an object and taken out of it.

use std::ops::Range;

use bytes::{BufMut as _, Bytes, BytesMut};

/// The object with `added` at its beginning, and without these members. All other bytes are unchanged, and they are copied once.
pub(crate) fn edit(body: &[u8], removed: &[Range<usize>], added: &[u8]) -> Bytes {
    let Some(brace) = body.iter().position(|byte| *byte == b'{') else { return Bytes::copy_from_slice(body) };
    let mut edited = BytesMut::with_capacity(body.len() + added.len() + 1);
    edited.put_slice(&body[..=brace]);
    edited.put_slice(added);
    let mut needs_comma = !added.is_empty();
    let mut position = brace + 1;
    let mut copy = |from: usize, to: usize| {
        // Commas stand between members: those around a removed one are taken out, and one is put in where more follows.
        let part = trim(&body[from..to]);
        if !part.is_empty() && part != b"}" {
            if needs_comma {
                edited.put_u8(b',');
            }
            needs_comma = true;
        }
        edited.put_slice(part);
    };
    for range in removed {
        copy(position, range.start);
        position = range.end;
    }
    copy(position, body.len());
    edited.freeze()
}

/// Without blanks and commas around it.
fn trim(part: &[u8]) -> &[u8] {
    let is_content = |byte: &u8| !byte.is_ascii_whitespace() && *byte != b',';
    let start = part.iter().position(is_content).unwrap_or(part.len());
    let end = part.iter().rposition(is_content).map_or(start, |last| last + 1);
    &part[start..end]
}

/// The body with `added` at each of these positions, which are in order.
pub(crate) fn insert_at(body: &[u8], positions: &[usize], added: &[u8]) -> Bytes {
    let mut edited = BytesMut::with_capacity(body.len() + positions.len() * added.len());
    let mut copied = 0;
    for &position in positions {
        edited.put_slice(&body[copied..position]);
        edited.put_slice(added);
        copied = position;
    }
    edited.put_slice(&body[copied..]);
    edited.freeze()
}

//! What is wrong with a body that could not be read. It is looked at once more, as only this has to name a place.

use std::fmt;

use memchr::memchr2;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use crate::json::MAX_DEPTH;

/// Why a body is not read.
pub(super) enum Malformed {
    TooDeep,
    /// Both as `serde_json` counts.
    NotJson {
        line: usize,
        column: usize,
    },
    NotAnObject,
}

/// Of a body that [`scan`](super::scan::scan) refuses.
pub(super) fn explain(body: &[u8]) -> Malformed {
    if is_too_deep(body) {
        return Malformed::TooDeep;
    }
    // What the scan looks into may have a lone surrogate, which is no fault elsewhere.
    let error = serde_json::from_slice::<AnyObject>(body).err();
    match error.or_else(|| serde_json::from_slice::<Value>(body).err()) {
        Some(error) if error.classify() != Category::Data => {
            Malformed::NotJson { line: error.line(), column: error.column() }
        }
        _ => Malformed::NotAnObject,
    }
}

/// An object with any fields.
struct AnyObject;

impl<'de> Deserialize<'de> for AnyObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = AnyObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyObject, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(AnyObject)
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// Whether a body has more levels than [`MAX_DEPTH`]. Of a body that is not JSON it may say either.
fn is_too_deep(body: &[u8]) -> bool {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = body.get(at) {
        at += 1;
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            // Most of a body is text, so strings are passed over by many bytes at a time.
            b'"' => at = string_end(body, at),
            _ => {}
        }
    }
    false
}

/// The index behind the closing quote of the string that begins here.
fn string_end(body: &[u8], mut at: usize) -> usize {
    while let Some(found) = body.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        if body[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    body.len()
}

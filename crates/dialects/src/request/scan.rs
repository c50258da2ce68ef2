//! The pass over a body. It fails on syntax only; the values are checked afterwards.

use super::stored::ScannedStored;
use crate::dialect::Dialect;
use crate::json::{self, Cursor};
use crate::lenient::FromAny;

/// The fields of the body's top level that matter. Values as they are written, and read where they are needed.
#[derive(Default)]
pub(super) struct ScannedFields<'a> {
    pub(super) model: Option<Model<'a>>,
    pub(super) stream: Option<&'a [u8]>,
    pub(super) has_stream_options: bool,
    /// `None`: it has no such field.
    pub(super) stored: Option<ScannedStored<'a>>,
    pub(super) duplicate: Option<&'static str>,
    /// The whole body is ASCII.
    pub(super) is_ascii: bool,
}

/// The model as it is written, and its name if that needs no decoding.
#[derive(Clone, Copy)]
pub(super) struct Model<'a> {
    pub(super) raw: &'a [u8],
    pub(super) plain: Option<&'a [u8]>,
}

/// Fails also on what is nested too deeply.
pub(super) fn scan<'a>(dialect: Dialect, body: &'a [u8], fields: &mut ScannedFields<'a>) -> json::Result<()> {
    let mut cursor = Cursor::with_bounded_depth(body);
    cursor.object(|name, value| read_field(dialect, fields, name, value))?;
    cursor.end()?;
    fields.is_ascii = cursor.is_ascii();
    Ok(())
}

/// Which fields matter depends on the format.
fn read_field<'a>(
    dialect: Dialect,
    fields: &mut ScannedFields<'a>,
    name: &[u8],
    value: &mut Cursor<'a>,
) -> json::Result<()> {
    // A `match` would compare byte by byte.
    let is_new = if name == b"model" {
        let (raw, plain) = value.skip_raw_and_short()?;
        fill(&mut fields.model, "model", Model { raw, plain })
    } else if name == b"stream" {
        fill(&mut fields.stream, "stream", value.skip_raw()?)
    } else if name == b"stream_options" && dialect == Dialect::OpenAiChat {
        fields.has_stream_options = true;
        return value.skip();
    } else if matches!(dialect, Dialect::OpenAiResponses | Dialect::Gemini) {
        read_stored(dialect, name, fields.stored.get_or_insert_default(), value)?
    } else {
        return value.skip();
    };
    if let Err(name) = is_new {
        fields.duplicate = Some(name);
    }
    Ok(())
}

/// `Err`: the name of a field that occurs twice.
type IsNew = Result<(), &'static str>;

fn fill<T>(slot: &mut Option<T>, name: &'static str, value: T) -> IsNew {
    slot.replace(value).map_or(Ok(()), |_| Err(name))
}

fn fill_any<'a, T: FromAny<'a>>(
    slot: &mut Option<T>,
    name: &'static str,
    value: &mut Cursor<'a>,
) -> json::Result<IsNew> {
    Ok(fill(slot, name, value.any()?))
}

/// What refers to something stored, in the formats that have such fields.
fn read_stored<'a>(
    dialect: Dialect,
    name: &[u8],
    stored: &mut ScannedStored<'a>,
    value: &mut Cursor<'a>,
) -> json::Result<IsNew> {
    match (dialect, name) {
        (Dialect::OpenAiResponses, b"previous_response_id") => {
            fill_any(&mut stored.previous_response, "previous_response_id", value)
        }
        (Dialect::OpenAiResponses, b"conversation") => {
            fill_any(&mut stored.conversation, "conversation", value)
        }
        (Dialect::OpenAiResponses, b"prompt") => fill_any(&mut stored.prompt, "prompt", value),
        (Dialect::OpenAiResponses, b"background") => fill_any(&mut stored.background, "background", value),
        (Dialect::OpenAiResponses, b"input") => fill_any(&mut stored.input, "input", value),
        (Dialect::Gemini, b"cachedContent" | b"cached_content") => {
            fill_any(&mut stored.cached_content, "cachedContent", value)
        }
        _ => value.skip().map(|()| Ok(())),
    }
}

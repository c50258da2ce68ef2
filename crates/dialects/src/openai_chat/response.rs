//! OpenAI's `chat.completion`.

use super::usage::OpenAiUsage;
use crate::format::{Parsed, UnexpectedShape};
use crate::json::{self, Cursor};
use crate::lenient::{FromAny, IsError, fields};
use crate::response_meta::{Name, ResponseMeta};
use crate::usage::Usage;

#[derive(Default)]
struct Completion<'a> {
    id: Name<'a>,
    model: Name<'a>,
    error: IsError,
    choices: HasObjects,
    usage: Option<OpenAiUsage>,
}

fields!(
    Completion<'a>:
    b"id" => id,
    b"model" => model,
    b"error" => error,
    b"choices" => choices,
    b"usage" => usage,
);

/// Whether a list has an object.
#[derive(Default)]
struct HasObjects(bool);

impl<'a> FromAny<'a> for HasObjects {
    fn from_array(array: &mut Cursor<'a>) -> json::Result<Self> {
        let mut found = false;
        array.array(|item| {
            found |= item.peek() == b'{';
            item.skip()
        })?;
        Ok(Self(found))
    }
}

pub(super) fn read(body: &[u8], meta: Option<&mut ResponseMeta>) -> Parsed<Usage> {
    let completion: Option<Completion<'_>> = json::read(body, Cursor::any)?;
    completion.map_or(Err(UnexpectedShape), |completion| check(completion, meta))
}

fn check(completion: Completion<'_>, meta: Option<&mut ResponseMeta>) -> Parsed<Usage> {
    if completion.error.0 {
        return Ok(None);
    }
    if !completion.choices.0 {
        return Err(UnexpectedShape);
    }
    ResponseMeta::fill_wanted(meta, completion.id, completion.model);
    Ok(Some(completion.usage.map(Into::into).unwrap_or_default()))
}

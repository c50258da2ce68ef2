//! OpenAI's `response`.

use super::usage::ResponsesUsage;
use crate::format::{Parsed, UnexpectedShape};
use crate::json::{self, Cursor};
use crate::lenient::{IsError, Items, fields};
use crate::response_meta::{Name, ResponseMeta};
use crate::usage::Usage;

/// A `response`, whole or as the events of a stream have it.
#[derive(Default)]
pub(super) struct ResponseObject<'a> {
    pub(super) id: Name<'a>,
    pub(super) model: Name<'a>,
    /// Null in a good one.
    error: IsError,
    pub(super) output: Items,
    pub(super) usage: Option<ResponsesUsage>,
}

fields!(
    ResponseObject<'a>:
    b"id" => id,
    b"model" => model,
    b"error" => error,
    b"output" => output,
    b"usage" => usage,
);

pub(super) fn read(body: &[u8], meta: Option<&mut ResponseMeta>) -> Parsed<Usage> {
    let response: Option<ResponseObject<'_>> = json::read(body, Cursor::any)?;
    response.map_or(Err(UnexpectedShape), |response| check(response, meta))
}

fn check(response: ResponseObject<'_>, meta: Option<&mut ResponseMeta>) -> Parsed<Usage> {
    // A failed response is an answer of status 200, too.
    if response.error.0 {
        return Ok(None);
    }
    // Empty output is valid: all tokens may have gone into reasoning, or it is made in the background.
    if response.output.0.is_none() {
        return Err(UnexpectedShape);
    }
    ResponseMeta::fill_wanted(meta, response.id, response.model);
    Ok(Some(response.usage.map(Into::into).unwrap_or_default()))
}

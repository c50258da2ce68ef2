//! OpenAI's `response`.

use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess};

use super::usage::ResponsesUsage;
use crate::format::{Parsed, UnexpectedShape};
use crate::lenient::{FromAny, IsError, Lenient, Object, read_json};
use crate::response_meta::{LenientStr, ResponseMeta};
use crate::usage::Usage;

/// A `response`, whole or as the events of a stream have it.
#[derive(Deserialize)]
pub(super) struct ResponseObject<'a> {
    #[serde(default, borrow)]
    pub(super) id: LenientStr<'a>,
    #[serde(default, borrow)]
    pub(super) model: LenientStr<'a>,
    /// Null in a good one.
    #[serde(default)]
    error: Lenient<IsError>,
    #[serde(default)]
    pub(super) output: Lenient<Output>,
    #[serde(default)]
    pub(super) usage: Object<ResponsesUsage>,
}

/// How many items there are; `None`: no list.
#[derive(Default)]
pub(super) struct Output(pub(super) Option<usize>);

impl<'de> FromAny<'de> for Output {
    fn from_seq<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut count = 0;
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Self(Some(count)))
    }
}

pub(super) fn read(body: &[u8]) -> Parsed<(Usage, ResponseMeta)> {
    read_json(body, |body| {
        let response = serde_json::from_slice::<Object<ResponseObject<'_>>>(body)?;
        Ok(response.get().map_or(Err(UnexpectedShape), check))
    })?
}

fn check(response: ResponseObject<'_>) -> Parsed<(Usage, ResponseMeta)> {
    // A failed response is an answer of status 200, too.
    if response.error.0.0 {
        return Ok(None);
    }
    // Empty output is valid: all tokens may have gone into reasoning, or it is made in the background.
    if response.output.0.0.is_none() {
        return Err(UnexpectedShape);
    }
    let mut meta = ResponseMeta::default();
    meta.fill_missing(response.id, response.model);
    Ok(Some((response.usage.get().map(Into::into).unwrap_or_default(), meta)))
}

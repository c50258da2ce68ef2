//! The id and the model of a response.

use std::borrow::Cow;

use crate::json::Text;
use crate::lenient::FromAny;

/// The longest name that is kept, in bytes. A longer one is ignored.
const MAX_BYTES: usize = 256;

/// The id and the model of a response, in the provider's words; `None`: not reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseMeta {
    /// For instance `chatcmpl-…`, `msg_…`.
    pub id: Option<Box<str>>,
    /// Often more exact than the requested name: `gpt-5-2025-08-07`.
    pub model: Option<Box<str>>,
}

impl ResponseMeta {
    /// Fills in what is not known yet, if anybody wants it.
    #[inline]
    pub(crate) fn fill_wanted(wanted: Option<&mut Self>, id: Name<'_>, model: Name<'_>) {
        if let Some(meta) = wanted {
            meta.fill_missing(id, model);
        }
    }

    /// Fills in what is not known yet.
    #[inline]
    pub(crate) fn fill_missing(&mut self, id: Name<'_>, model: Name<'_>) {
        for (field, name) in [(&mut self.id, id), (&mut self.model, model)] {
            if field.is_none() {
                *field = name.get().map(Into::into);
            }
        }
    }
}

/// A name. Any other value (a number, an empty string) is ignored: it must not fail a good response.
#[derive(Clone, Copy, Default)]
pub(crate) struct Name<'a>(Text<'a>);

impl<'a> Name<'a> {
    /// Copied only where it is written with escapes.
    pub(crate) fn get(self) -> Option<Cow<'a, str>> {
        Some(self.0.decode()).filter(|name| (1..=MAX_BYTES).contains(&name.len()))
    }
}

impl<'a> FromAny<'a> for Name<'a> {
    #[inline]
    fn from_text(text: Text<'a>) -> Self {
        Self(text)
    }
}

//! The id and the model of a response.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

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
    /// Fills in what is not known yet.
    pub(crate) fn fill_missing(&mut self, id: LenientStr<'_>, model: LenientStr<'_>) {
        for (field, LenientStr(value)) in [(&mut self.id, id), (&mut self.model, model)] {
            if field.is_none() {
                *field = value.map(Into::into);
            }
        }
    }
}

/// A name, copied only where it is written with escapes. Any other value (a number, an empty string) is ignored: it must
/// not fail a good response.
#[derive(Default)]
pub(crate) struct LenientStr<'a>(Option<Cow<'a, str>>);

impl LenientStr<'_> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for LenientStr<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientStrVisitor)
    }
}

struct LenientStrVisitor;

impl<'de> Visitor<'de> for LenientStrVisitor {
    type Value = LenientStr<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(LenientStr((1..=MAX_BYTES).contains(&name.len()).then_some(Cow::Borrowed(name))))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(LenientStr((1..=MAX_BYTES).contains(&name.len()).then(|| Cow::Owned(name.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(LenientStr(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(LenientStr(None))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(LenientStr(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(LenientStr(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(LenientStr(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(LenientStr(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(LenientStr(None))
    }
}

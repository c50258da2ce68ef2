//! Fields of a Gemini object, whose names come in camel case or snake case.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::json::{Object, as_str, as_u64, items};

/// An object whose fields are asked for in camel case.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields<'a>(Object<'a>);

impl<'a> Fields<'a> {
    pub(super) fn of(raw: &'a RawValue) -> Option<Self> {
        Object::of(raw).map(Self)
    }

    pub(super) fn parse(json: &'a [u8]) -> Option<Self> {
        Object::parse(json).map(Self)
    }

    pub(super) const fn new(object: Object<'a>) -> Self {
        Self(object)
    }

    /// A field as it stands; `None`: absent or null.
    pub(super) fn raw(&self, key: &str) -> Option<&'a RawValue> {
        self.0.raw(key).or_else(|| self.0.raw(&snake_case(key)))
    }

    pub(super) fn str(&self, key: &str) -> Option<Cow<'a, str>> {
        as_str(self.raw(key)?)
    }

    pub(super) fn string(&self, key: &str) -> Option<String> {
        self.str(key).map(Cow::into_owned)
    }

    /// A text that says something.
    pub(super) fn filled(&self, key: &str) -> Option<String> {
        self.string(key).filter(|text| !text.is_empty())
    }

    /// A count. Protobuf's JSON writes 64-bit numbers as text.
    pub(super) fn u64(&self, key: &str) -> Option<u64> {
        let raw = self.raw(key)?;
        as_u64(raw).or_else(|| as_str(raw)?.parse().ok())
    }

    /// The error in a chunk, if it says anything.
    pub(super) fn error(&self) -> Option<Self> {
        self.0.error().and_then(Self::of)
    }

    pub(super) fn i64(&self, key: &str) -> Option<i64> {
        let raw = self.raw(key)?;
        let text = as_str(raw).unwrap_or(Cow::Borrowed(raw.get()));
        text.parse().ok().or_else(|| as_u64(raw)?.try_into().ok())
    }

    pub(super) fn f64(&self, key: &str) -> Option<f64> {
        self.raw(key)?.get().parse().ok()
    }

    pub(super) fn bool(&self, key: &str) -> Option<bool> {
        self.raw(key)?.get().parse().ok()
    }

    pub(super) fn object(&self, key: &str) -> Option<Self> {
        Self::of(self.raw(key)?)
    }

    /// The objects of an array; one alone counts as an array of one.
    pub(super) fn objects(&self, key: &str) -> Vec<Self> {
        self.raw(key).map(list).unwrap_or_default().into_iter().filter_map(Self::of).collect()
    }

    /// The texts of an array.
    pub(super) fn strings(&self, key: &str) -> Vec<String> {
        let list = self.raw(key).map(list).unwrap_or_default();
        list.into_iter().filter_map(as_str).map(Cow::into_owned).collect()
    }

    /// The fields that say something, by their names as they were sent.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().filter(|(_, value)| value.get() != "null")
    }
}

/// The items of an array; anything else is one item.
pub(super) fn list(raw: &RawValue) -> Vec<&RawValue> {
    items(raw).unwrap_or_else(|| vec![raw])
}

/// `inlineData` → `inline_data`.
pub(super) fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// `inline_data` → `inlineData`.
pub(super) fn camel_case(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = !out.is_empty(),
            c if upper => {
                out.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::{Fields, camel_case};

    #[test]
    fn both_spellings_are_read() {
        let fields =
            Fields::parse(br#"{"top_k":"4","topP":0.5,"stop_sequences":"x","seed":-3,"n":null}"#).unwrap();
        assert_eq!(
            (fields.u64("topK"), fields.f64("topP"), fields.i64("seed")),
            (Some(4), Some(0.5), Some(-3))
        );
        assert_eq!((fields.strings("stopSequences"), fields.iter().count()), (vec!["x".to_owned()], 4));
        assert_eq!((camel_case("inline_data"), camel_case("text")), ("inlineData".into(), "text".into()));
    }
}

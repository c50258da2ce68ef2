//! Reading what a provider sends without insisting on its types.
//!
//! Only what makes an answer useless is a fault (C6): a count that is a text, a list that is null, a field that occurs
//! twice must not cut a good stream. So a value of an unexpected type reads as absent, and syntax is all that fails.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use crate::format::UnexpectedShape;

/// Reads JSON by `read`, once more without doubled fields if that fails on one: the last of them counts.
pub(crate) fn read_json<R>(
    data: &[u8],
    mut read: impl FnMut(&[u8]) -> serde_json::Result<R>,
) -> Result<R, UnexpectedShape> {
    read(data).or_else(|error| match error.classify() {
        Category::Data => {
            let last_ones: Value = serde_json::from_slice(data)?;
            Ok(read(last_ones.to_string().as_bytes())?)
        }
        Category::Syntax | Category::Eof | Category::Io => Err(UnexpectedShape),
    })
}

/// What can be made of a value of any type. What is not overridden is absent.
pub(crate) trait FromAny<'de>: Default {
    fn from_str(_: &str) -> Self {
        Self::default()
    }

    /// A text without escapes, which need not be copied.
    fn from_borrowed_str(text: &'de str) -> Self {
        Self::from_str(text)
    }

    fn from_u64(_: u64) -> Self {
        Self::default()
    }

    fn from_bool(_: bool) -> Self {
        Self::default()
    }

    /// A negative number, or one with a fraction.
    fn from_other_number() -> Self {
        Self::default()
    }

    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn from_seq<A: SeqAccess<'de>>(mut values: A) -> Result<Self, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

/// A value by [`FromAny`].
#[derive(Default)]
pub(crate) struct Lenient<T>(pub(crate) T);

impl<'de, T: FromAny<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor(PhantomData)).map(Self)
    }
}

struct AnyVisitor<T>(PhantomData<T>);

impl<'de, T: FromAny<'de>> Visitor<'de> for AnyVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, value: &str) -> Result<T, E> {
        Ok(T::from_str(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<T, E> {
        Ok(T::from_borrowed_str(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<T, E> {
        Ok(T::from_u64(value))
    }

    fn visit_bool<E>(self, value: bool) -> Result<T, E> {
        Ok(T::from_bool(value))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::from_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<T, A::Error> {
        T::from_seq(values)
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::from_other_number())
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::from_other_number())
    }
}

/// An object; `None`: anything else.
pub(crate) type Object<T> = Lenient<ObjectOf<T>>;

pub(crate) struct ObjectOf<T>(pub(crate) Option<T>);

impl<T> Default for ObjectOf<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> FromAny<'de> for ObjectOf<T> {
    fn from_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|object| Self(Some(object)))
    }
}

impl<T> Object<T> {
    pub(crate) fn get(self) -> Option<T> {
        self.0.0
    }
}

/// A text that is not empty; `None`: anything else. Copied only where it is written with escapes.
#[derive(Default)]
pub(crate) struct Text<'a>(pub(crate) Option<Cow<'a, str>>);

impl<'de: 'a, 'a> FromAny<'de> for Text<'a> {
    fn from_str(text: &str) -> Self {
        Self((!text.is_empty()).then(|| Cow::Owned(text.to_owned())))
    }

    fn from_borrowed_str(text: &'de str) -> Self {
        Self((!text.is_empty()).then_some(Cow::Borrowed(text)))
    }
}

/// A count of tokens, which may be written as a text; `None`: anything else.
#[derive(Clone, Copy, Default)]
pub(crate) struct Count(pub(crate) Option<u64>);

impl FromAny<'_> for Count {
    fn from_str(text: &str) -> Self {
        Self(text.parse().ok())
    }

    fn from_u64(count: u64) -> Self {
        Self(Some(count))
    }
}

/// Whether there is something: a string, list or object that is not empty.
#[derive(Clone, Copy, Default)]
pub(crate) struct Filled(pub(crate) bool);

impl<'de> FromAny<'de> for Filled {
    fn from_str(text: &str) -> Self {
        Self(!text.is_empty())
    }

    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut filled = false;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Self(filled))
    }

    fn from_seq<A: SeqAccess<'de>>(mut values: A) -> Result<Self, A::Error> {
        let mut filled = false;
        while values.next_element::<IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Self(filled))
    }
}

/// Whether a finish reason is one, of whatever type. Until there is one, some servers send an empty string, "null", or the
/// enumeration's value 0.
#[derive(Clone, Copy, Default)]
pub(crate) struct IsFinish(pub(crate) bool);

impl<'de> FromAny<'de> for IsFinish {
    fn from_str(reason: &str) -> Self {
        Self(!matches!(reason, "" | "null" | "FINISH_REASON_UNSPECIFIED"))
    }

    fn from_u64(number: u64) -> Self {
        Self(number != 0)
    }

    fn from_bool(is_finished: bool) -> Self {
        Self(is_finished)
    }

    fn from_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        IsError::from_map(map).map(|said| Self(said.0))
    }
}

/// Whether an `error` field is one. Beside good answers stand `null`, `false`, `{}`, and objects whose fields are all empty.
#[derive(Clone, Copy, Default)]
pub(crate) struct IsError(pub(crate) bool);

impl<'de> FromAny<'de> for IsError {
    fn from_str(text: &str) -> Self {
        Self(!text.is_empty())
    }

    fn from_u64(number: u64) -> Self {
        Self(number != 0)
    }

    fn from_bool(is_error: bool) -> Self {
        Self(is_error)
    }

    fn from_other_number() -> Self {
        Self(true)
    }

    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut is_error = false;
        while let Some((_, Lenient(Self(said)))) = map.next_entry::<IgnoredAny, Lenient<Self>>()? {
            is_error |= said;
        }
        Ok(Self(is_error))
    }

    fn from_seq<A: SeqAccess<'de>>(mut values: A) -> Result<Self, A::Error> {
        let mut is_error = false;
        while let Some(Lenient(Self(said))) = values.next_element()? {
            is_error |= said;
        }
        Ok(Self(is_error))
    }
}

/// A list, of which only the objects count; `None`: no list.
pub(crate) struct Objects<T>(pub(crate) Option<Vec<T>>);

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> FromAny<'de> for Objects<T> {
    fn from_seq<A: SeqAccess<'de>>(mut values: A) -> Result<Self, A::Error> {
        let mut objects = Vec::new();
        while let Some(value) = values.next_element::<Object<T>>()? {
            objects.extend(value.get());
        }
        Ok(Self(Some(objects)))
    }
}

/// The sum of those that are there; `None`: none is.
pub(crate) fn sum(counts: [Lenient<Count>; 2]) -> Option<u64> {
    counts.into_iter().filter_map(|count| count.0.0).reduce(u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{Count, Filled, IsError, Lenient, Object, read_json};
    use crate::format::UnexpectedShape;

    #[derive(Deserialize)]
    struct Outer {
        #[serde(default)]
        count: Lenient<Count>,
        #[serde(default)]
        filled: Lenient<Filled>,
    }

    fn read(json: &str) -> Result<Option<(Option<u64>, bool)>, UnexpectedShape> {
        let outer = read_json(json.as_bytes(), |data| serde_json::from_slice::<Object<Outer>>(data))?;
        Ok(outer.get().map(|outer| (outer.count.0.0, outer.filled.0.0)))
    }

    #[test]
    fn odd_types_are_absent() {
        for (json, expected) in [
            (r#"{"count":3,"filled":"x"}"#, Some((Some(3), true))),
            (r#"{"count":"3","filled":""}"#, Some((Some(3), false))),
            (r#"{"count":"many","filled":""}"#, Some((None, false))),
            (r#"{"count":-3,"filled":[]}"#, Some((None, false))),
            (r#"{"count":2.5,"filled":[0]}"#, Some((None, true))),
            (r#"{"count":null,"filled":{}}"#, Some((None, false))),
            (r#"{"count":[1],"filled":{"a":1}}"#, Some((None, true))),
            (r#"{"count":{"a":{}},"filled":true}"#, Some((None, false))),
            (r#"{"count":1,"count":2}"#, Some((Some(2), false))),
            ("null", None),
            ("[1]", None),
            ("7", None),
        ] {
            assert_eq!(read(json), Ok(expected), "{json}");
        }
        for json in ["", "{", r#"{"count":1} x"#, r#"{"count":1,"count":2"#] {
            assert_eq!(read(json), Err(UnexpectedShape), "{json}");
        }
    }

    #[test]
    fn an_error_that_says_nothing_is_none() {
        for (json, expected) in [
            ("null", false),
            ("false", false),
            ("{}", false),
            ("[]", false),
            ("0", false),
            (r#""""#, false),
            (r#"{"message":"","type":"","param":null,"code":null}"#, false),
            (r#"{"code":0,"details":[{}]}"#, false),
            ("true", true),
            (r#""down""#, true),
            (r#"{"code":502}"#, true),
            (r#"{"code":-1}"#, true),
            (r#"[{"message":"x"}]"#, true),
        ] {
            assert_eq!(serde_json::from_str::<Lenient<IsError>>(json).unwrap().0.0, expected, "{json}");
        }
    }
}

//! Reading what a provider sends without insisting on its types.
//!
//! Only what makes an answer useless is a fault (C6): a count that is a text, a list that is null, a field that occurs
//! twice must not cut a good stream. So a value of an unexpected type reads as absent, and syntax is all that fails.

use std::borrow::Cow;

use crate::json::{Cursor, Number, Result, Text};

/// What can be made of a value of any type. What is not overridden is absent.
pub(crate) trait FromAny<'a>: Default {
    /// A text counts as there or empty, whatever it says.
    const READS_NO_TEXT: bool = false;

    fn from_text(_: Text<'a>) -> Self {
        Self::default()
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

    fn from_object(object: &mut Cursor<'a>) -> Result<Self> {
        object.skip_fields()?;
        Ok(Self::default())
    }

    fn from_array(array: &mut Cursor<'a>) -> Result<Self> {
        array.skip_items()?;
        Ok(Self::default())
    }
}

impl<'a> Cursor<'a> {
    /// Reads a value of any type.
    #[inline]
    pub(crate) fn any<T: FromAny<'a>>(&mut self) -> Result<T> {
        match self.peek() {
            b'"' => {
                let text = self.text()?;
                if T::READS_NO_TEXT && !text.is_empty() {
                    self.note_filled(text);
                }
                Ok(T::from_text(text))
            }
            b'{' => T::from_object(self),
            b'[' => T::from_array(self),
            b'-' | b'0'..=b'9' => self.number().map(|number| match number {
                Number::Unsigned(number) => T::from_u64(number),
                Number::Other => T::from_other_number(),
            }),
            _ => self.literal().map(|literal| literal.map_or_else(T::default, T::from_bool)),
        }
    }

    /// The same for a field. Of a doubled one the last counts.
    #[inline]
    pub(crate) fn read<T: FromAny<'a>>(&mut self, field: &mut T) -> Result<()> {
        *field = self.any()?;
        Ok(())
    }
}

/// What is made of an object's fields.
pub(crate) trait FromFields<'a>: Default {
    /// Reads the value of a field with this name, or passes over it.
    fn field(&mut self, name: &[u8], value: &mut Cursor<'a>) -> Result<()>;
}

/// Implements [`FromFields`] by a table: the name of a field in JSON, and the one that it is read into.
macro_rules! fields {
    ($object:ident $(<$life:lifetime>)?: $($name:literal => $field:ident),+ $(,)?) => {
        impl<'a> $crate::lenient::FromFields<'a> for $object $(<$life>)? {
            #[inline]
            fn field(&mut self, name: &[u8], value: &mut $crate::json::Cursor<'a>) -> $crate::json::Result<()> {
                // A `match` would compare byte by byte.
                $(if name == $name {
                    value.read(&mut self.$field)
                } else)+ {
                    value.skip()
                }
            }
        }
    };
}

pub(crate) use fields;

/// An object; `None`: anything else.
impl<'a, T: FromFields<'a>> FromAny<'a> for Option<T> {
    #[inline]
    fn from_object(object: &mut Cursor<'a>) -> Result<Self> {
        let mut fields = T::default();
        object.object(|name, value| fields.field(name, value))?;
        Ok(Some(fields))
    }
}

/// A text that is not empty; `None`: anything else.
#[derive(Default)]
pub(crate) struct Words<'a>(pub(crate) Option<Text<'a>>);

impl<'a> FromAny<'a> for Words<'a> {
    fn from_text(text: Text<'a>) -> Self {
        Self((!text.is_empty()).then_some(text))
    }
}

impl<'a> Words<'a> {
    /// Copied only where it is written with escapes.
    pub(crate) fn decode(&self) -> Option<Cow<'a, str>> {
        self.0.map(|text| text.decode())
    }
}

/// A count of tokens, which may be written as a text; `None`: anything else.
#[derive(Clone, Copy, Default)]
pub(crate) struct Count(pub(crate) Option<u64>);

impl<'a> FromAny<'a> for Count {
    fn from_text(text: Text<'a>) -> Self {
        Self(text.decode().parse().ok())
    }

    fn from_u64(count: u64) -> Self {
        Self(Some(count))
    }
}

/// Whether there is something: a string, list or object that is not empty.
#[derive(Clone, Copy, Default)]
pub(crate) struct Filled(pub(crate) bool);

impl<'a> FromAny<'a> for Filled {
    const READS_NO_TEXT: bool = true;

    #[inline]
    fn from_text(text: Text<'a>) -> Self {
        Self(!text.is_empty())
    }

    fn from_object(object: &mut Cursor<'a>) -> Result<Self> {
        let mut filled = false;
        object.object(|_, value| {
            filled = true;
            value.skip()
        })?;
        Ok(Self(filled))
    }

    fn from_array(array: &mut Cursor<'a>) -> Result<Self> {
        let mut filled = false;
        array.array(|value| {
            filled = true;
            value.skip()
        })?;
        Ok(Self(filled))
    }
}

/// Whether a finish reason is one, of whatever type. Until there is one, some servers send an empty string, "null", or the
/// enumeration's value 0.
#[derive(Clone, Copy, Default)]
pub(crate) struct IsFinish(pub(crate) bool);

impl<'a> FromAny<'a> for IsFinish {
    fn from_text(reason: Text<'a>) -> Self {
        Self(!matches!(&*reason.decode(), "" | "null" | "FINISH_REASON_UNSPECIFIED"))
    }

    fn from_u64(number: u64) -> Self {
        Self(number != 0)
    }

    fn from_bool(is_finished: bool) -> Self {
        Self(is_finished)
    }

    fn from_object(object: &mut Cursor<'a>) -> Result<Self> {
        IsError::from_object(object).map(|said| Self(said.0))
    }
}

/// Whether an `error` field is one. Beside good answers stand `null`, `false`, `{}`, and objects whose fields are all empty.
#[derive(Clone, Copy, Default)]
pub(crate) struct IsError(pub(crate) bool);

impl<'a> FromAny<'a> for IsError {
    fn from_text(text: Text<'a>) -> Self {
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

    fn from_object(object: &mut Cursor<'a>) -> Result<Self> {
        let mut is_error = false;
        object.object(|_, value| value.any().map(|Self(said)| is_error |= said))?;
        Ok(Self(is_error))
    }

    fn from_array(array: &mut Cursor<'a>) -> Result<Self> {
        let mut is_error = false;
        array.array(|value| value.any().map(|Self(said)| is_error |= said))?;
        Ok(Self(is_error))
    }
}

/// How many items a list has; `None`: no list.
#[derive(Clone, Copy, Default)]
pub(crate) struct Items(pub(crate) Option<usize>);

impl<'a> FromAny<'a> for Items {
    fn from_array(array: &mut Cursor<'a>) -> Result<Self> {
        let mut count = 0;
        array.array(|item| {
            count += 1;
            item.skip()
        })?;
        Ok(Self(Some(count)))
    }
}

/// The sum of those that are there; `None`: none is. Not by an iterator: the compiler makes thousands of instructions of one here.
pub(crate) fn sum(counts: [Count; 2]) -> Option<u64> {
    match counts {
        [Count(Some(one)), Count(Some(other))] => Some(one.saturating_add(other)),
        [Count(one), Count(None)] | [Count(None), Count(one)] => one,
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, Filled, IsError};
    use crate::json::{self, Cursor, NotJson};

    #[derive(Default)]
    struct Outer {
        count: Count,
        filled: Filled,
    }

    fields!(Outer: b"count" => count, b"filled" => filled);

    fn read(json: &str) -> json::Result<Option<(Option<u64>, bool)>> {
        let outer: Option<Outer> = json::read(json.as_bytes(), Cursor::any)?;
        Ok(outer.map(|outer| (outer.count.0, outer.filled.0)))
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
            assert_eq!(read(json), Err(NotJson), "{json}");
        }
    }

    #[test]
    fn an_error_that_says_nothing_is_none() {
        for (text, expected) in [
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
            assert_eq!(json::read(text.as_bytes(), Cursor::any::<IsError>).unwrap().0, expected, "{text}");
        }
    }
}

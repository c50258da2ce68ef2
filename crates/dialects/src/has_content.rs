//! Whether a delta has content, under whatever name.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Whether any field of an object except its role and type is a string, list or object that is not empty. Numbers and
/// booleans are indexes and flags, not content.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HasContent(pub(crate) bool);

impl<'de> Deserialize<'de> for HasContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DeltaVisitor)
    }
}

struct DeltaVisitor;

impl<'de> Visitor<'de> for DeltaVisitor {
    type Value = HasContent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HasContent, A::Error> {
        let mut has_content = false;
        while let Some(IsLabel(is_label)) = map.next_key()? {
            let NotEmpty(not_empty) = map.next_value()?;
            has_content |= not_empty && !is_label;
        }
        Ok(HasContent(has_content))
    }
}

/// Whether a key is one of those whose values are never content.
struct IsLabel(bool);

impl<'de> Deserialize<'de> for IsLabel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = IsLabel;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<IsLabel, E> {
                Ok(IsLabel(matches!(key, "role" | "type")))
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct NotEmpty(bool);

impl<'de> Deserialize<'de> for NotEmpty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = NotEmpty;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, value: &str) -> Result<NotEmpty, E> {
        Ok(NotEmpty(!value.is_empty()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<NotEmpty, A::Error> {
        let mut not_empty = false;
        while values.next_element::<IgnoredAny>()?.is_some() {
            not_empty = true;
        }
        Ok(NotEmpty(not_empty))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<NotEmpty, A::Error> {
        let mut not_empty = false;
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            not_empty = true;
        }
        Ok(NotEmpty(not_empty))
    }

    fn visit_unit<E>(self) -> Result<NotEmpty, E> {
        Ok(NotEmpty(false))
    }

    fn visit_bool<E>(self, _: bool) -> Result<NotEmpty, E> {
        Ok(NotEmpty(false))
    }

    fn visit_u64<E>(self, _: u64) -> Result<NotEmpty, E> {
        Ok(NotEmpty(false))
    }

    fn visit_i64<E>(self, _: i64) -> Result<NotEmpty, E> {
        Ok(NotEmpty(false))
    }

    fn visit_f64<E>(self, _: f64) -> Result<NotEmpty, E> {
        Ok(NotEmpty(false))
    }
}

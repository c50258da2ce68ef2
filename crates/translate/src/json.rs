//! JSON, read a level at a time and written in a given order.
//!
//! What a client or provider sends is read liberally: a field of a wrong type reads as absent, of a doubled field the
//! last one counts, as in the official SDKs. Values that must survive byte for byte (tool inputs, schemas) stay
//! [`RawValue`]s.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON object whose values are not parsed yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object<'a> {
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Object<'a> {
    /// Reads text; `None`: it is no JSON object.
    pub(crate) fn parse(json: &'a [u8]) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let object = deserializer.deserialize_map(ObjectVisitor).ok()?;
        deserializer.end().ok()?;
        Some(object)
    }

    /// Reads a value; `None`: it is no object.
    pub(crate) fn of(raw: &'a RawValue) -> Option<Self> {
        raw.get().starts_with('{').then(|| Self::parse(raw.get().as_bytes()))?
    }

    /// A field as it stands; `None`: absent or null.
    pub(crate) fn raw(&self, key: &str) -> Option<&'a RawValue> {
        let (_, value) = self.fields.iter().rev().find(|(name, _)| name == key)?;
        (value.get() != "null").then_some(*value)
    }

    /// Whether the field is there, be it null.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.fields.iter().any(|(name, _)| name == key)
    }

    /// A string.
    pub(crate) fn str(&self, key: &str) -> Option<Cow<'a, str>> {
        as_str(self.raw(key)?)
    }

    /// A string of one's own.
    pub(crate) fn string(&self, key: &str) -> Option<String> {
        self.str(key).map(Cow::into_owned)
    }

    /// A whole number of at least 0. `3.0` is one.
    pub(crate) fn u64(&self, key: &str) -> Option<u64> {
        as_u64(self.raw(key)?)
    }

    /// A whole number of at least 0, which some vendors write as text.
    pub(crate) fn count(&self, key: &str) -> Option<u64> {
        let raw = self.raw(key)?;
        as_u64(raw).or_else(|| as_str(raw)?.trim().parse().ok())
    }

    /// The error in an answer or event. Some vendors put a `false`, a 0 or something empty beside what is none.
    pub(crate) fn error(&self) -> Option<&'a RawValue> {
        let raw = self.raw("error")?;
        let is_empty = matches!(raw.get(), "false" | "0" | "\"\"")
            || Self::of(raw).is_some_and(|object| object.fields.is_empty());
        (!is_empty && items(raw).is_none_or(|items| !items.is_empty())).then_some(raw)
    }

    /// Any number.
    pub(crate) fn f64(&self, key: &str) -> Option<f64> {
        self.raw(key)?.get().parse().ok()
    }

    /// True or false.
    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        self.raw(key)?.get().parse().ok()
    }

    /// An object.
    pub(crate) fn object(&self, key: &str) -> Option<Self> {
        Self::of(self.raw(key)?)
    }

    /// The items of an array; none where there is no array.
    pub(crate) fn array(&self, key: &str) -> Vec<&'a RawValue> {
        self.raw(key).and_then(items).unwrap_or_default()
    }

    /// The objects of an array; what is no object is left out.
    pub(crate) fn objects(&self, key: &str) -> Vec<Self> {
        self.array(key).into_iter().filter_map(Self::of).collect()
    }

    /// The fields in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.fields.iter().map(|(name, value)| (name.as_ref(), *value))
    }
}

/// The items of an array; `None`: the value is no array.
pub(crate) fn items(raw: &RawValue) -> Option<Vec<&RawValue>> {
    raw.get().starts_with('[').then(|| serde_json::from_str(raw.get()).ok())?
}

/// A string; half of a surrogate pair in it becomes U+FFFD.
pub(crate) fn as_str(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    match serde_json::from_str::<String>(text) {
        Ok(text) => Some(Cow::Owned(text)),
        Err(_) => {
            let bytes: Vec<u8> = serde_json::from_str::<LossyString>(text).ok()?.0;
            Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
        }
    }
}

/// A whole number of at least 0.
pub(crate) fn as_u64(raw: &RawValue) -> Option<u64> {
    let text = raw.get();
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number: f64 = text.parse().ok()?;
    // Exact below 2^53, and no count of tokens is larger.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked: whole and in range"
    )]
    (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
}

/// A value of one's own, without the blanks around it.
pub(crate) fn own(raw: &RawValue) -> Box<RawValue> {
    raw.to_owned()
}

/// Text as a JSON value; `None`: it is no JSON.
pub(crate) fn raw_of(text: &str) -> Option<Box<RawValue>> {
    serde_json::from_str(text).ok()
}

/// serde_json hands over the bytes of a string whose surrogates do not pair.
struct LossyString(Vec<u8>);

impl<'de> serde::Deserialize<'de> for LossyString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = LossyString;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<LossyString, E> {
                Ok(LossyString(bytes.to_owned()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some((Key(name), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            fields.push((name, value));
        }
        Ok(Object { fields })
    }
}

/// Writes a JSON object, field by field, in the order of the calls.
#[derive(Debug, Clone)]
pub(crate) struct ObjectWriter(String);

impl ObjectWriter {
    pub(crate) fn new() -> Self {
        Self("{".to_owned())
    }

    /// An object with a field `type`, which most objects of these APIs begin with.
    pub(crate) fn of_type(name: &str) -> Self {
        Self::new().str("type", name)
    }

    /// A string.
    #[must_use]
    pub(crate) fn str(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        push_str(&mut self.0, value);
        self
    }

    /// A value that is JSON already.
    #[must_use]
    pub(crate) fn json(mut self, key: &str, json: &str) -> Self {
        self.key(key);
        self.0.push_str(json);
        self
    }

    /// A value as it was read.
    #[must_use]
    pub(crate) fn raw(self, key: &str, value: &RawValue) -> Self {
        self.json(key, value.get())
    }

    #[must_use]
    pub(crate) fn u64(self, key: &str, value: u64) -> Self {
        self.json(key, &value.to_string())
    }

    /// A number; what is none in JSON (NaN, infinite) is left out.
    #[must_use]
    pub(crate) fn f64(self, key: &str, value: f64) -> Self {
        match serde_json::Number::from_f64(value) {
            Some(number) => self.json(key, &number.to_string()),
            None => self,
        }
    }

    #[must_use]
    pub(crate) fn bool(self, key: &str, value: bool) -> Self {
        self.json(key, if value { "true" } else { "false" })
    }

    #[must_use]
    pub(crate) fn null(self, key: &str) -> Self {
        self.json(key, "null")
    }

    #[must_use]
    pub(crate) fn object(self, key: &str, value: Self) -> Self {
        self.json(key, &value.finish())
    }

    #[must_use]
    pub(crate) fn array(self, key: &str, value: ArrayWriter) -> Self {
        self.json(key, &value.finish())
    }

    /// `write` adds what it wants if there is a value.
    #[must_use]
    pub(crate) fn maybe<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => write(self, value),
            None => self,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        push_str(&mut self.0, key);
        self.0.push(':');
    }
}

/// Writes a JSON array.
#[derive(Debug, Clone)]
pub(crate) struct ArrayWriter(String);

impl ArrayWriter {
    pub(crate) fn new() -> Self {
        Self("[".to_owned())
    }

    /// An item that is JSON already.
    pub(crate) fn push_json(&mut self, json: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(json);
    }

    pub(crate) fn push(&mut self, item: ObjectWriter) {
        self.push_json(&item.finish());
    }

    pub(crate) fn push_str(&mut self, text: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        push_str(&mut self.0, text);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push(']');
        self.0
    }
}

impl FromIterator<ObjectWriter> for ArrayWriter {
    fn from_iter<I: IntoIterator<Item = ObjectWriter>>(items: I) -> Self {
        let mut array = Self::new();
        for item in items {
            array.push(item);
        }
        array
    }
}

/// Appends text as a JSON string.
pub(crate) fn push_str(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte => out.push_str(&format!("\\u{byte:04x}")),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{ArrayWriter, Object, ObjectWriter, push_str};

    #[test]
    fn a_field_of_a_wrong_type_is_absent() {
        let object =
            Object::parse(br#"{"a":1,"b":"x","c":null,"d":[{"e":2},3],"f":-1,"g":4.0,"b":"y"}"#).unwrap();
        assert_eq!((object.str("a"), object.str("b").as_deref()), (None, Some("y")));
        assert_eq!((object.u64("a"), object.u64("f"), object.u64("g")), (Some(1), None, Some(4)));
        assert_eq!((object.raw("c").is_none(), object.has("c")), (true, true));
        assert_eq!(object.objects("d")[0].u64("e"), Some(2));
        assert!(Object::parse(b"[1]").is_none() && Object::parse(b"{}x").is_none());
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced() {
        let object = Object::parse(br#"{"a":"x\ud83dy","b":"\ud83d\ude00"}"#).unwrap();
        assert!(object.str("a").unwrap().starts_with('x') && object.str("a").unwrap().ends_with('y'));
        assert_eq!(object.str("b").as_deref(), Some("\u{1f600}"));
    }

    #[test]
    fn what_is_written_stands_in_order() {
        let list: ArrayWriter = [ObjectWriter::of_type("t")].into_iter().collect();
        let object =
            ObjectWriter::new().str("z", "\u{1}\"\n").u64("a", 7).null("n").array("l", list).bool("b", true);
        assert_eq!(object.finish(), r#"{"z":"\u0001\"\n","a":7,"n":null,"l":[{"type":"t"}],"b":true}"#);
    }

    proptest! {
        #[test]
        fn any_text_is_written_and_read_again(text in any::<String>()) {
            let mut out = String::new();
            push_str(&mut out, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}

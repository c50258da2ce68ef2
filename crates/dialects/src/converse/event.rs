//! Converse's events: an object with the event's name as its one key.

use std::borrow::Cow;

use serde::de::{Deserialize, IgnoredAny, MapAccess};
use serde_json::Value;

use super::usage::ConverseUsage;
use crate::error_body::{is_error, is_exception_name};
use crate::format::Parsed;
use crate::lenient::{FromAny, Lenient, Object, Text, read_json};
use crate::progress::{Choices, Progress};

/// What an event brings; `None`: it is an exception.
struct Event(Option<Progress>);

impl Default for Event {
    fn default() -> Self {
        Self(Some(Progress::default()))
    }
}

impl<'de> FromAny<'de> for Event {
    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut progress = Progress::default();
        let mut is_exception = false;
        while let Some(Lenient(Text(name))) = map.next_key()? {
            match name.as_deref().unwrap_or_default() {
                "messageStart" | "contentBlockStop" => {
                    progress.choices = Choices::single(0);
                    map.next_value::<IgnoredAny>()?;
                }
                // A tool's call starts with its name; text and reasoning have no start.
                "contentBlockStart" | "contentBlockDelta" => {
                    progress.choices = Choices::single(0);
                    progress.content |=
                        map.next_value::<Object<Block>>()?.get().is_some_and(|block| block.has_content);
                }
                "messageStop" => {
                    progress.choices = Choices::single(0);
                    progress.finished = Choices::single(0);
                    map.next_value::<IgnoredAny>()?;
                }
                // The last event.
                "metadata" => {
                    let metadata = map.next_value::<Object<Metadata>>()?.get();
                    let usage = metadata.and_then(|metadata| metadata.usage.get());
                    progress.usage = usage.map(Into::into).unwrap_or_default();
                    progress.done = true;
                }
                name => {
                    is_exception |= is_exception_name(name);
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Self((!is_exception).then_some(progress)))
    }
}

#[derive(serde::Deserialize)]
struct Metadata {
    #[serde(default)]
    usage: Object<ConverseUsage>,
}

/// Whether a block's start or delta has content, of whatever kind: `{"delta":{"text":"Hi"},"contentBlockIndex":0}`.
struct Block {
    has_content: bool,
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Fields {
            #[serde(default)]
            start: Lenient<AnyText>,
            #[serde(default)]
            delta: Lenient<AnyText>,
        }
        let Fields { start, delta } = Fields::deserialize(deserializer)?;
        Ok(Self { has_content: start.0.0 || delta.0.0 })
    }
}

/// Whether there is a text that is not empty anywhere within.
#[derive(Default)]
struct AnyText(bool);

impl<'de> FromAny<'de> for AnyText {
    fn from_str(text: &str) -> Self {
        Self(!text.is_empty())
    }

    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut found = false;
        while let Some((_, Lenient(Self(is_found)))) = map.next_entry::<Cow<'de, str>, Lenient<Self>>()? {
            found |= is_found;
        }
        Ok(Self(found))
    }

    fn from_seq<A: serde::de::SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut found = false;
        while let Some(Lenient(Self(is_found))) = items.next_element()? {
            found |= is_found;
        }
        Ok(Self(found))
    }
}

pub(super) fn read(data: &[u8]) -> Parsed<Progress> {
    let read = read_json(data, |data| Ok(serde_json::from_slice::<Lenient<Event>>(data)?.0.0))?;
    if read == Some(Progress::default()) {
        // Neither an event nor, perhaps, an error.
        let data: Value = serde_json::from_slice(data)?;
        return Ok((!is_error(&data)).then(Progress::default));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::format::UnexpectedShape;
    use crate::usage::Usage;

    #[test]
    fn events() {
        for (data, expected) in [
            (r#"{"messageStart":{"p":"abc","role":"assistant"}}"#, ""),
            (r#"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"Hi"},"p":"ab"}}"#, "c"),
            (r#"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":""},"p":"ab"}}"#, ""),
            (r#"{"contentBlockDelta":{"delta":{"reasoningContent":{"text":"hm"}}}}"#, "c"),
            (r#"{"contentBlockDelta":{"delta":{"reasoningContent":{"text":""}}}}"#, ""),
            (r#"{"contentBlockDelta":{"delta":{"reasoningContent":{"signature":"Eq"}}}}"#, "c"),
            (r#"{"contentBlockStart":{"start":{"toolUse":{"toolUseId":"t","name":"f"}}}}"#, "c"),
            (r#"{"contentBlockDelta":{"delta":{"toolUse":{"input":""}}}}"#, ""),
            (r#"{"contentBlockDelta":{"delta":{"newKind":[{"a":"b"}]}}}"#, "c"),
            (r#"{"contentBlockDelta":"odd"}"#, ""),
            (r#"{"contentBlockStop":{"contentBlockIndex":0}}"#, ""),
            (r#"{"messageStop":{"stopReason":"end_turn"}}"#, "f"),
            (r#"{"metadata":{"metrics":{"latencyMs":5},"usage":{"inputTokens":3,"outputTokens":4}}}"#, "d"),
            (r#"{"newEvent":{"a":1}}"#, ""),
            (r#"{"contentBlockStop":{},"contentBlockStop":{}}"#, ""),
            ("{}", ""),
            ("null", ""),
            ("7", ""),
        ] {
            assert_eq!(read(data.as_bytes()).unwrap().unwrap().flags(), expected, "{data}");
        }
        let metadata =
            br#"{"metadata":{"usage":{"inputTokens":3,"cacheReadInputTokens":4,"outputTokens":5}}}"#;
        let usage = Usage { input: Some(7), output: Some(5) };
        assert_eq!(read(metadata).unwrap().unwrap().usage, usage);
        for data in ["", "oops", "{"] {
            assert_eq!(read(data.as_bytes()), Err(UnexpectedShape), "{data}");
        }
    }

    #[test]
    fn exceptions() {
        for data in [
            r#"{"throttlingException":{"message":"Too many requests"}}"#,
            r#"{"newKindOfException":{"message":"x"}}"#,
            r#"{"error":{"code":503,"message":"x"}}"#,
        ] {
            assert_eq!(read(data.as_bytes()), Ok(None), "{data}");
        }
    }
}

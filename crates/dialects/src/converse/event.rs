//! Converse's events: an object with the event's name as its one key.

use serde_json::Value;

use super::usage::ConverseUsage;
use crate::error_body::{is_error, is_exception_name};
use crate::format::Parsed;
use crate::json::{self, Cursor, Pattern, Text};
use crate::lenient::{FromAny, FromFields, fields};
use crate::progress::{Choices, Progress};

/// What an event brings.
#[derive(Default)]
struct Event {
    progress: Progress,
    is_exception: bool,
}

impl<'a> FromFields<'a> for Event {
    fn field(&mut self, name: &[u8], value: &mut Cursor<'a>) -> json::Result<()> {
        let progress = &mut self.progress;
        match name {
            b"messageStart" | b"contentBlockStop" => {
                progress.choices = Choices::single(0);
                value.skip()?;
            }
            // A tool's call starts with its name; text and reasoning have no start.
            b"contentBlockStart" | b"contentBlockDelta" => {
                progress.choices = Choices::single(0);
                let block: Option<Block> = value.any()?;
                progress.content |= block.is_some_and(|block| block.start.0 || block.delta.0);
            }
            b"messageStop" => {
                progress.choices = Choices::single(0);
                progress.finished = Choices::single(0);
                value.skip()?;
            }
            // The last event.
            b"metadata" => {
                let metadata: Option<Metadata> = value.any()?;
                let usage = metadata.and_then(|metadata| metadata.usage);
                progress.usage = usage.map(Into::into).unwrap_or_default();
                progress.done = true;
            }
            name => {
                self.is_exception |= is_exception_name(&String::from_utf8_lossy(name));
                value.skip()?;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Metadata {
    usage: Option<ConverseUsage>,
}

fields!(Metadata: b"usage" => usage);

/// Whether a block's start or delta has content, of whatever kind: `{"delta":{"text":"Hi"},"contentBlockIndex":0}`.
#[derive(Default)]
struct Block {
    start: AnyText,
    delta: AnyText,
}

fields!(Block: b"start" => start, b"delta" => delta);

/// Whether there is a text that is not empty anywhere within.
#[derive(Default)]
struct AnyText(bool);

impl<'a> FromAny<'a> for AnyText {
    const READS_NO_TEXT: bool = true;

    fn from_text(text: Text<'a>) -> Self {
        Self(!text.is_empty())
    }

    fn from_object(object: &mut Cursor<'a>) -> json::Result<Self> {
        let mut found = false;
        object.object(|_, value| value.any().map(|Self(is_found)| found |= is_found))?;
        Ok(Self(found))
    }

    fn from_array(array: &mut Cursor<'a>) -> json::Result<Self> {
        let mut found = false;
        array.array(|value| value.any().map(|Self(is_found)| found |= is_found))?;
        Ok(Self(found))
    }
}

pub(super) fn read(data: &[u8], pattern: &mut Pattern) -> Parsed<Progress> {
    let event: Option<Event> = pattern.read(data, Cursor::any)?;
    let Event { progress, is_exception } = event.unwrap_or_default();
    let read = (!is_exception).then_some(progress);
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
    use crate::json::Pattern;
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
            assert_eq!(
                read(data.as_bytes(), &mut Pattern::default()).unwrap().unwrap().flags(),
                expected,
                "{data}"
            );
        }
        let metadata =
            br#"{"metadata":{"usage":{"inputTokens":3,"cacheReadInputTokens":4,"outputTokens":5}}}"#;
        let usage = Usage { input: Some(7), output: Some(5) };
        assert_eq!(read(metadata, &mut Pattern::default()).unwrap().unwrap().usage, usage);
        for data in ["", "oops", "{"] {
            assert_eq!(read(data.as_bytes(), &mut Pattern::default()), Err(UnexpectedShape), "{data}");
        }
    }

    #[test]
    fn exceptions() {
        for data in [
            r#"{"throttlingException":{"message":"Too many requests"}}"#,
            r#"{"newKindOfException":{"message":"x"}}"#,
            r#"{"error":{"code":503,"message":"x"}}"#,
        ] {
            assert_eq!(read(data.as_bytes(), &mut Pattern::default()), Ok(None), "{data}");
        }
    }
}

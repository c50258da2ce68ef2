//! Events of audio and images, whose type says what they bring. What has no such type is read as a chunk of chat completions,
//! which is how vLLM streams transcriptions and everybody streams completions.

use super::response::AnyUsage;
use crate::format::{ApiFormat as _, Parsed, is_done_marker};
use crate::json::{self, Cursor, Pattern};
use crate::lenient::{IsError, Words, fields};
use crate::openai_chat::OpenAiChat;
use crate::progress::{Choices, Progress};
use crate::response_meta::ResponseMeta;

/// How the types of events with content end.
const CONTENT: [&str; 3] = [".delta", ".segment", ".partial_image"];

/// How the types of events end that are a last one: an image, a transcript, a text that was read out. Of several images each
/// has its own, so that the stream may go on.
const FINISH: [&str; 2] = [".done", ".completed"];

#[derive(Default)]
struct TypedEvent<'a> {
    event_type: Words<'a>,
    error: IsError,
    usage: Option<AnyUsage>,
}

fields!(TypedEvent<'a>: b"type" => event_type, b"error" => error, b"usage" => usage);

pub(crate) fn read(data: &[u8], meta: &mut ResponseMeta) -> Parsed<Progress> {
    if is_done_marker(data) {
        return OpenAiChat.read_event(data, meta, &mut Pattern::default());
    }
    let event: Option<TypedEvent<'_>> = json::read(data, Cursor::any)?;
    match event.and_then(progress_of) {
        Some(progress) => Ok(Some(progress)),
        None => OpenAiChat.read_event(data, meta, &mut Pattern::default()),
    }
}

/// `None`: it has no type that is known here, or is an error.
fn progress_of(event: TypedEvent<'_>) -> Option<Progress> {
    let event_type = event.event_type.decode().filter(|_| !event.error.0)?;
    let has = |ends: &[&str]| ends.iter().any(|end| event_type.ends_with(end));
    let (is_content, is_finish) = (has(&CONTENT), has(&FINISH));
    (is_content || is_finish).then(|| Progress {
        content: true,
        choices: Choices::single(0),
        finished: if is_finish { Choices::single(0) } else { Choices::default() },
        usage: event.usage.map(Into::into).unwrap_or_default(),
        ..Progress::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events() {
        for (data, expected) in [
            (r#"{"type":"speech.audio.delta","audio":"AA=="}"#, "c"),
            (r#"{"type":"speech.audio.done","usage":{"input_tokens":1,"output_tokens":2}}"#, "cf"),
            (r#"{"type":"transcript.text.delta","delta":"Hi"}"#, "c"),
            (r#"{"type":"transcript.text.segment","text":"Hi"}"#, "c"),
            (r#"{"type":"transcript.text.done","text":"Hi"}"#, "cf"),
            (r#"{"type":"image_generation.partial_image","b64_json":"AA=="}"#, "c"),
            (r#"{"type":"image_edit.completed","error":null}"#, "cf"),
            (r#"{"type":"keepalive"}"#, ""),
            (r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#, "cf"),
            ("null", ""),
            ("[DONE]", "d"),
        ] {
            let progress = read(data.as_bytes(), &mut ResponseMeta::default()).unwrap().unwrap();
            assert_eq!(progress.flags(), expected, "{data}");
        }
        for data in [
            r#"{"type":"error","error":{"message":"x"}}"#,
            r#"{"type":"speech.audio.done","error":{"message":"x"}}"#,
            r#"{"error":{"code":500}}"#,
        ] {
            assert_eq!(read(data.as_bytes(), &mut ResponseMeta::default()), Ok(None), "{data}");
        }
        assert!(read(b"{\"type\":", &mut ResponseMeta::default()).is_err());
    }
}

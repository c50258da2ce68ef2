//! Answers in one piece. Only what makes an answer useless is a fault (C6): that it has nothing of what was asked for.

use serde_json::Value;

use super::{Field, ResponseShape};
use crate::error_body::is_error;
use crate::format::{ApiFormat as _, Parsed, UnexpectedShape};
use crate::json::{self, Cursor, Text};
use crate::lenient::{Count, FromAny, IsError, fields};
use crate::openai_chat::OpenAiChat;
use crate::response_meta::{Name, ResponseMeta};
use crate::usage::Usage;

/// Reads an answer; `media_type`: what the response says it is, which may be empty. `None`: an error object.
pub(crate) fn read(shape: ResponseShape, media_type: &str, body: &[u8]) -> Parsed<(Usage, ResponseMeta)> {
    match shape {
        ResponseShape::Completion => {
            let mut meta = ResponseMeta::default();
            let usage = OpenAiChat.read_response(body, Some(&mut meta))?;
            Ok(usage.map(|usage| (usage, meta)))
        }
        ResponseShape::Object(fields) => read_object(fields, body),
        ResponseShape::ObjectOrText(field) if is_type(media_type, "application/json") => {
            read_object(&[field], body)
        }
        // Silence is transcribed by no text, but never read out by no sound.
        ResponseShape::Bytes if body.is_empty() => Err(UnexpectedShape),
        ResponseShape::ObjectOrText(_) | ResponseShape::Bytes => read_other(media_type, body),
    }
}

/// What has no format that is read here is good, unless it is an error, or the page of somebody in between.
fn read_other(media_type: &str, body: &[u8]) -> Parsed<(Usage, ResponseMeta)> {
    if is_type(media_type, "text/html") {
        return Err(UnexpectedShape);
    }
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let is_error = is_object && serde_json::from_slice::<Value>(body).is_ok_and(|body| is_error(&body));
    Ok((!is_error).then(Default::default))
}

fn is_type(media_type: &str, expected: &str) -> bool {
    media_type.get(..expected.len()).is_some_and(|start| start.eq_ignore_ascii_case(expected))
}

#[derive(Default)]
struct ObjectAnswer<'a> {
    id: Name<'a>,
    model: Name<'a>,
    error: IsError,
    data: IsValue,
    results: IsValue,
    text: IsValue,
    usage: Option<AnyUsage>,
}

fields!(
    ObjectAnswer<'a>:
    b"id" => id,
    b"model" => model,
    b"error" => error,
    b"data" => data,
    b"results" => results,
    b"text" => text,
    b"usage" => usage,
);

impl ObjectAnswer<'_> {
    const fn has(&self, field: Field) -> bool {
        match field {
            Field::Data => self.data.0,
            Field::Results => self.results.0,
            Field::Text => self.text.0,
        }
    }
}

fn read_object(fields: &[Field], body: &[u8]) -> Parsed<(Usage, ResponseMeta)> {
    let answer: Option<ObjectAnswer<'_>> = json::read(body, Cursor::any)?;
    answer.map_or(Err(UnexpectedShape), |answer| check(fields, answer))
}

fn check(fields: &[Field], answer: ObjectAnswer<'_>) -> Parsed<(Usage, ResponseMeta)> {
    if answer.error.0 {
        return Ok(None);
    }
    if !fields.iter().any(|field| answer.has(*field)) {
        return Err(UnexpectedShape);
    }
    let mut meta = ResponseMeta::default();
    meta.fill_missing(answer.id, answer.model);
    Ok(Some((answer.usage.map(Into::into).unwrap_or_default(), meta)))
}

/// Whether a list, an object or a text is there, also an empty one.
#[derive(Default)]
struct IsValue(bool);

impl<'a> FromAny<'a> for IsValue {
    fn from_text(_: Text<'a>) -> Self {
        Self(true)
    }

    fn from_object(object: &mut Cursor<'a>) -> json::Result<Self> {
        object.object(|_, value| value.skip())?;
        Ok(Self(true))
    }

    fn from_array(array: &mut Cursor<'a>) -> json::Result<Self> {
        array.array(Cursor::skip)?;
        Ok(Self(true))
    }
}

/// Tokens by the names of chat completions (embeddings) or of responses (images, audio). Jina's rerank has a total alone.
#[derive(Default)]
pub(super) struct AnyUsage {
    prompt_tokens: Count,
    input_tokens: Count,
    total_tokens: Count,
    completion_tokens: Count,
    output_tokens: Count,
}

fields!(
    AnyUsage:
    b"prompt_tokens" => prompt_tokens,
    b"input_tokens" => input_tokens,
    b"total_tokens" => total_tokens,
    b"completion_tokens" => completion_tokens,
    b"output_tokens" => output_tokens,
);

impl From<AnyUsage> for Usage {
    fn from(usage: AnyUsage) -> Self {
        let output = usage.output_tokens.0.or(usage.completion_tokens.0);
        let total = usage.total_tokens.0.filter(|_| output.is_none());
        Self { input: usage.input_tokens.0.or(usage.prompt_tokens.0).or(total), output }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai_call::OpenAiCall::{self, *};

    fn read_as(call: OpenAiCall, media_type: &str, body: &str) -> Parsed<(Usage, ResponseMeta)> {
        read(call.response_shape(), media_type, body.as_bytes())
    }

    #[test]
    fn good_answers() {
        let json = "application/json; charset=utf-8";
        for (call, media_type, body, tokens) in [
            (
                Embeddings,
                json,
                r#"{"object":"list","data":[{}],"usage":{"prompt_tokens":5,"total_tokens":5}}"#,
                (Some(5), None),
            ),
            (Embeddings, "text/plain", r#"{"data":[],"usage":"odd","error":null}"#, (None, None)),
            (Moderations, json, r#"{"id":"m","results":[{"flagged":false}]}"#, (None, None)),
            (
                ImageGenerations,
                json,
                r#"{"data":[{"b64_json":""}],"usage":{"input_tokens":3,"output_tokens":9}}"#,
                (Some(3), Some(9)),
            ),
            (Rerank, json, r#"{"results":[],"usage":{"total_tokens":8}}"#, (Some(8), None)),
            (Rerank, "", r#"{"data":[]}"#, (None, None)),
            (Transcriptions, json, r#"{"text":""}"#, (None, None)),
            (Transcriptions, "text/plain", "1\n00:00:00,000 --> 00:00:01,000\nHello\n", (None, None)),
            (Transcriptions, "text/plain", "", (None, None)),
            (Translations, "text/vtt", "{not JSON", (None, None)),
            (Speech, "audio/mpeg", "ID3", (None, None)),
            (Speech, "", "{\"a\":1}", (None, None)),
            (
                Completions,
                json,
                r#"{"choices":[{"text":"a"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
                (Some(1), Some(2)),
            ),
        ] {
            let (usage, _) = read_as(call, media_type, body).unwrap().unwrap();
            assert_eq!((usage.input, usage.output), tokens, "{body}");
        }
    }

    #[test]
    fn useless_answers() {
        for (call, media_type, body) in [
            (Embeddings, "application/json", ""),
            (Embeddings, "application/json", "[1]"),
            (Embeddings, "application/json", "{}"),
            (Embeddings, "application/json", r#"{"data":null}"#),
            (Embeddings, "application/json", r#"{"data":[1"#),
            (Moderations, "text/html", "<html>"),
            (Transcriptions, "application/json", r#"{"status":"ok"}"#),
            (Transcriptions, "text/html; charset=utf-8", "<html>"),
            (Speech, "audio/mpeg", ""),
            (Speech, "Text/HTML", "<html>"),
            (Completions, "application/json", r#"{"choices":[]}"#),
        ] {
            assert_eq!(read_as(call, media_type, body), Err(UnexpectedShape), "{call:?} {body}");
        }
        for (call, media_type) in
            [(Embeddings, ""), (Transcriptions, "text/plain"), (Speech, "application/json")]
        {
            let error = r#"{"error":{"message":"down","code":503}}"#;
            assert_eq!(read_as(call, media_type, error), Ok(None), "{call:?}");
        }
    }
}

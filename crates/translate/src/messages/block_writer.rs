//! Writes parts as content blocks.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::FORMAT;
use super::answer_writer;
use crate::abilities::Abilities;
use crate::form::{
    CacheTtl, Media, MediaKind, MediaSource, Opaque, OpaqueKind, Part, PartKind, ToolCall, ToolInput,
    ToolResult,
};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::names::{ANTHROPIC_CALL_ID, ANTHROPIC_TOOL_NAME, fit, flat_name};
use crate::target::Losses;

/// A block, or a tool, and whether the prompt up to here is to be cached.
#[derive(Debug)]
pub(super) struct Block {
    json: ObjectWriter,
    pub(super) cache: Option<CacheTtl>,
}

impl Block {
    pub(super) const fn new(json: ObjectWriter, cache: Option<CacheTtl>) -> Self {
        Self { json, cache }
    }
}

pub(super) fn array(blocks: impl IntoIterator<Item = Block>) -> ArrayWriter {
    let write =
        |block: Block| block.json.maybe(block.cache, |json, ttl| json.object("cache_control", mark(ttl)));
    blocks.into_iter().map(write).collect()
}

pub(super) fn mark(ttl: CacheTtl) -> ObjectWriter {
    let writer = ObjectWriter::of_type("ephemeral");
    match ttl {
        CacheTtl::Default => writer,
        CacheTtl::Minutes5 => writer.str("ttl", "5m"),
        CacheTtl::Hour1 => writer.str("ttl", "1h"),
    }
}

pub(super) fn text(text: &str) -> Block {
    Block::new(ObjectWriter::of_type("text").str("text", text), None)
}

/// A tool's name as it is declared and called.
pub(super) fn tool_name(namespace: Option<&str>, name: &str) -> String {
    fit(&flat_name(namespace, name), ANTHROPIC_TOOL_NAME).into_owned()
}

pub(super) fn call(call: &ToolCall) -> ObjectWriter {
    let input = match &call.input {
        ToolInput::Json(json) => answer_writer::input_object(json),
        ToolInput::Text(text) => answer_writer::freeform_input(text),
    };
    ObjectWriter::of_type("tool_use")
        .str("id", &fit(&call.id, ANTHROPIC_CALL_ID))
        .str("name", &tool_name(call.namespace.as_deref(), &call.name))
        .json("input", &input)
}

/// Reasoning of the target's own; `None`: of a kind that this format does not have.
pub(super) fn reasoning(text: &str, opaque: &Opaque) -> Option<ObjectWriter> {
    match opaque.kind {
        OpaqueKind::Signature => {
            Some(ObjectWriter::of_type("thinking").str("thinking", text).str("signature", &opaque.data))
        }
        // Of a server that does not sign its thinking.
        OpaqueKind::PlainText if !text.is_empty() => {
            Some(ObjectWriter::of_type("thinking").str("thinking", text).str("signature", ""))
        }
        OpaqueKind::Redacted => Some(ObjectWriter::of_type("redacted_thinking").str("data", &opaque.data)),
        OpaqueKind::Encrypted | OpaqueKind::ThoughtSignature | OpaqueKind::PlainText => None,
    }
}

pub(super) fn result(result: &ToolResult, abilities: Abilities, losses: &mut Losses) -> Block {
    let writer = ObjectWriter::of_type("tool_result").str("tool_use_id", &fit(&result.id, ANTHROPIC_CALL_ID));
    // A mark within the result does as well behind it, where it is counted.
    let cache = result.content.iter().rev().find_map(|part| part.cache);
    let writer = match &result.content[..] {
        [Part { kind: PartKind::Text(text), .. }] => writer.str("content", text),
        parts => {
            let blocks = parts.iter().filter_map(|part| user_block(part, abilities, losses));
            let blocks: Vec<Block> = blocks.map(|block| Block { cache: None, ..block }).collect();
            if blocks.is_empty() { writer } else { writer.array("content", array(blocks)) }
        }
    };
    Block::new(if result.is_error { writer.bool("is_error", true) } else { writer }, cache)
}

/// A block of a user's turn or of a result. An empty text is left out, since it is refused.
pub(super) fn user_block(part: &Part, abilities: Abilities, losses: &mut Losses) -> Option<Block> {
    let json = match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => {
            (!text.is_empty()).then(|| ObjectWriter::of_type("text").str("text", text))?
        }
        PartKind::Media(media) => match write_media(media, abilities, losses) {
            Ok(json) => json,
            Err(reason) => {
                losses.refuse("messages", reason);
                return None;
            }
        },
        PartKind::Foreign(name) => {
            losses.refuse("messages", format!("holds `{name}`, which has no counterpart in {FORMAT}"));
            return None;
        }
        PartKind::Reasoning { .. } | PartKind::ToolCall(_) | PartKind::ToolResult(_) => return None,
    };
    Some(Block::new(json, part.cache))
}

fn write_media(media: &Media, abilities: Abilities, losses: &mut Losses) -> Result<ObjectWriter, String> {
    match media.kind {
        MediaKind::Image if !abilities.images => Err("holds an image, and the model sees none".to_owned()),
        MediaKind::Image => {
            losses.drop_if(media.detail.as_deref().is_some_and(|detail| detail != "auto"), "detail");
            Ok(ObjectWriter::of_type("image").object("source", image_source(&media.source)?))
        }
        MediaKind::Pdf | MediaKind::Text | MediaKind::File => {
            let document =
                ObjectWriter::of_type("document").object("source", document_source(&media.source)?);
            Ok(document.maybe(media.name.as_deref(), |document, name| document.str("title", name)))
        }
        MediaKind::Audio => Err(format!("holds audio, which has no counterpart in {FORMAT}")),
        MediaKind::Video => Err(format!("holds a video, which has no counterpart in {FORMAT}")),
    }
}

fn image_source(source: &MediaSource) -> Result<ObjectWriter, String> {
    match source {
        MediaSource::Base64 { media_type, data } => {
            let media_type = match media_type.as_str() {
                "image/jpg" => "image/jpeg",
                known @ ("image/jpeg" | "image/png" | "image/gif" | "image/webp") => known,
                other => {
                    return Err(format!(
                        "holds an image of the type `{other}`, which {FORMAT} does not take"
                    ));
                }
            };
            Ok(ObjectWriter::of_type("base64").str("media_type", media_type).str("data", data))
        }
        MediaSource::Text(_) => Err("holds an image without data".to_owned()),
        MediaSource::Url(_) | MediaSource::FileId(_) => address(source),
    }
}

fn document_source(source: &MediaSource) -> Result<ObjectWriter, String> {
    let plain = |text: &str| ObjectWriter::of_type("text").str("media_type", "text/plain").str("data", text);
    match source {
        MediaSource::Text(text) => Ok(plain(text)),
        MediaSource::Base64 { media_type, data } if media_type == "application/pdf" => {
            Ok(ObjectWriter::of_type("base64").str("media_type", media_type).str("data", data))
        }
        MediaSource::Base64 { media_type, data } => {
            let is_text = media_type.starts_with("text/")
                || ["application/json", "application/xml", "application/yaml", "application/x-yaml"]
                    .contains(&media_type.as_str());
            let text = if is_text { STANDARD.decode(data).ok() } else { None };
            let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
            text.map(|text| plain(&text)).ok_or_else(|| {
                format!("holds a file of the type `{media_type}`, which {FORMAT} does not take")
            })
        }
        MediaSource::Url(_) | MediaSource::FileId(_) => address(source),
    }
}

fn address(source: &MediaSource) -> Result<ObjectWriter, String> {
    match source {
        MediaSource::Url(url) if url.starts_with("http://") || url.starts_with("https://") => {
            Ok(ObjectWriter::of_type("url").str("url", url))
        }
        MediaSource::FileId(_) => Err("holds the id of a file that another provider stores".to_owned()),
        _ => Err(format!("holds a file's address that {FORMAT} does not take")),
    }
}

#[cfg(test)]
mod tests {
    use super::user_block;
    use crate::abilities::Abilities;
    use crate::form::{Media, MediaKind, MediaSource, Part, PartKind};
    use crate::target::Losses;

    fn written(kind: MediaKind, source: MediaSource) -> Result<String, String> {
        let media = Media { kind, source, name: None, detail: Some("high".to_owned()) };
        let mut losses = Losses::default();
        let block =
            user_block(&Part::new(PartKind::Media(media)), Abilities::of("claude-opus-5"), &mut losses);
        let body = block.map(|block| block.json.finish()).unwrap_or_default();
        let written = losses.finish(body, crate::names::ToolNames::default());
        written.map(|written| written.body).map_err(|refused| refused[0].reason.clone())
    }

    fn base64(media_type: &str) -> MediaSource {
        MediaSource::Base64 { media_type: media_type.to_owned(), data: "aGk=".to_owned() }
    }

    #[test]
    fn media_have_their_own_kinds_of_block() {
        for (kind, source, expected) in [
            (
                MediaKind::Image,
                base64("image/jpg"),
                r#"{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"aGk="}}"#,
            ),
            (
                MediaKind::File,
                base64("application/json"),
                r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hi"}}"#,
            ),
            (
                MediaKind::Pdf,
                MediaSource::Url("https://a.example/a.pdf".to_owned()),
                r#"{"type":"document","source":{"type":"url","url":"https://a.example/a.pdf"}}"#,
            ),
        ] {
            assert_eq!(written(kind, source).unwrap(), expected);
        }
        for (kind, source) in [
            (MediaKind::Image, base64("image/tiff")),
            (MediaKind::Image, MediaSource::Url("gs://bucket/i.png".to_owned())),
            (MediaKind::File, base64("application/zip")),
            (MediaKind::File, MediaSource::FileId("file-1".to_owned())),
            (MediaKind::Audio, base64("audio/wav")),
            (MediaKind::Video, base64("video/mp4")),
        ] {
            assert!(written(kind, source.clone()).is_err(), "{source:?}");
        }
    }
}

//! Parts of messages: text, images, files, sound.

use serde_json::value::RawValue;

use super::reasoning;
use crate::form::{CacheTtl, Media, MediaKind, MediaSource, Part, PartKind};
use crate::json::{Object, ObjectWriter, as_str, items};
use crate::target::{Losses, Target};

/// Reads a content: a string, or a list of parts.
pub(super) fn read(raw: &RawValue) -> Vec<Part> {
    if let Some(text) = as_str(raw) {
        return vec![Part::text(text)];
    }
    let parts = items(raw).unwrap_or_else(|| vec![raw]);
    parts.into_iter().filter_map(read_part).collect()
}

fn read_part(raw: &RawValue) -> Option<Part> {
    if let Some(text) = as_str(raw) {
        return Some(Part::text(text));
    }
    let part = Object::of(raw)?;
    Some(Part { kind: read_kind(&part)?, cache: read_cache(&part) })
}

fn read_kind(part: &Object<'_>) -> Option<PartKind> {
    let named = part.str("type")?;
    let url_of = |name: &str| {
        let nested = part.object(name).and_then(|inner| inner.string("url"));
        nested.or_else(|| part.string(name))
    };
    let kind = match named.as_ref() {
        "text" | "input_text" | "output_text" => PartKind::Text(part.string("text")?),
        "refusal" => PartKind::Refusal(part.string("refusal")?),
        "thinking" => PartKind::Reasoning { text: reasoning::thinking_text(part), opaque: None },
        "image_url" | "input_image" => {
            let detail = part.object("image_url").and_then(|image| image.string("detail"));
            let detail = detail.or_else(|| part.string("detail"));
            let source = source_of_url(url_of("image_url")?);
            PartKind::Media(Media { kind: MediaKind::Image, source, name: None, detail })
        }
        "video_url" => media(MediaKind::Video, source_of_url(url_of("video_url")?), None),
        "document_url" => {
            let source = source_of_url(url_of("document_url")?);
            let kind = match &source {
                MediaSource::Base64 { media_type, .. } => kind_of(media_type),
                _ => MediaKind::Pdf,
            };
            media(kind, source, part.string("document_name"))
        }
        "input_audio" => {
            let audio = part.object("input_audio")?;
            let media_type = match audio.str("format").as_deref() {
                Some("mp3") => "audio/mpeg".to_owned(),
                Some(format) => format!("audio/{format}"),
                None => "audio/wav".to_owned(),
            };
            media(MediaKind::Audio, MediaSource::Base64 { media_type, data: audio.string("data")? }, None)
        }
        "file" | "input_file" => read_file(&part.object("file").unwrap_or_else(|| part.clone()))?,
        other => PartKind::Foreign(other.to_owned()),
    };
    Some(kind)
}

fn media(kind: MediaKind, source: MediaSource, name: Option<String>) -> PartKind {
    PartKind::Media(Media { kind, source, name, detail: None })
}

fn read_file(file: &Object<'_>) -> Option<PartKind> {
    let name = file.string("filename");
    if let Some(id) = file.string("file_id") {
        return Some(media(MediaKind::File, MediaSource::FileId(id), name));
    }
    if let Some(url) = file.string("file_url") {
        return Some(media(MediaKind::Pdf, source_of_url(url), name));
    }
    let source = match source_of_url(file.string("file_data")?) {
        // The bare data: until some year files were PDFs alone.
        MediaSource::Url(data) if !data.contains(':') => {
            MediaSource::Base64 { media_type: "application/pdf".to_owned(), data }
        }
        source => source,
    };
    let kind = match &source {
        MediaSource::Base64 { media_type, .. } => kind_of(media_type),
        _ => MediaKind::Pdf,
    };
    Some(media(kind, source, name))
}

fn kind_of(media_type: &str) -> MediaKind {
    match media_type.split_once('/') {
        Some(("image", _)) => MediaKind::Image,
        Some(("audio", _)) => MediaKind::Audio,
        Some(("video", _)) => MediaKind::Video,
        Some(("text", _)) => MediaKind::Text,
        _ if media_type == "application/pdf" => MediaKind::Pdf,
        _ => MediaKind::File,
    }
}

/// Takes a data URL apart; any other address stays one.
pub(super) fn source_of_url(url: String) -> MediaSource {
    let parts = url.strip_prefix("data:").and_then(|rest| rest.split_once(','));
    match parts.and_then(|(head, data)| Some((head.strip_suffix(";base64")?, data))) {
        Some((media_type, data)) => {
            // Parameters such as `charset` are no part of it.
            let media_type =
                media_type.split(';').next().filter(|name| !name.is_empty()).unwrap_or("text/plain");
            MediaSource::Base64 { media_type: media_type.to_owned(), data: data.to_owned() }
        }
        None => MediaSource::Url(url),
    }
}

/// The mark that the prompt up to here is to be cached: OpenAI's, or Anthropic's, which some servers take.
pub(super) fn read_cache(part: &Object<'_>) -> Option<CacheTtl> {
    let mark = part.object("prompt_cache_breakpoint").or_else(|| part.object("cache_control"))?;
    Some(match mark.str("ttl").as_deref() {
        Some("5m") => CacheTtl::Minutes5,
        Some("1h" | "12h" | "24h") => CacheTtl::Hour1,
        _ => CacheTtl::Default,
    })
}

/// How parts are written for a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Whether each text is a part of its own. Many compatible servers and chat templates take a string alone.
    pub(super) parts: bool,
    /// Whether the model knows `prompt_cache_breakpoint`.
    pub(super) breakpoints: bool,
}

impl Style {
    pub(super) fn of(target: &Target<'_>) -> Self {
        Self { parts: target.is_official, breakpoints: target.is_official && knows_breakpoints(target.model) }
    }
}

/// `gpt-5.6` and later take breakpoints (OpenAI's reference, `prompt_cache_options`).
fn knows_breakpoints(model: &str) -> bool {
    let Some(version) = model.strip_prefix("gpt-") else { return false };
    let version = version.split('-').next().unwrap_or_default();
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    match (major.parse::<u32>(), minor.parse::<u32>()) {
        (Ok(major), Ok(minor)) => (major, minor) >= (5, 6),
        _ => false,
    }
}

/// Writes a cache mark, if there is one and the model takes it.
pub(super) fn write_cache(
    part: ObjectWriter,
    cache: Option<CacheTtl>,
    style: Style,
    losses: &mut Losses,
) -> ObjectWriter {
    match cache {
        Some(ttl) if style.breakpoints => {
            let mark = ObjectWriter::new().str("mode", "explicit");
            let mark = if ttl == CacheTtl::Default { mark } else { mark.str("ttl", "30m") };
            part.object("prompt_cache_breakpoint", mark)
        }
        Some(_) => {
            losses.drop("cache_control");
            part
        }
        None => part,
    }
}

/// A part of text.
pub(super) fn text_part(text: &str) -> ObjectWriter {
    ObjectWriter::of_type("text").str("text", text)
}

/// Writes a user's image or file; `None`: it was refused.
pub(super) fn write_media(media: &Media, target: &Target<'_>, losses: &mut Losses) -> Option<ObjectWriter> {
    match (&media.kind, &media.source) {
        (_, MediaSource::FileId(_)) => {
            losses.refuse("file_id", "names a file that another provider stored");
            None
        }
        (_, MediaSource::Text(text)) => Some(text_part(text)),
        (MediaKind::Image, source) => {
            if !target.abilities().images {
                losses.refuse("image", "cannot be seen by this model");
                return None;
            }
            let url = match source {
                MediaSource::Base64 { media_type, data } => data_url(media_type, data),
                MediaSource::Url(url) | MediaSource::FileId(url) | MediaSource::Text(url) => url.clone(),
            };
            let image = ObjectWriter::new().str("url", &url);
            let known = |detail: &&String| matches!(detail.as_str(), "auto" | "low" | "high" | "original");
            let image =
                image.maybe(media.detail.as_ref().filter(known), |image, detail| image.str("detail", detail));
            Some(ObjectWriter::of_type("image_url").object("image_url", image))
        }
        (MediaKind::Audio, MediaSource::Base64 { media_type, data }) => write_audio(media_type, data, losses),
        (MediaKind::Video, _) => {
            losses.refuse("video", "has no counterpart in OpenAI Chat Completions");
            None
        }
        (_, MediaSource::Base64 { media_type, data }) => Some(write_file(media, media_type, data)),
        (_, MediaSource::Url(_)) => {
            losses.refuse(
                "document",
                "is given by its address, which OpenAI Chat Completions takes of images alone",
            );
            None
        }
    }
}

fn write_audio(media_type: &str, data: &str, losses: &mut Losses) -> Option<ObjectWriter> {
    let format = match media_type {
        "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "wav",
        "audio/mpeg" | "audio/mp3" => "mp3",
        _ => {
            losses.refuse(
                "audio",
                format!("is of type {media_type}; OpenAI Chat Completions takes WAV and MP3"),
            );
            return None;
        }
    };
    let audio = ObjectWriter::new().str("data", data).str("format", format);
    Some(ObjectWriter::of_type("input_audio").object("input_audio", audio))
}

/// A text goes as text, since the API's files are PDFs first of all.
fn write_file(media: &Media, media_type: &str, data: &str) -> ObjectWriter {
    if media.kind == MediaKind::Text
        && let Some(text) = decode(data)
    {
        return text_part(&text);
    }
    let neutral = if media_type == "application/pdf" { "document.pdf" } else { "document" };
    let name = media.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(neutral);
    let file = ObjectWriter::new().str("filename", name).str("file_data", &data_url(media_type, data));
    ObjectWriter::of_type("file").object("file", file)
}

fn decode(data: &str) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).ok()?;
    String::from_utf8(bytes).ok()
}

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

#[cfg(test)]
mod tests {
    use dialects::Dialect;

    use super::{Style, knows_breakpoints, read, write_media};
    use crate::form::{MediaSource, PartKind};
    use crate::json::raw_of;
    use crate::target::{Losses, Target};

    const TARGET: Target<'static> =
        Target { dialect: Dialect::OpenAiChat, provider: "p", model: "m", is_official: false, refuses: &[] };

    #[test]
    fn media_come_back_as_they_were() {
        let table = [
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO","detail":"high"}}"#,
            r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}"#,
            r#"{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}}"#,
            r#"{"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}}"#,
        ];
        for json in table {
            let parts = read(&raw_of(&format!("[{json}]")).unwrap());
            let PartKind::Media(media) = &parts[0].kind else { panic!("{json}") };
            let mut losses = Losses::default();
            assert_eq!(write_media(media, &TARGET, &mut losses).unwrap().finish(), json);
        }
    }

    #[test]
    fn odd_parts_are_read() {
        let parts = read(
            &raw_of(
                r#"["a",{"type":"text","text":"b","cache_control":{"type":"ephemeral"}},{"type":"odd"},7,
                {"type":"thinking","thinking":[{"type":"text","text":"t"}]},{"type":"image_url","image_url":"data:image/gif;base64,R0"}]"#,
            )
            .unwrap(),
        );
        assert_eq!(parts.len(), 5);
        assert!(parts[1].cache.is_some());
        assert!(matches!(&parts[2].kind, PartKind::Foreign(name) if name == "odd"));
        assert!(
            matches!(&parts[4].kind, PartKind::Media(media) if matches!(media.source, MediaSource::Base64 { .. }))
        );
    }

    #[test]
    fn breakpoints_go_to_models_that_know_them() {
        let known = ["gpt-5.6", "gpt-5.7-mini", "gpt-6"].map(knows_breakpoints);
        assert_eq!(
            (known, knows_breakpoints("gpt-5.4"), knows_breakpoints("gpt-4o")),
            ([true; 3], false, false)
        );
        assert!(!Style::of(&TARGET).breakpoints);
    }
}

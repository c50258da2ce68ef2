//! Reads the parts of messages and of tools' results.

use serde_json::value::RawValue;

use super::tools;
use crate::form::{Media, MediaKind, MediaSource, Part, PartKind};
use crate::json::{self, Object};

/// The text of a JSON string, else the JSON itself.
pub(super) fn text_of(raw: &RawValue) -> String {
    json::as_str(raw).map_or_else(|| raw.get().to_owned(), Into::into)
}

/// Content, be it text or parts.
pub(super) fn content(raw: Option<&RawValue>) -> Vec<Part> {
    let Some(raw) = raw else { return Vec::new() };
    match json::items(raw) {
        Some(parts) => parts.into_iter().map(part).collect(),
        None => vec![Part::text(text_of(raw))],
    }
}

fn part(raw: &RawValue) -> Part {
    let Some(object) = Object::of(raw) else { return Part::text(text_of(raw)) };
    let kind = object.str("type");
    let kind = match kind.as_deref().unwrap_or("text") {
        "input_text" | "output_text" | "text" => PartKind::Text(object.string("text").unwrap_or_default()),
        "refusal" => PartKind::Refusal(object.string("refusal").unwrap_or_default()),
        "input_image" | "image_url" => image(&object).map_or_else(|| foreign("input_image"), PartKind::Media),
        "input_file" => file(&object).map_or_else(|| foreign("input_file"), PartKind::Media),
        "input_audio" => audio(&object).map_or_else(|| foreign("input_audio"), PartKind::Media),
        other => foreign(other),
    };
    Part { kind, cache: tools::cache(&object) }
}

fn foreign(kind: &str) -> PartKind {
    PartKind::Foreign(kind.to_owned())
}

fn image(part: &Object<'_>) -> Option<Media> {
    let nested = part.object("image_url");
    let url = part.str("image_url").or_else(|| nested.as_ref()?.str("url"));
    let detail = part.string("detail").or_else(|| nested.as_ref()?.string("detail"));
    let source = match url {
        Some(url) => source_of(&url, "image/png"),
        None => MediaSource::FileId(part.string("file_id")?),
    };
    Some(Media { kind: MediaKind::Image, source, name: None, detail })
}

fn file(part: &Object<'_>) -> Option<Media> {
    let name = part.string("filename");
    let is_pdf = |name: &str| name.to_ascii_lowercase().ends_with(".pdf");
    let named_pdf = name.as_deref().is_some_and(is_pdf);
    let source = if let Some(data) = part.str("file_data") {
        // Bare base64 is taken too; then the name alone tells what it is.
        let media_type =
            if named_pdf || name.is_none() { "application/pdf" } else { "application/octet-stream" };
        match data.starts_with("data:") {
            true => source_of(&data, media_type),
            false => MediaSource::Base64 { media_type: media_type.to_owned(), data: data.into() },
        }
    } else if let Some(url) = part.str("file_url") {
        source_of(&url, "application/pdf")
    } else {
        MediaSource::FileId(part.string("file_id")?)
    };
    let kind = match &source {
        MediaSource::Base64 { media_type, .. } => kind_of(media_type),
        MediaSource::Url(url) if is_pdf(url.split(['?', '#']).next().unwrap_or_default()) => MediaKind::Pdf,
        _ if named_pdf => MediaKind::Pdf,
        _ => MediaKind::File,
    };
    Some(Media { kind, source, name, detail: None })
}

fn audio(part: &Object<'_>) -> Option<Media> {
    let audio = part.object("input_audio")?;
    let format = audio.str("format").unwrap_or("wav".into());
    let source = MediaSource::Base64 { media_type: format!("audio/{format}"), data: audio.string("data")? };
    Some(Media { kind: MediaKind::Audio, source, name: None, detail: None })
}

fn kind_of(media_type: &str) -> MediaKind {
    match media_type {
        "application/pdf" => MediaKind::Pdf,
        other if other.starts_with("image/") => MediaKind::Image,
        other if other.starts_with("text/") => MediaKind::Text,
        other if other.starts_with("audio/") => MediaKind::Audio,
        other if other.starts_with("video/") => MediaKind::Video,
        _ => MediaKind::File,
    }
}

/// What a URL stands for: base64 data of its own, or an address.
fn source_of(url: &str, media_type: &str) -> MediaSource {
    let data = url.strip_prefix("data:").and_then(|rest| rest.split_once(','));
    match data.and_then(|(head, data)| Some((head.strip_suffix(";base64")?, data))) {
        Some((head, data)) => {
            let named = head.split(';').next().filter(|named| !named.is_empty());
            MediaSource::Base64 { media_type: named.unwrap_or(media_type).to_owned(), data: data.to_owned() }
        }
        None => MediaSource::Url(url.to_owned()),
    }
}

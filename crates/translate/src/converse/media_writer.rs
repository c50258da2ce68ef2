//! Writes images, documents and videos: always their bytes, since Bedrock fetches no address but S3's.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::FORMAT;
use super::block::{self, Block};
use super::models::ConverseModel;
use crate::form::{Media, MediaKind, MediaSource};
use crate::json::ObjectWriter;
use crate::target::Losses;

/// The media types of documents, and Bedrock's names for them.
const DOCUMENTS: [(&str, &str); 8] = [
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/markdown", "md"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
];

const IMAGES: [(&str, &str); 5] = [
    ("image/png", "png"),
    ("image/jpeg", "jpeg"),
    ("image/jpg", "jpeg"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
];

const VIDEOS: [(&str, &str); 8] = [
    ("video/mp4", "mp4"),
    ("video/quicktime", "mov"),
    ("video/x-matroska", "mkv"),
    ("video/webm", "webm"),
    ("video/x-flv", "flv"),
    ("video/mpeg", "mpeg"),
    ("video/x-ms-wmv", "wmv"),
    ("video/3gpp", "three_gp"),
];

/// Texts that have no format of their own.
const TEXTS: [&str; 4] = ["application/json", "application/xml", "application/yaml", "application/x-yaml"];

/// Names no longer than this, without the number behind it; Bedrock takes 200 characters.
const MAX_NAME: usize = 180;

/// A block for it. `documents` counts those of the request, whose names must differ.
///
/// # Errors
/// The field that is refused, and why.
pub(super) fn write(
    media: &Media,
    model: ConverseModel,
    documents: &mut usize,
    losses: &mut Losses,
) -> Result<Block, (&'static str, String)> {
    losses.drop_if(media.detail.as_deref().is_some_and(|detail| detail != "auto"), "detail");
    let (media_type, data) = match &media.source {
        // A document's words are as good as the document.
        MediaSource::Text(text) => return Ok(block::text(text)),
        MediaSource::Url(_) if media.kind == MediaKind::Image => {
            return Err(("image_url", format!("would have to be fetched for {FORMAT}")));
        }
        MediaSource::Url(_) => return Err(("file_url", format!("would have to be fetched for {FORMAT}"))),
        MediaSource::FileId(_) => {
            return Err(("file_id", "names a file that another provider stored".to_owned()));
        }
        MediaSource::Base64 { media_type, data } => (media_type.as_str(), data.as_str()),
    };
    let plain_type = media_type.split(';').next().unwrap_or(media_type).trim();
    let of = |table: &[(&str, &'static str)]| {
        table.iter().find(|(name, _)| name.eq_ignore_ascii_case(plain_type)).map(|(_, format)| *format)
    };
    let refused = |what: &str| Err(("messages", format!("holds {what}")));
    match media.kind {
        MediaKind::Image => match of(&IMAGES) {
            _ if !model.images => refused("an image, and the model sees none"),
            Some(format) => Ok(Block::media("image", source(format, data))),
            None => refused(&format!("an image of the type `{media_type}`, which {FORMAT} does not take")),
        },
        MediaKind::Video => match of(&VIDEOS) {
            _ if !model.videos => refused("a video, and the model sees none"),
            Some(format) => Ok(Block::media("video", source(format, data))),
            None => refused(&format!("a video of the type `{media_type}`, which {FORMAT} does not take")),
        },
        MediaKind::Audio => refused(&format!("audio, which few models of {FORMAT} take")),
        MediaKind::Pdf | MediaKind::Text | MediaKind::File => match of(&DOCUMENTS) {
            Some(_) if !model.documents => refused("a document, and the model reads none"),
            Some(format) => {
                *documents += 1;
                let name = document_name(media.name.as_deref(), *documents);
                let document = ObjectWriter::new().str("format", format).str("name", &name);
                Ok(Block::document(document.object("source", bytes(data))))
            }
            None => match text_of(plain_type, data) {
                Some(text) => Ok(block::text(&text)),
                None => refused(&format!("a file of the type `{media_type}`, which {FORMAT} does not take")),
            },
        },
    }
}

fn source(format: &str, data: &str) -> ObjectWriter {
    ObjectWriter::new().str("format", format).object("source", bytes(data))
}

fn bytes(data: &str) -> ObjectWriter {
    ObjectWriter::new().str("bytes", data)
}

fn text_of(media_type: &str, data: &str) -> Option<String> {
    let is_text = media_type.starts_with("text/") || TEXTS.contains(&media_type);
    let bytes = if is_text { STANDARD.decode(data).ok() } else { None };
    String::from_utf8(bytes?).ok()
}

/// Bedrock takes letters, digits, single blanks, hyphens and brackets, and no name twice.
fn document_name(name: Option<&str>, number: usize) -> String {
    let mut out = String::new();
    for letter in name.unwrap_or("document").chars().take(MAX_NAME) {
        let allowed = letter.is_ascii_alphanumeric() || "()[]".contains(letter);
        if allowed {
            out.push(letter);
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
    }
    let name = out.trim_end_matches('-');
    format!("{}-{number}", if name.is_empty() { "document" } else { name })
}

#[cfg(test)]
mod tests {
    use super::{ConverseModel, document_name, write};
    use crate::form::{Media, MediaKind, MediaSource};
    use crate::target::Losses;

    fn written(kind: MediaKind, source: MediaSource, model: &str) -> Result<String, &'static str> {
        let media = Media { kind, source, name: Some("a  b.pdf".to_owned()), detail: None };
        let block = write(&media, ConverseModel::of(model), &mut 0, &mut Losses::default());
        block.map(|block| block.json.finish()).map_err(|(field, _)| field)
    }

    fn base64(media_type: &str) -> MediaSource {
        MediaSource::Base64 { media_type: media_type.to_owned(), data: "aGk=".to_owned() }
    }

    #[test]
    fn media_are_sent_as_bytes() {
        for (kind, source, expected) in [
            (
                MediaKind::Image,
                base64("image/jpg"),
                Ok(r#"{"image":{"format":"jpeg","source":{"bytes":"aGk="}}}"#),
            ),
            (
                MediaKind::Pdf,
                base64("application/pdf"),
                Ok(r#"{"document":{"format":"pdf","name":"a-b-pdf-1","source":{"bytes":"aGk="}}}"#),
            ),
            (MediaKind::File, base64("application/json"), Ok(r#"{"text":"hi"}"#)),
            (MediaKind::Text, MediaSource::Text("hi".to_owned()), Ok(r#"{"text":"hi"}"#)),
            (
                MediaKind::Video,
                base64("video/mp4"),
                Ok(r#"{"video":{"format":"mp4","source":{"bytes":"aGk="}}}"#),
            ),
            (MediaKind::Image, base64("image/tiff"), Err("messages")),
            (MediaKind::File, base64("application/zip"), Err("messages")),
            (MediaKind::Audio, base64("audio/wav"), Err("messages")),
            (MediaKind::Image, MediaSource::Url("https://a.example/i.png".to_owned()), Err("image_url")),
            (MediaKind::Pdf, MediaSource::Url("https://a.example/a.pdf".to_owned()), Err("file_url")),
            (MediaKind::File, MediaSource::FileId("file-1".to_owned()), Err("file_id")),
        ] {
            let written = written(kind, source.clone(), "amazon.nova-lite-v1:0");
            assert_eq!(written.as_deref().map_err(|field| *field), expected, "{source:?}");
        }
        assert_eq!(written(MediaKind::Image, base64("image/png"), "amazon.nova-micro-v1:0"), Err("messages"));
    }

    #[test]
    fn names_of_documents() {
        for (name, expected) in [
            (None, "document-2"),
            (Some("Report (final)_v2.pdf"), "Report-(final)-v2-pdf-2"),
            (Some("报告"), "document-2"),
        ] {
            assert_eq!(document_name(name, 2), expected);
        }
        assert!(document_name(Some(&"x".repeat(500)), 1).len() <= 200);
    }
}

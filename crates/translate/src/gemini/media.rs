//! Images, files and sound: `inlineData` and `fileData`.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::fields::Fields;
use crate::form::{Media, MediaKind, MediaSource};
use crate::json::ObjectWriter;
use crate::target::Losses;

/// Addresses that Gemini itself reads: stored files, Google's storage, and videos.
const READABLE: [&str; 6] = [
    "gs://",
    "https://generativelanguage.googleapis.com/",
    "https://www.youtube.com/",
    "https://youtube.com/",
    "https://m.youtube.com/",
    "https://youtu.be/",
];
/// Of these, addresses of what one account stored.
const STORED: [&str; 2] = ["gs://", "https://generativelanguage.googleapis.com/"];

/// Reads `inlineData` or `fileData` of a part.
pub(super) fn read(part: &Fields<'_>) -> Option<Media> {
    if let Some(blob) = part.object("inlineData") {
        let media_type = blob.string("mimeType").unwrap_or_default();
        let data = blob.string("data")?;
        let kind = kind_of(&media_type);
        let name = blob.filled("displayName");
        let source = match text_of(kind, &data) {
            Some(text) => MediaSource::Text(text),
            None => MediaSource::Base64 { media_type, data },
        };
        return Some(Media { kind, source, name, detail: None });
    }
    let file = part.object("fileData")?;
    let uri = file.filled("fileUri")?;
    let kind = match file.str("mimeType") {
        Some(media_type) => kind_of(&media_type),
        None if READABLE[2..].iter().any(|known| uri.starts_with(known)) => MediaKind::Video,
        None => MediaKind::File,
    };
    let name = file.filled("displayName");
    let is_url = uri.starts_with("http") && !STORED.iter().any(|stored| uri.starts_with(stored));
    let source = if is_url { MediaSource::Url(uri) } else { MediaSource::FileId(uri) };
    Some(Media { kind, source, name, detail: None })
}

/// The text of a text document.
fn text_of(kind: MediaKind, data: &str) -> Option<String> {
    let bytes = (kind == MediaKind::Text).then(|| STANDARD.decode(data).ok())??;
    String::from_utf8(bytes).ok()
}

pub(super) fn kind_of(media_type: &str) -> MediaKind {
    match media_type.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        Some("text") => MediaKind::Text,
        _ if media_type.starts_with("application/pdf") => MediaKind::Pdf,
        _ => MediaKind::File,
    }
}

/// A part for it; `None`: it was refused.
pub(super) fn write(media: &Media, losses: &mut Losses) -> Option<ObjectWriter> {
    losses.drop_if(media.detail.as_deref().is_some_and(|detail| detail != "auto"), "detail");
    match &media.source {
        MediaSource::Base64 { media_type, data } => {
            let blob = ObjectWriter::new().str("mimeType", media_type).str("data", data);
            Some(ObjectWriter::new().object("inlineData", blob))
        }
        // A document's words are as good as the document, and every model reads them.
        MediaSource::Text(text) => Some(ObjectWriter::new().str("text", text)),
        MediaSource::Url(url) if READABLE.iter().any(|known| url.starts_with(known)) => {
            Some(ObjectWriter::new().object("fileData", ObjectWriter::new().str("fileUri", url)))
        }
        MediaSource::Url(_) => {
            let field = if media.kind == MediaKind::Image { "image_url" } else { "file_url" };
            losses.refuse(field, "would have to be fetched for Gemini");
            None
        }
        MediaSource::FileId(_) => {
            losses.refuse("file_id", "names a file that another provider stored");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, read, write};
    use crate::form::MediaSource;
    use crate::target::Losses;

    #[test]
    fn data_and_addresses() {
        let cases = [
            (
                r#"{"inlineData":{"mimeType":"image/png","data":"iVBO"}}"#,
                Some(r#"{"inlineData":{"mimeType":"image/png","data":"iVBO"}}"#),
            ),
            (r#"{"inline_data":{"mime_type":"text/plain","data":"aGk="}}"#, Some(r#"{"text":"hi"}"#)),
            (
                r#"{"fileData":{"fileUri":"https://youtu.be/x"}}"#,
                Some(r#"{"fileData":{"fileUri":"https://youtu.be/x"}}"#),
            ),
            (r#"{"fileData":{"fileUri":"https://example.com/a.png","mimeType":"image/png"}}"#, None),
        ];
        for (part, expected) in cases {
            let media = read(&Fields::parse(part.as_bytes()).unwrap()).unwrap();
            let written = write(&media, &mut Losses::default()).map(crate::json::ObjectWriter::finish);
            assert_eq!(written.as_deref(), expected);
        }
    }

    #[test]
    fn stored_files_are_known_by_their_address() {
        let part = br#"{"fileData":{"fileUri":"gs://bucket/a.pdf","mimeType":"application/pdf"}}"#;
        assert!(matches!(read(&Fields::parse(part).unwrap()).unwrap().source, MediaSource::FileId(_)));
    }
}

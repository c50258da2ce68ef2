//! Reads the content blocks of a request.

use serde_json::value::RawValue;

use crate::envelope;
use crate::form::{
    CacheTtl, Media, MediaKind, MediaSource, OpaqueKind, Part, PartKind, ToolCall, ToolInput, ToolResult,
    Unmapped,
};
use crate::json::{Object, as_str, items};

/// A string, or an array of blocks; `None`: neither.
pub(super) fn read(content: &RawValue, unmapped: &mut Vec<Unmapped>) -> Option<Vec<Part>> {
    if let Some(text) = as_str(content) {
        return Some(vec![Part::text(text)]);
    }
    let mut parts = Vec::new();
    for block in items(content)? {
        match as_str(block) {
            Some(text) => parts.push(Part::text(text)),
            None => {
                parts.extend(Object::of(block).map(|block| read_block(&block, unmapped)).unwrap_or_default());
            }
        }
    }
    Some(parts)
}

/// The mark that the prompt up to here is to be cached.
pub(super) fn cache(block: &Object<'_>) -> Option<CacheTtl> {
    let mark = block.object("cache_control")?;
    Some(match mark.str("ttl").as_deref() {
        Some("1h") => CacheTtl::Hour1,
        Some("5m") => CacheTtl::Minutes5,
        _ => CacheTtl::Default,
    })
}

/// Notes that something is left out without harm.
pub(super) fn leave_out(unmapped: &mut Vec<Unmapped>, field: &str) {
    if !unmapped.iter().any(|known| known.field == field) {
        unmapped.push(Unmapped { field: field.to_owned(), required: false });
    }
}

/// One block may become several parts.
fn read_block(block: &Object<'_>, unmapped: &mut Vec<Unmapped>) -> Vec<Part> {
    let text = |field: &str| block.string(field).unwrap_or_default();
    let kind = match block.str("type").as_deref() {
        Some("text") => PartKind::Text(text("text")),
        Some("image") => media(block, MediaKind::Image),
        Some("document") => return marked(document(block, unmapped), block),
        Some("search_result") => return marked(search_result(block, unmapped), block),
        Some("tool_use") => PartKind::ToolCall(ToolCall {
            id: text("id"),
            name: text("name"),
            namespace: None,
            input: ToolInput::Json(block.raw("input").map_or("{}", RawValue::get).to_owned()),
        }),
        Some("tool_result") => PartKind::ToolResult(ToolResult {
            id: text("tool_use_id"),
            name: None,
            is_error: block.bool("is_error").unwrap_or(false),
            is_custom: false,
            content: block.raw("content").and_then(|content| read(content, unmapped)).unwrap_or_default(),
            json: None,
        }),
        // A tool found by a search of the client's own: its name. All tools are sent anyway.
        Some("tool_reference") => PartKind::Text(text("tool_name")),
        Some("thinking") => PartKind::Reasoning {
            text: text("thinking"),
            opaque: block
                .str("signature")
                .filter(|signature| !signature.is_empty())
                .map(|signature| envelope::open(&signature, OpaqueKind::Signature)),
        },
        Some("redacted_thinking") => PartKind::Reasoning {
            text: String::new(),
            opaque: block.str("data").map(|data| envelope::open(&data, OpaqueKind::Redacted)),
        },
        other => PartKind::Foreign(other.unwrap_or("block").to_owned()),
    };
    marked(vec![Part::new(kind)], block)
}

/// The block's mark stands behind its last part.
fn marked(mut parts: Vec<Part>, block: &Object<'_>) -> Vec<Part> {
    if let Some(last) = parts.last_mut() {
        last.cache = cache(block);
    }
    parts
}

fn media(block: &Object<'_>, kind: MediaKind) -> PartKind {
    let Some(source) = block.object("source") else { return foreign(block) };
    let text = |field: &str| source.string(field).unwrap_or_default();
    let (kind, source) = match source.str("type").as_deref() {
        Some("base64") => {
            let media_type = text("media_type");
            let kind = match kind {
                MediaKind::Pdf if media_type != "application/pdf" => MediaKind::File,
                kind => kind,
            };
            (kind, MediaSource::Base64 { media_type, data: text("data") })
        }
        Some("url") => (kind, MediaSource::Url(text("url"))),
        Some("file") if kind == MediaKind::Image => (kind, MediaSource::FileId(text("file_id"))),
        Some("file") => (MediaKind::File, MediaSource::FileId(text("file_id"))),
        Some("text") => (MediaKind::Text, MediaSource::Text(text("data"))),
        _ => return foreign(block),
    };
    PartKind::Media(Media { kind, source, name: block.string("title"), detail: None })
}

fn foreign(block: &Object<'_>) -> PartKind {
    PartKind::Foreign(block.string("type").unwrap_or_default())
}

/// What is said about a document stands before it.
fn document(block: &Object<'_>, unmapped: &mut Vec<Unmapped>) -> Vec<Part> {
    if block.object("citations").and_then(|citations| citations.bool("enabled")) == Some(true) {
        leave_out(unmapped, "citations");
    }
    let mut parts: Vec<Part> = block.string("context").map(Part::text).into_iter().collect();
    let source = block.object("source");
    let content = source.filter(|source| source.str("type").as_deref() == Some("content"));
    match content.and_then(|source| source.raw("content")) {
        Some(content) => {
            parts.extend(block.string("title").map(Part::text));
            parts.extend(read(content, unmapped).unwrap_or_default());
        }
        None => parts.push(Part::new(media(block, MediaKind::Pdf))),
    }
    parts
}

fn search_result(block: &Object<'_>, unmapped: &mut Vec<Unmapped>) -> Vec<Part> {
    let head: Vec<String> = [block.string("title"), block.string("source")].into_iter().flatten().collect();
    let mut parts = vec![Part::text(head.join("\n"))];
    parts.extend(block.raw("content").and_then(|content| read(content, unmapped)).unwrap_or_default());
    parts
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::form::{MediaKind, MediaSource, OpaqueKind, Part, PartKind, ToolInput};

    fn parts(json: &str) -> Vec<Part> {
        read(&serde_json::from_str::<Box<serde_json::value::RawValue>>(json).unwrap(), &mut Vec::new())
            .unwrap()
    }

    #[test]
    fn calls_keep_the_bytes_of_their_input() {
        let parts = parts(r#"[{"type":"tool_use","id":"t","name":"f","input":{"b": 1.0, "a":"\u00e9"}}]"#);
        let PartKind::ToolCall(call) = &parts[0].kind else { panic!("{parts:?}") };
        assert!(matches!(&call.input, ToolInput::Json(json) if json == r#"{"b": 1.0, "a":"\u00e9"}"#));
    }

    #[test]
    fn results_hold_text_images_and_references() {
        let parts = parts(
            r#"[{"type":"tool_result","tool_use_id":"t","is_error":true,"cache_control":{"type":"ephemeral","ttl":"1h"},
            "content":[{"type":"text","text":"x"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QQ=="}},
            {"type":"tool_reference","tool_name":"g"}]}]"#,
        );
        let PartKind::ToolResult(result) = &parts[0].kind else { panic!("{parts:?}") };
        assert!(result.is_error && result.content.len() == 3 && parts[0].cache.is_some());
        assert!(matches!(&result.content[2].kind, PartKind::Text(text) if text == "g"));
    }

    #[test]
    fn documents_are_told_apart_by_their_source() {
        for (source, kind) in [
            (r#"{"type":"base64","media_type":"application/pdf","data":"QQ=="}"#, MediaKind::Pdf),
            (r#"{"type":"text","media_type":"text/plain","data":"x"}"#, MediaKind::Text),
            (r#"{"type":"url","url":"https://example.com/a.pdf"}"#, MediaKind::Pdf),
            (r#"{"type":"file","file_id":"file_1"}"#, MediaKind::File),
        ] {
            let parts = parts(&format!(r#"[{{"type":"document","title":"T","source":{source}}}]"#));
            let PartKind::Media(media) = &parts[0].kind else { panic!("{parts:?}") };
            assert_eq!((media.kind, media.name.as_deref()), (kind, Some("T")), "{source}");
        }
        let parts = parts(r#"[{"type":"document","source":{"type":"content","content":"x"},"context":"c"}]"#);
        assert!(
            matches!((&parts[0].kind, &parts[1].kind), (PartKind::Text(c), PartKind::Text(x)) if c == "c" && x == "x")
        );
        assert!(
            !matches!(parts[0].kind, PartKind::Media(ref media) if matches!(media.source, MediaSource::Text(_)))
        );
    }

    #[test]
    fn thinking_without_an_envelope_is_nobodys() {
        let parts = parts(
            r#"[{"type":"thinking","thinking":"t","signature":"Eq"},{"type":"thinking","thinking":"u","signature":""},
            {"type":"redacted_thinking","data":"d"},{"type":"server_tool_use","id":"s"}]"#,
        );
        let opaque = |index: usize| match &parts[index].kind {
            PartKind::Reasoning { opaque, .. } => opaque.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(opaque(0).map(|opaque| (opaque.kind, opaque.owner)), Some((OpaqueKind::Signature, None)));
        assert_eq!(opaque(1), None);
        assert_eq!(opaque(2).map(|opaque| opaque.kind), Some(OpaqueKind::Redacted));
        assert!(matches!(&parts[3].kind, PartKind::Foreign(name) if name == "server_tool_use"));
    }
}

//! Sources on the web: `groundingMetadata` and `citationMetadata`.
//!
//! Gemini counts bytes of the text, the common form characters.

use std::collections::HashMap;

use super::fields::Fields;
use crate::form::Citation;
use crate::json::{ArrayWriter, ObjectWriter, as_u64, items};

/// A source is named by its number, and told in full each time. Together they take no more than so many times the bytes
/// that came: real answers take three or four.
const MAX_SOURCES: usize = 16;

/// The sources that a candidate names for the text so far.
pub(super) fn read(candidate: &Fields<'_>, text: &str) -> Vec<Citation> {
    let mut citations = Vec::new();
    if let (Some(grounding), Some(raw)) =
        (candidate.object("groundingMetadata"), candidate.raw("groundingMetadata"))
    {
        grounded(&grounding, raw.get().len().saturating_mul(MAX_SOURCES), text, &mut citations);
    }
    if let Some(cited) = candidate.object("citationMetadata") {
        for source in cited.objects("citationSources").into_iter().chain(cited.objects("citations")) {
            let Some(url) = source.filled("uri") else { continue };
            citations.push(Citation {
                url,
                title: source.filled("title"),
                cited_text: None,
                span: span(&source, text),
            });
        }
    }
    citations
}

/// `room`: for how many bytes of sources.
fn grounded(grounding: &Fields<'_>, mut room: usize, text: &str, citations: &mut Vec<Citation>) {
    let chunks = grounding.objects("groundingChunks");
    let source = |index: usize| {
        let chunk = chunks.get(index)?;
        let web = chunk.object("web").or_else(|| chunk.object("maps"))?;
        Some((web.filled("uri")?, web.filled("title")))
    };
    let mut is_used = vec![false; chunks.len()];
    for support in grounding.objects("groundingSupports") {
        let span = support.object("segment").and_then(|segment| span(&segment, text));
        let indices = support.raw("groundingChunkIndices").and_then(items).unwrap_or_default();
        for index in indices.into_iter().filter_map(as_u64).filter_map(|index| usize::try_from(index).ok()) {
            if let Some((url, title)) = source(index) {
                is_used[index] = true;
                let size = url.len() + title.as_ref().map_or(0, String::len);
                let Some(left) = room.checked_sub(size) else { return };
                room = left;
                citations.push(Citation { url, title, cited_text: None, span });
            }
        }
    }
    for index in (0..chunks.len()).filter(|index| !is_used[*index]) {
        if let Some((url, title)) = source(index) {
            citations.push(Citation { url, title, cited_text: None, span: None });
        }
    }
}

/// A segment's start and end in characters; `None`: it is not of this text.
fn span(segment: &Fields<'_>, text: &str) -> Option<(u64, u64)> {
    let start = usize::try_from(segment.u64("startIndex").unwrap_or(0)).ok()?;
    let end = usize::try_from(segment.u64("endIndex")?).ok()?;
    let before = text.get(..start)?;
    let inside = text.get(start..end)?;
    let is_other = segment.str("text").is_some_and(|said| said != inside);
    let start = before.chars().count();
    let end = start + inside.chars().count();
    if is_other { None } else { Some((u64::try_from(start).ok()?, u64::try_from(end).ok()?)) }
}

/// Sources on the way to the client: each with the start and end in bytes of the whole text.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<Source>);

#[derive(Debug)]
struct Source {
    url: String,
    title: Option<String>,
    span: Option<(usize, usize)>,
}

impl Sources {
    /// `block` is the text that the span counts in, `before` the bytes of the answer's text ahead of it.
    pub(super) fn add(&mut self, citation: &Citation, block: &str, before: usize) {
        let span = citation.span.and_then(|(start, end)| {
            let at = |count: u64| {
                let count = usize::try_from(count).ok()?;
                block.char_indices().map(|(at, _)| at).chain([block.len()]).nth(count)
            };
            Some((before + at(start)?, before + at(end)?))
        });
        self.0.push(Source { url: citation.url.clone(), title: citation.title.clone(), span });
    }

    pub(super) fn write(&self) -> Option<ObjectWriter> {
        if self.0.is_empty() {
            return None;
        }
        let mut chunks = ArrayWriter::new();
        let mut supports = ArrayWriter::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        for source in &self.0 {
            let next = known.len();
            let index = *known.entry(&source.url).or_insert_with(|| {
                let web = ObjectWriter::new().str("uri", &source.url);
                let web = web.maybe(source.title.as_deref(), |out, title| out.str("title", title));
                chunks.push(ObjectWriter::new().object("web", web));
                next
            });
            if let Some((start, end)) = source.span {
                let segment = ObjectWriter::new()
                    .json("startIndex", &start.to_string())
                    .json("endIndex", &end.to_string());
                let support = ObjectWriter::new().object("segment", segment);
                supports.push(support.json("groundingChunkIndices", &format!("[{index}]")));
            }
        }
        let out = ObjectWriter::new().array("groundingChunks", chunks);
        Some(if supports.is_empty() { out } else { out.array("groundingSupports", supports) })
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, Sources, read};

    #[test]
    fn bytes_become_characters_and_bytes_again() {
        let candidate = br#"{"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}},{"web":{"uri":"https://b"}}],"groundingSupports":[{"segment":{"startIndex":3,"endIndex":6,"text":"bc "},"groundingChunkIndices":[0,7]}]}}"#;
        let text = "äabc d";
        let citations = read(&Fields::parse(candidate).unwrap(), text);
        let spans: Vec<_> = citations.iter().map(|citation| (citation.url.as_str(), citation.span)).collect();
        assert_eq!(spans, [("https://a", Some((2, 5))), ("https://b", None)]);
        let mut sources = Sources::default();
        for citation in &citations {
            sources.add(citation, text, 10);
        }
        let expected = r#"{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}},{"web":{"uri":"https://b"}}],"groundingSupports":[{"segment":{"startIndex":13,"endIndex":16},"groundingChunkIndices":[0]}]}"#;
        assert_eq!(sources.write().unwrap().finish(), expected);
    }
}

//! A content block: an object with its kind as its one key.

use crate::form::CacheTtl;
use crate::json::{ArrayWriter, ObjectWriter};

/// A block, and whether the prompt up to here is to be cached.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) json: ObjectWriter,
    pub(super) cache: Option<CacheTtl>,
    pub(super) is_document: bool,
    pub(super) is_text: bool,
}

impl Block {
    pub(super) const fn new(json: ObjectWriter) -> Self {
        Self { json, cache: None, is_document: false, is_text: false }
    }

    pub(super) fn media(kind: &str, media: ObjectWriter) -> Self {
        Self::new(ObjectWriter::new().object(kind, media))
    }

    pub(super) fn document(document: ObjectWriter) -> Self {
        Self { is_document: true, ..Self::media("document", document) }
    }
}

/// Blocks, and a cache point behind each that has a mark.
pub(super) fn array(blocks: impl IntoIterator<Item = Block>) -> ArrayWriter {
    let mut array = ArrayWriter::new();
    for block in blocks {
        array.push(block.json);
        if let Some(ttl) = block.cache {
            array.push(cache_point(ttl));
        }
    }
    array
}

pub(super) fn cache_point(ttl: CacheTtl) -> ObjectWriter {
    let point = ObjectWriter::of_type("default");
    ObjectWriter::new()
        .object("cachePoint", if ttl == CacheTtl::Hour1 { point.str("ttl", "1h") } else { point })
}

pub(super) fn text(text: &str) -> Block {
    Block { is_text: true, ..Block::new(ObjectWriter::new().str("text", text)) }
}

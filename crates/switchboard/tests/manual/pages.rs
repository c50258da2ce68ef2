//! The pages, and their fenced blocks.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The text of a file, which is named from the root of the repository.
pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The pages of the book, from the root of the repository: `docs/redis.md`.
pub(crate) fn book() -> Vec<String> {
    let mut found = Vec::new();
    collect(&root().join("docs"), "docs", &mut found);
    found.retain(|page| page != "docs/SUMMARY.md");
    found.sort();
    found
}

/// The pages of the book, and those at the root of the repository.
pub(crate) fn all() -> Vec<String> {
    let outside = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    outside.map(str::to_owned).into_iter().chain(book()).collect()
}

fn collect(folder: &Path, name: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{name}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &name, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(name);
        }
    }
}

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The word behind the fence.
    pub(crate) language: String,
    /// What stands in it.
    pub(crate) text: String,
}

/// The fenced blocks of a text, also those within lists.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), text: String::new() });
            }
            (None, Some(block)) => {
                block.text += line;
                block.text.push('\n');
            }
            (None, None) => (),
        }
    }
    assert!(open.is_none(), "a fence is open at the end");
    found
}

/// The lines outside of fenced blocks.
pub(crate) fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_block = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    })
}

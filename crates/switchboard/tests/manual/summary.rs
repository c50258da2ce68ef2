//! The table of contents has every page once, and nothing else.

use std::collections::BTreeSet;

use crate::{
    headings::heading,
    links::{resolve, targets},
    pages::{book, read, root},
};

#[test]
fn the_summary_has_every_page_once() {
    let entries: Vec<String> =
        targets(&read("docs/SUMMARY.md")).iter().map(|target| resolve("docs", target)).collect();
    let distinct: BTreeSet<&String> = entries.iter().collect();
    assert_eq!(distinct.len(), entries.len(), "a page is listed twice: {entries:?}");
    let pages = book();
    let missing: Vec<_> = pages.iter().filter(|page| !distinct.contains(page)).collect();
    let dead: Vec<_> = entries.iter().filter(|entry| !pages.contains(entry)).collect();
    assert!(missing.is_empty() && dead.is_empty(), "not in docs/SUMMARY.md: {missing:?}; no page: {dead:?}");
}

/// The book shows the heading, and the table of contents its own words.
#[test]
fn every_page_begins_with_its_title() {
    for page in book() {
        let text = read(&page);
        let first = text.lines().next().and_then(heading);
        assert!(first.is_some(), "{page} begins with no heading");
        let titles = crate::pages::prose(&text).filter(|line| line.starts_with("# ")).count();
        assert_eq!(titles, 1, "{page} has another title");
    }
}

#[test]
fn the_book_is_made_from_this_folder() {
    let book: toml::Table = read("docs/book.toml").parse().unwrap();
    assert_eq!(book["book"]["src"].as_str(), Some("."));
    // What is built must not be a part of what is built the next time.
    let target = book["build"]["build-dir"].as_str().unwrap();
    assert!(resolve("docs", target).starts_with("target/"), "{target}");
    assert_eq!(book["build"]["create-missing"].as_bool(), Some(false));
    let command = book["preprocessor"]["repository-links"]["command"].as_str().unwrap();
    assert!(root().join("docs").join(command.split(' ').next_back().unwrap()).exists(), "{command}");
}

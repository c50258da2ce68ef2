//! `docs/vendors.md` lists the table of vendors' words. `WRITE=1 cargo test -p dialects --test vendors_page` brings it up to
//! date.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use dialects::error::{ErrorCategory, Wording, wordings};

/// The page's part above this line is written by hand.
const MARK: &str = "<!-- From here on written by crates/dialects/tests/vendors_page.rs -->\n";

const KINDS: [(ErrorCategory, &str); 6] = [
    (ErrorCategory::ContextTooLong, "Context too long"),
    (ErrorCategory::RequestTooLarge, "More than the account may ask for at once"),
    (ErrorCategory::UnknownModel, "Unknown model"),
    (ErrorCategory::ContentPolicy, "Content refused"),
    (ErrorCategory::QuotaExhausted, "Spent credit"),
    (ErrorCategory::InvalidKey, "The key is not accepted"),
];

#[test]
fn the_page_lists_every_row() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vendors.md");
    let page = fs::read_to_string(&path).unwrap();
    let (by_hand, listed) = page.split_once(MARK).unwrap();
    let expected = tables();
    if std::env::var_os("WRITE").is_some() {
        fs::write(&path, format!("{by_hand}{MARK}{expected}")).unwrap();
    } else if listed != expected {
        let line = listed.lines().zip(expected.lines()).find(|(listed, expected)| listed != expected);
        panic!(
            "docs/vendors.md is not up to date: WRITE=1 cargo test -p dialects --test vendors_page\n{line:#?}"
        );
    }
}

#[test]
fn every_row_is_of_a_kind_that_the_page_has() {
    for wording in wordings() {
        assert!(KINDS.iter().any(|(kind, _)| *kind == wording.meaning), "{wording:?}");
        assert!(!wording.vendor.is_empty() && !wording.source.is_empty(), "{wording:?}");
    }
}

fn tables() -> String {
    let mut page = String::new();
    for (kind, title) in KINDS {
        writeln!(page, "\n## {title}\n").unwrap();
        page.push_str(
            "| vendor | status | type or code | the message | seen |\n| --- | --- | --- | --- | --- |\n",
        );
        for wording in wordings().filter(|wording| wording.meaning == kind) {
            page.push_str(&row(&wording));
        }
    }
    page
}

fn row(wording: &Wording) -> String {
    let Wording { vendor, statuses, names, words, source, .. } = wording;
    let statuses: Vec<String> = statuses.iter().map(ToString::to_string).collect();
    let statuses = if statuses.is_empty() { "any 4xx".to_owned() } else { statuses.join(", ") };
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let names = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
    let words = if words.is_empty() { "–".to_owned() } else { code(words) };
    let source = match source.split_once('/') {
        Some((host, _)) if host.contains('.') && !source.contains(' ') => format!("<https://{source}>"),
        _ => (*source).to_owned(),
    };
    format!("| {vendor} | {statuses} | {names} | {words} | {source} |\n")
}

/// Text as code in a cell, whatever is in it.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

//! Files that tests write, as a whole or below a mark.

use std::fs;

use crate::pages::{read, root};

/// The part of a page above this line is written by an author.
pub(crate) const MARK: &str =
    "<!-- From here on written by `WRITE=1 cargo test -p switchboard --test manual` -->\n";

/// The part of the page below the mark is `expected`. With `WRITE=1` it is made so.
pub(crate) fn assert_page(page: &str, expected: &str) {
    let text = read(page);
    let (manual, _) = text.split_once(MARK).unwrap_or_else(|| panic!("{page} lacks the line {MARK}"));
    assert_file(page, &format!("{manual}{MARK}\n{}\n", expected.trim()));
}

/// The file is `expected`. With `WRITE=1` it is made so.
pub(crate) fn assert_file(name: &str, expected: &str) {
    let path = root().join(name);
    let found = fs::read_to_string(&path).unwrap_or_default();
    if found == expected {
        return;
    }
    if std::env::var_os("WRITE").is_some() {
        fs::write(&path, expected).unwrap();
        return;
    }
    let differing = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    panic!("{name} is not up to date: WRITE=1 cargo test -p switchboard --test manual\n{differing:#?}");
}

/// Text for a cell of a table.
pub(crate) fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

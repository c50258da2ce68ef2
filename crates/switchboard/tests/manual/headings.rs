//! Headings and their anchors, as GitHub and mdBook make them.

use std::collections::BTreeMap;

use crate::pages::prose;

/// The anchors of a page. A heading that comes again has a number behind it.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let mut seen = BTreeMap::<String, usize>::new();
    let headings = prose(text).filter_map(heading);
    headings
        .map(|heading| {
            let anchor = anchor(heading);
            let times = seen.entry(anchor.clone()).or_default();
            *times += 1;
            if *times == 1 { anchor } else { format!("{anchor}-{}", *times - 1) }
        })
        .collect()
}

/// The text of a heading's line.
pub(crate) fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    (text.len() < line.len()).then(|| text.strip_prefix(' ')).flatten()
}

fn anchor(heading: &str) -> String {
    let is_kept = |letter: &char| letter.is_alphanumeric() || "-_ ".contains(*letter);
    heading
        .to_lowercase()
        .chars()
        .filter(is_kept)
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

#[test]
fn anchors_are_those_of_github() {
    let page = "# What it costs\n## 1. Is it over?\n```sh\n# no heading\n```\n## `[breaker]`\n## A: b, c (d)\n## A: b, c (d)\n";
    let expected = ["what-it-costs", "1-is-it-over", "breaker", "a-b-c-d", "a-b-c-d-1"];
    assert_eq!(anchors(page), expected);
}

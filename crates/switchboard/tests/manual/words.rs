//! The manual uses the words of the glossary in CONTRIBUTING.md.

use crate::pages::{book, prose, read};

/// What is not to be said, and what to say instead.
const WORDS: [(&str, &str); 18] = [
    ("somebody", "an operator, a caller"),
    ("a person", "an operator"),
    ("by hand", "manually"),
    ("told", "reported, notified"),
    ("hears of", "is notified of, counts"),
    ("hear of", "are notified of"),
    ("is away", "is unreachable"),
    ("passes by", "skips"),
    ("passed by", "skipped"),
    ("spoken to", "called"),
    ("broken off", "aborted, truncated"),
    ("in the balance", "outcome unknown"),
    ("spent credit", "exhausted quota"),
    ("taken up", "applied, reloaded"),
    ("under way", "in flight, active"),
    ("mended", "fixed, repaired"),
    ("of no account", "not counted"),
    ("for ever", "forever"),
];

/// Pages that still have to be rewritten, or quote others. A new page is none of them.
const EXEMPT: [&str; 7] = [
    "docs/dashboard.md",
    "docs/dialects.md",
    "docs/es/",
    "docs/faults.md",
    "docs/guarantees/faults.md",
    "docs/guarantees/model.md",
    "docs/vendors.md",
];

#[test]
fn the_pages_use_the_words_of_the_glossary() {
    let mut wrong = Vec::new();
    for page in book().into_iter().filter(|page| !EXEMPT.iter().any(|exempt| page.starts_with(exempt))) {
        for line in prose(&read(&page)) {
            // Code keeps its spelling.
            let plain: Vec<&str> = line.split('`').step_by(2).collect();
            let plain = plain.join("`").to_lowercase();
            let words: Vec<&str> = plain.split(|letter: char| !letter.is_alphanumeric()).collect();
            let spaced = format!(" {} ", words.join(" "));
            for (word, better) in WORDS.iter().filter(|(word, _)| spaced.contains(&format!(" {word} "))) {
                wrong.push(format!("{page}: {word}: say {better}\n    {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

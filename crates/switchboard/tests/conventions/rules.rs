//! Every rule that is cited is defined in `docs/guarantees.md`, and no page outside the repository is cited.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::repository;

/// The families of rules: the breaker, calls, degradation, the fleet, cost, liveness, Open SWE, limits, safety, translation.
const FAMILIES: &str = "BCDFKLOQST";

/// Where the rules are defined.
const DEFINITIONS: &str = "docs/guarantees.md";

#[test]
fn every_cited_rule_is_defined() {
    let root = repository::root();
    let defined = definitions(&repository::read(&root.join(DEFINITIONS)));
    let cited = citations(&root);
    let undefined: Vec<_> = cited.iter().filter(|(rule, _)| !defined.contains(*rule)).collect();
    assert!(undefined.is_empty(), "{DEFINITIONS} does not define: {undefined:?}");
}

#[test]
fn every_defined_rule_is_cited() {
    let root = repository::root();
    let cited = citations(&root);
    let defined = definitions(&repository::read(&root.join(DEFINITIONS)));
    let uncited: Vec<_> = defined.iter().filter(|rule| !cited.contains_key(*rule)).collect();
    assert!(uncited.is_empty(), "no code, test or table cites these rules of {DEFINITIONS}: {uncited:?}");
}

#[test]
fn a_rule_is_defined_once() {
    let text = repository::read(&repository::root().join(DEFINITIONS));
    let rules: Vec<_> = text.lines().filter_map(defined_rule).collect();
    let twice: Vec<_> =
        rules.iter().filter(|rule| rules.iter().filter(|other| other == rule).count() > 1).collect();
    assert!(twice.is_empty(), "defined more than once: {twice:?}");
}

#[test]
fn no_page_outside_the_repository_is_cited() {
    // Spelled in two parts, so that this file is not found.
    let words = [concat!("DES", "IGN"), concat!("eference ", "0."), concat!("of the ref", "erence")];
    let mut found = Vec::new();
    for file in documents(&repository::root()) {
        for (number, line) in repository::read(&file).lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {line}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The rules that a page's tables define: a row whose first cell is the rule's name.
fn definitions(page: &str) -> BTreeSet<String> {
    page.lines().filter_map(defined_rule).collect()
}

fn defined_rule(line: &str) -> Option<String> {
    let name = line.strip_prefix("| ")?.split(" |").next()?;
    (rules(name) == [name]).then(|| name.to_owned())
}

/// The rules that code, tests and pages cite, each with the first file that does.
fn citations(root: &Path) -> BTreeMap<String, PathBuf> {
    let mut cited = BTreeMap::new();
    for file in documents(root) {
        let text = repository::read(&file);
        let is_definition = |line: &str| file.ends_with(DEFINITIONS) && defined_rule(line).is_some();
        for rule in text.lines().filter(|line| !is_definition(line)).flat_map(rules) {
            cited.entry(rule.to_owned()).or_insert_with(|| file.clone());
        }
    }
    cited
}

/// Everything that may cite a rule.
fn documents(root: &Path) -> Vec<PathBuf> {
    let is_text = |path: &Path| {
        let ending = path.extension().unwrap_or_default();
        ["rs", "md", "lua", "toml", "yml", "py", "ts", "sh"].iter().any(|text| ending == *text)
    };
    let mut files: Vec<_> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "switchboard.example.toml"]
            .map(|name| root.join(name))
            .into();
    for folder in ["crates", "docs", "deploy", "examples", "tests"] {
        files.extend(repository::files(&root.join(folder), &is_text));
    }
    files
}

/// The names of rules in a text: a letter of a family and a number, as a word of their own; `Value::F64` is none.
fn rules(text: &str) -> Vec<&str> {
    let is_word = |letter: char| letter.is_alphanumeric() || "_-#&%.:".contains(letter);
    let words = text.split(|letter| !is_word(letter)).map(|word| word.trim_end_matches(['.', ':']));
    words.filter(|word| is_rule(word)).collect()
}

fn is_rule(word: &str) -> bool {
    let mut letters = word.chars();
    let is_family = letters.next().is_some_and(|family| FAMILIES.contains(family));
    let number = letters.as_str();
    is_family && (1..=2).contains(&number.len()) && number.bytes().all(|digit| digit.is_ascii_digit())
}

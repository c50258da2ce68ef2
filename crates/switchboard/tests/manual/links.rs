//! Links lead to files, and to headings in them.

use std::collections::BTreeMap;

use crate::{
    headings::anchors,
    pages::{all, prose, read, root},
};

/// The targets of the links and pictures of a text.
pub(crate) fn targets(text: &str) -> Vec<String> {
    let lines = prose(text).collect::<Vec<_>>().join("\n");
    // Code is no link.
    let plain: String = lines.split('`').step_by(2).collect::<Vec<_>>().join("`");
    plain.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut anchors_of = BTreeMap::new();
    let mut wrong = Vec::new();
    for page in all() {
        let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
        for target in targets(&read(&page)).into_iter().filter(|target| !target.contains("://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if file.is_empty() { page.clone() } else { resolve(folder, file) };
            if !root().join(&file).exists() {
                wrong.push(format!("{page}: {target}: no such file"));
            } else if !anchor.is_empty() {
                let known = anchors_of.entry(file.clone()).or_insert_with(|| anchors(&read(&file)));
                if !known.iter().any(|known| known == anchor) {
                    wrong.push(format!("{page}: {target}: no such heading; {file} has {known:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A path that is relative to a folder, from the root of the repository.
pub(crate) fn resolve(folder: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            ".." => _ = parts.pop(),
            "." | "" => (),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn code_is_no_link() {
    assert_eq!(
        targets("[a](b.md#c) `[x](y)` ![p](images/q.svg)\n```text\n[n](o)\n```\n"),
        ["b.md#c", "images/q.svg"]
    );
    assert_eq!(resolve("docs/guides", "../redis.md"), "docs/redis.md");
}

//! The preprocessor of the book: links that lead out of it go to the repository.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::pages::root;

/// A chapter as mdBook gives it, through the preprocessor.
fn preprocess(url: &str, path: &str, content: &str) -> String {
    let context = json!({ "config": { "preprocessor": { "repository-links": { "url": url } } } });
    let chapter = json!({ "Chapter": { "path": path, "content": content, "sub_items": [] } });
    let mut process = Command::new("python3")
        .arg("repository_links.py")
        .current_dir(root().join("docs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = json!([context, { "items": ["Separator", chapter] }]).to_string();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = process.wait_with_output().unwrap();
    assert!(ended.status.success());
    let book: Value = serde_json::from_slice(&ended.stdout).unwrap();
    book["items"][1]["Chapter"]["content"].as_str().unwrap().to_owned()
}

#[test]
fn links_out_of_the_book_go_to_the_repository() {
    let url = "https://example.com/blob/main/";
    for (path, content, expected) in [
        ("redis.md", "[c](../c.yml)", "[c](https://example.com/blob/main/c.yml)"),
        ("guides/a.md", "[e](../../examples/e.py#x)", "[e](https://example.com/blob/main/examples/e.py#x)"),
        ("guides/a.md", "[r](../redis.md#x)", "[r](../redis.md#x)"),
        (
            "a.md",
            "[w](https://example.org/../a) ![p](images/p.svg)",
            "[w](https://example.org/../a) ![p](images/p.svg)",
        ),
        (
            "a.md",
            "`[c](../c.yml)`\n```text\n[c](../c.yml)\n```\n",
            "`[c](../c.yml)`\n```text\n[c](../c.yml)\n```\n",
        ),
    ] {
        assert_eq!(preprocess(url, path, content), expected);
    }
}

/// A book without an address has no dead links.
#[test]
fn without_an_address_they_are_text() {
    assert_eq!(preprocess("", "guides/a.md", "see [c](../../c.yml), [b](b.md)"), "see c, [b](b.md)");
}

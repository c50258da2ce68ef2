//! The examples in the pages are valid: TOML as a configuration, JSON, YAML, shell and Python as such.

use std::{
    collections::BTreeSet,
    io::Write as _,
    process::{Command, Stdio},
};

use switchboard::config::{Config, Environment, SourceFile, Sources};

use crate::pages::{all, blocks, book, read};

/// The variables that a text takes from the environment.
fn variables(text: &str) -> BTreeSet<String> {
    let names = text.split("${").skip(1).filter_map(|rest| rest.split('}').next());
    names.filter_map(|name| name.split(':').next()).map(str::to_owned).collect()
}

/// A configuration in a page is one that `config check` accepts, where its variables are set.
#[test]
fn configurations_in_the_pages_are_valid() {
    let mut count = 0;
    for page in book() {
        for block in blocks(&read(&page)).into_iter().filter(|block| block.language == "toml") {
            let keys =
                ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GROQ_API_KEY", "CEREBRAS_API_KEY"];
            let names: BTreeSet<String> =
                variables(&block.text).into_iter().chain(keys.map(str::to_owned)).collect();
            // No two keys of callers may be the same.
            let environment = Environment::from_pairs(names.into_iter().map(|name| (name.clone(), name)));
            let file = SourceFile { path: "switchboard.toml".into(), text: block.text.clone() };
            let loaded = Config::load(&Sources { file: Some(file), environment, listen: None });
            assert!(loaded.is_ok(), "{page}: {}\n{}", loaded.unwrap_err(), block.text);
            count += 1;
        }
    }
    assert!(count >= 15, "{count}");
}

#[test]
fn json_and_yaml_in_the_pages_are_valid() {
    for page in all() {
        for block in blocks(&read(&page)) {
            let error = match block.language.as_str() {
                "json" => serde_json::from_str::<serde_json::Value>(&block.text)
                    .err()
                    .map(|error| error.to_string()),
                "yaml" => {
                    let parsed = serde_saphyr::from_multiple::<serde_json::Value>(&block.text);
                    parsed.err().map(|error| error.to_string())
                }
                _ => None,
            };
            assert!(error.is_none(), "{page}: {}\n{}", error.unwrap(), block.text);
        }
    }
}

/// What `bash` and Python say of the syntax alone; nothing is run.
#[test]
fn scripts_in_the_pages_can_be_read() {
    for page in all() {
        for block in blocks(&read(&page)) {
            let (program, arguments): (&str, &[&str]) = match block.language.as_str() {
                "sh" => ("bash", &["-n"]),
                "python" => ("python3", &["-c", "import ast, sys; ast.parse(sys.stdin.read())"]),
                _ => continue,
            };
            let mut process = Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            process.stdin.take().unwrap().write_all(block.text.as_bytes()).unwrap();
            let ended = process.wait_with_output().unwrap();
            assert!(
                ended.status.success(),
                "{page}: {}\n{}",
                String::from_utf8_lossy(&ended.stderr),
                block.text
            );
        }
    }
}

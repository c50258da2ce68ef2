//! The files: requests in the callers' formats, answers in the providers'.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::format::Format;

fn file(folder: &str, format: Format, matter: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialects");
    tests.join(folder).join(format.name()).join(format!("{matter}.json"))
}

fn read(path: &Path) -> Option<Value> {
    let text = std::fs::read(path).ok()?;
    Some(serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// The request about this matter, but for the model's name and the wish for a stream.
pub(crate) fn request(caller: Format, matter: &str) -> Option<Value> {
    read(&file("bodies", caller, matter))
}

/// The answer about this matter.
pub(crate) fn answer(provider: Format, matter: &str) -> Option<Value> {
    read(&file("answers", provider, matter)).or_else(|| read(&file("answers", provider, "text")))
}

//! The types of the official SDKs, which every body to a provider and every answer to a caller must fit.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::format::Format;
use crate::said;
use crate::world::Answer;

/// A body, and what it is.
#[derive(Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) name: String,
    format: &'static str,
    kind: &'static str,
    stream: bool,
    body: Value,
}

impl Sample {
    pub(crate) fn request(format: Format, body: &Value, stream: bool, name: String) -> Self {
        Self { name, format: format.name(), kind: "request", stream, body: body.clone() }
    }

    /// A stream's events, a plain answer, or an error.
    pub(crate) fn answer(format: Format, answer: &Answer, stream: bool, name: String) -> Self {
        let is_stream = stream && answer.status == 200;
        let body = if is_stream {
            json!(said::events(&answer.body))
        } else {
            serde_json::from_str(&answer.body).unwrap_or_else(|_| json!(answer.body))
        };
        let kind = if answer.status == 200 { "answer" } else { "error" };
        Self { name, format: format.name(), kind, stream: is_stream, body }
    }
}

#[derive(Debug, Deserialize)]
struct Unfit {
    name: String,
    kind: String,
    faults: Vec<String>,
}

/// What does not fit.
pub(crate) fn check(samples: &[Sample]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "the official SDKs are not installed: run ./test, which installs them");
    let mut process = Command::new(python)
        .arg(root.join("tests/sdk/dialect_types.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    // Of Converse's requests there are no types: the laws of `translate` check them by Bedrock's rules.
    let samples = samples.iter().filter(|sample| sample.format != Format::Converse.name());
    let lines: Vec<String> = samples.map(|sample| serde_json::to_string(sample).unwrap() + "\n").collect();
    let writer = std::thread::spawn(move || {
        for line in lines {
            stdin.write_all(line.as_bytes()).unwrap();
        }
    });
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "the process of the SDKs' types failed");
    let unfit: Vec<Unfit> = serde_json::from_slice(&output.stdout).unwrap();
    let messages = unfit.into_iter().map(|unfit| {
        format!("{}: {} is none of the SDK's: {}", unfit.name, unfit.kind, unfit.faults.join("; "))
    });
    messages.collect()
}

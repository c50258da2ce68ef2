//! Exchanges with real providers, recorded: the seeds of what speaks an API format.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use dialects::Dialect;
use serde_json::Value;

/// The variable that names a folder of more recordings.
pub const MORE_RECORDINGS: &str = "FUZZ_RECORDINGS";

/// One exchange.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) dialect: Dialect,
    pub(crate) request: Vec<u8>,
    pub(crate) response: ResponseBody,
    pub(crate) is_error: bool,
}

/// What the provider sent.
#[derive(Debug)]
pub(crate) enum ResponseBody {
    Whole(Vec<u8>),
    Stream(Vec<u8>),
    /// Messages of AWS' event stream.
    Messages(Vec<u8>),
}

/// Those of the repository, and of [`MORE_RECORDINGS`].
pub(crate) fn recordings() -> Vec<Recording> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../translate/tests/recordings");
    let more = std::env::var_os(MORE_RECORDINGS).map(PathBuf::from);
    let mut paths: Vec<_> = [Some(own), more].into_iter().flatten().flat_map(files).collect();
    paths.sort();
    paths.iter().filter_map(|path| read(path)).collect()
}

fn files(folder: PathBuf) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|name| name == "json"))
        .collect()
}

fn read(path: &Path) -> Option<Recording> {
    let json: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let dialect = match json["dialect"].as_str()? {
        "openai-chat" => Dialect::OpenAiChat,
        "openai-responses" => Dialect::OpenAiResponses,
        "anthropic-messages" => Dialect::Anthropic,
        "gemini" => Dialect::Gemini,
        "bedrock-converse" => Dialect::BedrockConverse,
        _ => return None,
    };
    let response = &json["response"];
    let body = match (response["sse"].as_str(), response["base64"].as_str()) {
        (Some(stream), _) => ResponseBody::Stream(stream.as_bytes().to_vec()),
        (None, Some(messages)) => ResponseBody::Messages(STANDARD.decode(messages).ok()?),
        (None, None) => ResponseBody::Whole(response["json"].to_string().into_bytes()),
    };
    Some(Recording {
        dialect,
        request: json["request"]["body"].to_string().into_bytes(),
        response: body,
        is_error: response["status"].as_u64().is_some_and(|status| status >= 400),
    })
}

//! Gemini's list of models, as its only page.

use serde_json::{Value, json};

pub(super) fn model(name: &str) -> Value {
    json!({
        "name": format!("models/{name}"),
        "displayName": name,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}

pub(super) fn list(models: &[Value]) -> Value {
    json!({ "models": models })
}

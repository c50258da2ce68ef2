//! OpenAI's list of models.

use serde_json::{Value, json};

pub(super) fn model(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": 0, "owned_by": "switchboard"})
}

pub(super) fn list(models: &[Value]) -> Value {
    json!({"object": "list", "data": models})
}

//! Anthropic's list of models, as its only page.

use serde_json::{Value, json};

pub(super) fn model(name: &str) -> Value {
    json!({"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"})
}

pub(super) fn list(models: &[Value]) -> Value {
    let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
    let (first, last) = (id(models.first()), id(models.last()));
    json!({"data": models, "has_more": false, "first_id": first, "last_id": last})
}

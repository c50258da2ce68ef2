//! What OpenAI asks of a JSON schema that it is to keep strictly.

use serde_json::Value;
use serde_json::value::RawValue;

/// Deeper schemas are not looked into: OpenAI takes ten levels.
const DEPTH: usize = 64;

/// Whether OpenAI takes this schema as a strict one: every object is closed, and all of its properties are required.
pub(super) fn is_strict(schema: &RawValue) -> bool {
    serde_json::from_str::<Value>(schema.get()).is_ok_and(|schema| keeps(&schema, DEPTH))
}

fn keeps(schema: &Value, depth: usize) -> bool {
    let Value::Object(fields) = schema else { return !schema.is_array() };
    if depth == 0 {
        return false;
    }
    let properties = fields.get("properties").and_then(Value::as_object);
    let of_object = properties.is_some() || names_object(fields.get("type"));
    if of_object {
        let closed = fields.get("additionalProperties") == Some(&Value::Bool(false));
        let required: Vec<&str> = fields
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let all = properties.is_none_or(|all| all.keys().all(|name| required.contains(&name.as_str())));
        if !closed || !all {
            return false;
        }
    }
    let maps = ["properties", "$defs", "definitions"];
    let below = maps.iter().filter_map(|key| fields.get(*key)?.as_object()).flat_map(|map| map.values());
    let lists = ["anyOf", "prefixItems"];
    let listed = lists.iter().filter_map(|key| fields.get(*key)?.as_array()).flatten();
    let unknown = ["oneOf", "allOf", "not", "if", "patternProperties", "dependentSchemas"];
    !unknown.iter().any(|key| fields.contains_key(*key))
        && below.chain(listed).chain(fields.get("items")).all(|schema| keeps(schema, depth - 1))
}

fn names_object(kind: Option<&Value>) -> bool {
    match kind {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_strict;
    use crate::json::raw_of;

    #[test]
    fn open_objects_and_optional_properties_are_not_strict() {
        let strict = |schema: &str| is_strict(&raw_of(schema).unwrap());
        let closed = r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#;
        assert!(strict(closed) && strict(r#"{"type":"string"}"#));
        assert!(!strict(&closed.replace(r#""required":["a"]"#, r#""required":[]"#)));
        assert!(!strict(&closed.replace(r#","additionalProperties":false"#, "")));
        assert!(!strict(&format!(r#"{{"type":"array","items":{}}}"#, r#"{"type":"object"}"#)));
        assert!(strict(&format!(r#"{{"anyOf":[{closed},{{"type":"null"}}]}}"#)));
    }
}

//! Fits a JSON schema to what Anthropic's structured outputs know.
//!
//! They know types, properties, `enum` and `const` of plain values, `anyOf`, `allOf`, `$ref`, a few formats; objects
//! must be closed. The official SDKs move everything else into the description. So it is done here, but for a schema
//! that must be kept strictly.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// A schema that can be kept; the error says what stands against it. What fits stays byte for byte.
pub(super) fn fit(schema: &RawValue, strict: bool) -> Result<String, String> {
    let value: Value = serde_json::from_str(schema.get()).map_err(|_| "is no JSON schema".to_owned())?;
    let fitted = fit_value(&value, strict)?;
    Ok(if fitted == value { schema.get().to_owned() } else { fitted.to_string() })
}

/// Whether nothing needs to be changed.
pub(super) fn is_kept_as_it_is(schema: &RawValue) -> bool {
    fit(schema, true).is_ok_and(|fitted| fitted == schema.get())
}

fn fit_value(schema: &Value, strict: bool) -> Result<Value, String> {
    let Value::Object(schema) = schema else { return Err("leaves a value open".to_owned()) };
    if let Some(Value::Array(types)) = schema.get("type") {
        return fit_types(schema, types, strict);
    }
    let mut fitted = Map::new();
    let mut moved = Vec::new();
    if let Some(reference) = schema.get("$ref") {
        // What stands beside a reference is not looked at.
        for key in ["$defs", "definitions"] {
            if let Some(definitions) = schema.get(key) {
                fitted.insert("$defs".to_owned(), fit_each(definitions, strict)?);
            }
        }
        let reference = reference.as_str().unwrap_or_default().replace("#/definitions/", "#/$defs/");
        fitted.insert("$ref".to_owned(), reference.into());
        return Ok(fitted.into());
    }
    for (key, value) in schema {
        fit_keyword(key, value, strict, &mut fitted, &mut moved)?;
    }
    close(schema, &mut fitted)?;
    if !["type", "anyOf", "allOf", "enum", "const"].iter().any(|key| fitted.contains_key(*key)) {
        return Err("leaves a value open".to_owned());
    }
    if !moved.is_empty() {
        let said = fitted.get("description").and_then(Value::as_str);
        let said = said.map(|said| format!("{said}\n\n")).unwrap_or_default();
        fitted.insert("description".to_owned(), format!("{said}{{{}}}", moved.join(", ")).into());
    }
    Ok(fitted.into())
}

fn fit_keyword(
    key: &str,
    value: &Value,
    strict: bool,
    fitted: &mut Map<String, Value>,
    moved: &mut Vec<String>,
) -> Result<(), String> {
    let is_plain = |value: &Value| !value.is_object() && !value.is_array();
    let (key, value) = match (key, value) {
        ("$schema" | "$id" | "$comment" | "$anchor" | "discriminator" | "propertyOrdering", _)
        | ("additionalProperties", _) => return Ok(()),
        ("type" | "description" | "title" | "required", _) => (key, value.clone()),
        ("$defs" | "definitions", _) => ("$defs", fit_each(value, strict)?),
        ("properties", _) => (key, fit_each(value, strict)?),
        ("items", Value::Object(_)) => (key, fit_value(value, strict)?),
        ("anyOf" | "oneOf", Value::Array(kinds)) => ("anyOf", fit_all(kinds, strict)?),
        ("allOf", Value::Array(kinds)) => (key, fit_all(kinds, strict)?),
        ("enum", Value::Array(values)) if values.iter().all(is_plain) => (key, value.clone()),
        ("const", value) if is_plain(value) => (key, value.clone()),
        ("format", Value::String(format)) if FORMATS.contains(&format.as_str()) => (key, value.clone()),
        ("minItems", Value::Number(least)) if matches!(least.as_u64(), Some(0 | 1)) => (key, value.clone()),
        // These only describe.
        ("default" | "examples" | "example" | "deprecated" | "readOnly" | "writeOnly" | "format", _) => {
            moved.push(format!("{key}: {}", describe(value)));
            return Ok(());
        }
        ("patternProperties" | "unevaluatedProperties", _) => return Err(format!("has `{key}`")),
        _ if strict => return Err(format!("has `{key}`")),
        _ => {
            moved.push(format!("{key}: {}", describe(value)));
            return Ok(());
        }
    };
    fitted.insert(key.to_owned(), value);
    Ok(())
}

fn describe(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// Objects are closed. One that takes any property cannot be kept.
fn close(schema: &Map<String, Value>, fitted: &mut Map<String, Value>) -> Result<(), String> {
    let has_properties =
        schema.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
    let is_object = schema.get("type").and_then(Value::as_str) == Some("object");
    if !is_object && !has_properties {
        return Ok(());
    }
    let is_open = match schema.get("additionalProperties") {
        Some(Value::Bool(false)) => false,
        None | Some(Value::Bool(true)) => !has_properties,
        Some(_) => true,
    };
    if is_open {
        return Err("has an object of any properties".to_owned());
    }
    fitted.entry("type").or_insert_with(|| "object".into());
    fitted.entry("properties").or_insert_with(|| Map::new().into());
    fitted.insert("additionalProperties".to_owned(), false.into());
    Ok(())
}

/// Several types: one variant each.
fn fit_types(schema: &Map<String, Value>, types: &[Value], strict: bool) -> Result<Value, String> {
    let mut variants = Vec::new();
    for kind in types {
        let mut variant = match kind.as_str() {
            Some("null") => Map::new(),
            _ => schema.clone(),
        };
        for outer in ["description", "title", "$defs", "definitions"] {
            variant.shift_remove(outer);
        }
        if let Some(Value::Array(values)) = variant.get_mut("enum") {
            values.retain(|value| !value.is_null());
        }
        variant.insert("type".to_owned(), kind.clone());
        variants.push(fit_value(&variant.into(), strict)?);
    }
    let mut fitted = Map::new();
    for (key, value) in schema {
        if ["description", "title", "$defs", "definitions"].contains(&key.as_str()) {
            fit_keyword(key, value, strict, &mut fitted, &mut Vec::new())?;
        }
    }
    fitted.insert("anyOf".to_owned(), variants.into());
    Ok(fitted.into())
}

fn fit_each(schemas: &Value, strict: bool) -> Result<Value, String> {
    let Value::Object(schemas) = schemas else { return Err("is no JSON schema".to_owned()) };
    let mut fitted = Map::new();
    for (name, schema) in schemas {
        fitted.insert(name.clone(), fit_value(schema, strict)?);
    }
    Ok(fitted.into())
}

fn fit_all(schemas: &[Value], strict: bool) -> Result<Value, String> {
    schemas.iter().map(|schema| fit_value(schema, strict)).collect::<Result<Vec<_>, _>>().map(Value::from)
}

#[cfg(test)]
mod tests {
    use super::{fit, is_kept_as_it_is};
    use crate::json::raw_of;

    fn fitted(schema: &str, strict: bool) -> Result<String, String> {
        fit(&raw_of(schema).unwrap(), strict)
    }

    #[test]
    fn what_fits_stays_byte_for_byte() {
        let schema = r#"{ "type":"object","properties":{"a":{"type":"string","enum":["x"]}},"required":["a"],"additionalProperties":false}"#;
        assert_eq!(fitted(schema, true).unwrap(), schema);
        assert!(is_kept_as_it_is(&raw_of(schema).unwrap()));
    }

    #[test]
    fn what_is_not_known_moves_into_the_description() {
        let schema = r#"{"type":"object","properties":{"n":{"type":["integer","null"],"minimum":1,"description":"N"}}}"#;
        let expected = r#"{"type":"object","properties":{"n":{"description":"N","anyOf":[{"type":"integer","description":"{minimum: 1}"},{"type":"null"}]}},"additionalProperties":false}"#;
        assert_eq!(fitted(schema, false).unwrap(), expected);
        assert_eq!(fitted(schema, true), Err("has `minimum`".to_owned()));
    }

    #[test]
    fn what_is_open_cannot_be_kept() {
        for schema in [
            r#"{"type":"object"}"#,
            r#"{"type":"object","additionalProperties":{"type":"string"}}"#,
            r#"{"type":"object","properties":{"a":{}}}"#,
            "true",
        ] {
            assert!(fitted(schema, false).is_err(), "{schema}");
        }
    }

    #[test]
    fn old_definitions_and_one_of_have_new_names() {
        let schema = r##"{"definitions":{"A":{"type":"string"}},"oneOf":[{"$ref":"#/definitions/A"},{"type":"null"}]}"##;
        let expected =
            r##"{"$defs":{"A":{"type":"string"}},"anyOf":[{"$ref":"#/$defs/A"},{"type":"null"}]}"##;
        assert_eq!(fitted(schema, true).unwrap(), expected);
    }
}

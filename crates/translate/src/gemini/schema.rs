//! Gemini's schemas, a subset of OpenAPI's with types in upper case, as JSON Schema.

use serde_json::value::RawValue;

use super::fields::{camel_case, list};
use crate::json::{ArrayWriter, Object, ObjectWriter, as_str, items, raw_of};

/// Deeper schemas stay as they are: nobody nests so deep, and a body must not exhaust the stack.
const MAX_DEPTH: usize = 64;

/// The JSON schema that says the same.
pub(super) fn to_json_schema(schema: &RawValue) -> Box<RawValue> {
    raw_of(&convert(schema, 0)).unwrap_or_else(|| schema.to_owned())
}

fn convert(schema: &RawValue, depth: usize) -> String {
    let Some(object) = Object::of(schema).filter(|_| depth < MAX_DEPTH) else {
        return schema.get().to_owned();
    };
    let nullable = object.bool("nullable") == Some(true);
    let mut out = ObjectWriter::new();
    for (name, value) in object.iter() {
        if value.get() == "null" && !matches!(name, "default" | "example") {
            continue;
        }
        out = keyword(out, name, value, nullable, depth);
    }
    out.finish()
}

fn keyword(out: ObjectWriter, name: &str, value: &RawValue, nullable: bool, depth: usize) -> ObjectWriter {
    match camel_case(name).as_ref() {
        "nullable" | "propertyOrdering" => out,
        "type" => types(out, value, nullable),
        "enum" if nullable => out.json("enum", &with_null(value, "null")),
        key @ "enum" => out.raw(key, value),
        "anyOf" if nullable => out.json("anyOf", &with_null_of(&each(value, depth), r#"{"type":"null"}"#)),
        key @ ("anyOf" | "oneOf" | "allOf" | "prefixItems") => out.json(key, &each(value, depth)),
        key @ ("items" | "additionalProperties" | "not") => out.json(key, &convert(value, depth + 1)),
        key @ ("properties" | "patternProperties") => out.json(key, &named(value, depth)),
        "defs" | "$defs" | "definitions" => out.json("$defs", &named(value, depth)),
        "ref" | "$ref" => out
            .json("$ref", &value.get().replace("#/definitions/", "#/$defs/").replace("#/defs/", "#/$defs/")),
        key @ ("minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties") => {
            // Protobuf's JSON writes 64-bit numbers as text.
            match as_str(value).filter(|text| text.parse::<u64>().is_ok()) {
                Some(number) => out.json(key, &number),
                None => out.raw(key, value),
            }
        }
        _ => out.raw(name, value),
    }
}

fn types(out: ObjectWriter, value: &RawValue, nullable: bool) -> ObjectWriter {
    let mut types: Vec<String> =
        list(value).into_iter().filter_map(as_str).map(|name| name.to_lowercase()).collect();
    types.retain(|name| name != "type_unspecified");
    if nullable && !types.is_empty() && !types.iter().any(|name| name == "null") {
        types.push("null".to_owned());
    }
    match types.as_slice() {
        [] => out,
        [one] => out.str("type", one),
        several => {
            let mut names = ArrayWriter::new();
            for name in several {
                names.push_str(name);
            }
            out.array("type", names)
        }
    }
}

/// A list of schemas.
fn each(value: &RawValue, depth: usize) -> String {
    let mut out = ArrayWriter::new();
    for schema in list(value) {
        out.push_json(&convert(schema, depth + 1));
    }
    out.finish()
}

/// Schemas by name: the names are no keywords.
fn named(value: &RawValue, depth: usize) -> String {
    let Some(object) = Object::of(value) else { return value.get().to_owned() };
    object
        .iter()
        .fold(ObjectWriter::new(), |out, (name, schema)| out.json(name, &convert(schema, depth + 1)))
        .finish()
}

fn with_null(value: &RawValue, null: &str) -> String {
    match items(value) {
        Some(list) if !list.iter().any(|item| item.get() == null) => with_null_of(value.get(), null),
        _ => value.get().to_owned(),
    }
}

fn with_null_of(array: &str, null: &str) -> String {
    match array.strip_suffix(']') {
        Some("[") => format!("[{null}]"),
        Some(rest) => format!("{rest},{null}]"),
        None => array.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEPTH, to_json_schema};
    use crate::json::raw_of;

    fn converted(schema: &str) -> String {
        to_json_schema(&raw_of(schema).unwrap()).get().to_owned()
    }

    #[test]
    fn types_become_lower_case_and_properties_keep_their_names() {
        let schema = r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true},"n":{"type":"INTEGER","format":"int32","minimum":1.0}},"required":["type"],"property_ordering":["n"]}"#;
        let expected = r#"{"type":"object","properties":{"type":{"type":["string","null"]},"n":{"type":"integer","format":"int32","minimum":1.0}},"required":["type"]}"#;
        assert_eq!(converted(schema), expected);
    }

    #[test]
    fn nested_schemas_too() {
        let cases = [
            (
                r#"{"type":"ARRAY","items":{"anyOf":[{"type":"STRING"}]},"min_items":"2"}"#,
                r#"{"type":"array","items":{"anyOf":[{"type":"string"}]},"minItems":2}"#,
            ),
            (
                r#"{"anyOf":[{"type":"NUMBER"}],"nullable":true}"#,
                r#"{"anyOf":[{"type":"number"},{"type":"null"}]}"#,
            ),
            (
                r#"{"type":"STRING","enum":["A"],"nullable":true}"#,
                r#"{"type":["string","null"],"enum":["A",null]}"#,
            ),
            (
                r#"{"type":"object","additionalProperties":false,"default":null}"#,
                r#"{"type":"object","additionalProperties":false,"default":null}"#,
            ),
            (
                r##"{"defs":{"a":{"type":"STRING"}},"ref":"#/defs/a"}"##,
                r##"{"$defs":{"a":{"type":"string"}},"$ref":"#/$defs/a"}"##,
            ),
        ];
        for (schema, expected) in cases {
            assert_eq!(converted(schema), expected);
        }
    }

    #[test]
    fn what_is_too_deep_stays() {
        let deep = format!("{}{{}}{}", r#"{"items":"#.repeat(MAX_DEPTH * 3), "}".repeat(MAX_DEPTH * 3));
        assert_eq!(converted(&deep), deep);
    }
}

//! Changes JSON and leaves it JSON, more or less: types, names, nesting, numbers, doubled fields, lone surrogates.

use std::ops::Range;

use fastrand::Rng;
use serde_json::{Map, Value};

use crate::dictionary::WORDS;

/// Text that no JSON value can hold, and that takes the place of a string.
const RAW: [&str; 12] = [
    "1e999",
    "-1e999",
    "1E400",
    "-0",
    "123456789012345678901234567890",
    "0.1e-999",
    "\"\\ud800\"",
    "\"\\udc00x\"",
    "\"\\u0000\"",
    "\"\\ud83d\"",
    "18446744073709551616",
    "-9223372036854775809",
];

/// What stands for the text of [`RAW`] until the value is written.
const PLACEHOLDER: &str = "@raw";

/// The deepest nesting that is made.
const MAX_NESTING: usize = 300;

/// The input with its JSON changed: the whole, or one line's (`data: …`). `None`: it has none.
pub(crate) fn mutate(rng: &mut Rng, input: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let range = find_json(rng, input)?;
    let mut value: Value = serde_json::from_slice(&input[range.clone()]).ok()?;
    let donor = find_json(rng, other).and_then(|range| serde_json::from_slice::<Value>(&other[range]).ok());
    let count = count(&value);
    let mut index = rng.usize(0..count);
    if let Some(node) = nth(&mut value, &mut index) {
        change(rng, node, donor);
    }
    let text = write(rng, &value);
    Some([&input[..range.start], text.as_bytes(), &input[range.end..]].concat())
}

/// Where the JSON is: from the first brace of the input or of a line to its end.
fn find_json(rng: &mut Rng, input: &[u8]) -> Option<Range<usize>> {
    let is_brace = |byte: &u8| matches!(byte, b'{' | b'[');
    let first = input.iter().position(is_brace)?;
    let end = input.trim_ascii_end().len();
    if serde_json::from_slice::<serde::de::IgnoredAny>(&input[first..end]).is_ok() {
        return Some(first..end);
    }
    let from = rng.usize(0..input.len());
    let line_start = input[from..].iter().position(|byte| *byte == b'\n').map_or(0, |end| from + end + 1);
    let start = line_start + input[line_start..].iter().position(is_brace)?;
    let end = input[start..].iter().position(|byte| *byte == b'\n').map_or(input.len(), |end| start + end);
    Some(start..end)
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn nth<'a>(value: &'a mut Value, index: &mut usize) -> Option<&'a mut Value> {
    if *index == 0 {
        return Some(value);
    }
    *index -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, index)),
        Value::Object(fields) => fields.values_mut().find_map(|field| nth(field, index)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn change(rng: &mut Rng, node: &mut Value, donor: Option<Value>) {
    match rng.u8(0..12) {
        0 | 1 => *node = any_value(rng),
        2 => {
            // A part of another input.
            if let Some(mut donor) = donor {
                let mut index = rng.usize(0..count(&donor));
                if let Some(part) = nth(&mut donor, &mut index) {
                    *node = part.take();
                }
            }
        }
        3 => {
            for _ in 0..rng.usize(1..MAX_NESTING) {
                *node = nested(rng, node.take());
            }
        }
        4 => *node = nested(rng, node.take()),
        5 => *node = Value::String(node.to_string()),
        6 => {
            if let Value::String(text) = node
                && let Ok(value) = serde_json::from_str(text)
            {
                *node = value;
            }
        }
        _ => match node {
            Value::Array(items) => change_items(rng, items),
            Value::Object(fields) => change_fields(rng, fields),
            _ => *node = any_value(rng),
        },
    }
}

fn nested(rng: &mut Rng, value: Value) -> Value {
    if rng.bool() {
        Value::Array(vec![value])
    } else {
        Value::Object(Map::from_iter([(field_name(rng), value)]))
    }
}

fn change_items(rng: &mut Rng, items: &mut Vec<Value>) {
    if items.is_empty() {
        return items.push(any_value(rng));
    }
    let (one, two) = (rng.usize(0..items.len()), rng.usize(0..items.len()));
    match rng.u8(0..4) {
        0 => drop(items.remove(one)),
        1 => items.swap(one, two),
        2 => items.insert(two, items[one].clone()),
        _ => {
            let item = items[one].clone();
            items.extend(std::iter::repeat_n(item, rng.usize(1..8)));
        }
    }
}

fn change_fields(rng: &mut Rng, fields: &mut Map<String, Value>) {
    let names: Vec<_> = fields.keys().cloned().collect();
    let (Some(one), Some(two)) = (rng.choice(&names), rng.choice(&names)) else {
        fields.insert(field_name(rng), any_value(rng));
        return;
    };
    let value = fields.get(one).cloned().unwrap_or_default();
    match rng.u8(0..5) {
        0 => drop(fields.remove(one)),
        1 => drop(fields.insert(two.clone(), value)),
        2 => {
            fields.remove(one);
            fields.insert(field_name(rng), value);
        }
        3 => drop(fields.insert(field_name(rng), any_value(rng))),
        // Written without the mark: the field is doubled.
        _ => drop(fields.insert(format!("{one}{PLACEHOLDER}"), any_value(rng))),
    }
}

fn any_value(rng: &mut Rng) -> Value {
    match rng.u8(0..12) {
        0 => Value::Null,
        1 => Value::Bool(rng.bool()),
        2 => Value::from(rng.u64(..)),
        3 => Value::from(rng.i64(-2..300)),
        4 => Value::from(""),
        5 => Value::Array(Vec::new()),
        6 => Value::Object(Map::new()),
        7 => Value::from(format!("{PLACEHOLDER}{}", rng.usize(0..RAW.len()))),
        8 => Value::from("x".repeat(rng.usize(0..300))),
        9 => Value::from("\u{1f600}\u{2028}\"\\\n\u{0}"),
        _ => Value::from(field_name(rng)),
    }
}

fn field_name(rng: &mut Rng) -> String {
    rng.choice(WORDS).copied().unwrap_or_default().to_owned()
}

fn write(rng: &mut Rng, value: &Value) -> String {
    let mut text = if rng.u8(0..8) == 0 {
        serde_json::to_string_pretty(value).unwrap_or_default()
    } else {
        value.to_string()
    };
    for (index, raw) in RAW.iter().enumerate().rev() {
        text = text.replace(&format!("\"{PLACEHOLDER}{index}\""), raw);
    }
    text.replace(PLACEHOLDER, "")
}

//! Bodies that are almost right: with other blanks, or with something missing, doubled or replaced.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::sample::{Index, select};
use serde_json::Value;
use serde_json::value::RawValue;

use super::requests::json_value;
use crate::json::{Object, items, push_str};

/// What happens to one value of a body.
#[derive(Debug, Clone)]
pub(super) struct BodyMutation {
    at: Index,
    how: How,
}

#[derive(Debug, Clone)]
enum How {
    Drop,
    /// Once more, in a list; or under the name of the next field.
    Double,
    Replace(Value),
}

pub(super) fn changes() -> impl Strategy<Value = Vec<BodyMutation>> {
    let replaced = json_value().prop_map(|json| How::Replace(serde_json::from_str(&json).unwrap()));
    let how = proptest::prop_oneof![select(vec![How::Drop, How::Double]), replaced];
    vec((any::<Index>(), how).prop_map(|(at, how)| BodyMutation { at, how }), 1..5)
}

pub(super) fn changed(body: &str, changes: &[BodyMutation]) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    for change in changes {
        let count = count(&value);
        if count > 0 {
            apply(&mut value, &mut change.at.index(count), &change.how);
        }
    }
    value.to_string()
}

/// How many values there are within.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(|item| 1 + count(item)).sum(),
        Value::Object(fields) => fields.values().map(|field| 1 + count(field)).sum(),
        _ => 0,
    }
}

/// Changes the value that `left` counts down to.
fn apply(value: &mut Value, left: &mut usize, how: &How) -> bool {
    match value {
        Value::Array(items) => {
            for at in 0..items.len() {
                if *left == 0 {
                    match how {
                        How::Drop => drop(items.remove(at)),
                        How::Double => items.insert(at, items[at].clone()),
                        How::Replace(other) => items[at] = other.clone(),
                    }
                    return true;
                }
                *left -= 1;
                if apply(&mut items[at], left, how) {
                    return true;
                }
            }
        }
        Value::Object(fields) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            for (at, name) in names.iter().enumerate() {
                if *left == 0 {
                    match how {
                        How::Drop => drop(fields.remove(name)),
                        How::Double => {
                            let doubled = fields[name].clone();
                            fields.insert(names[(at + 1) % names.len()].clone(), doubled);
                        }
                        How::Replace(other) => drop(fields.insert(name.clone(), other.clone())),
                    }
                    return true;
                }
                *left -= 1;
                if fields.get_mut(name).is_some_and(|field| apply(field, left, how)) {
                    return true;
                }
            }
        }
        _ => {}
    }
    false
}

/// Values that go through byte for byte, blanks included.
const VERBATIM: [&str; 9] = [
    "args",
    "input_schema",
    "metadata",
    "parameters",
    "parametersJsonSchema",
    "response",
    "responseJsonSchema",
    "schema",
    "json_schema",
];

/// The same JSON with blanks wherever they say nothing.
pub(super) fn spaced(body: &str, blanks: &[&'static str]) -> String {
    let raw: Box<RawValue> = serde_json::from_str(body).unwrap();
    let mut writer = Spaced { blanks: blanks.to_vec(), next: 0, out: String::new() };
    writer.value(&raw, "");
    writer.out
}

struct Spaced {
    blanks: Vec<&'static str>,
    next: usize,
    out: String,
}

impl Spaced {
    fn value(&mut self, raw: &RawValue, name: &str) {
        // The input of a call in Anthropic's format; a responses request's `input` is a list.
        let is_call = name == "input" && raw.get().starts_with('{');
        if VERBATIM.contains(&name) || is_call {
            self.out.push_str(raw.get());
        } else if let Some(object) = Object::of(raw) {
            let mut before = '{';
            for (name, value) in object.iter() {
                self.sign(std::mem::replace(&mut before, ','));
                push_str(&mut self.out, name);
                self.sign(':');
                self.value(value, name);
            }
            self.out.push_str(if before == '{' { "{}" } else { "}" });
        } else if let Some(list) = items(raw) {
            let mut before = '[';
            for item in list {
                self.sign(std::mem::replace(&mut before, ','));
                self.value(item, "");
            }
            self.out.push_str(if before == '[' { "[]" } else { "]" });
        } else {
            self.out.push_str(raw.get());
        }
    }

    /// A sign with blanks around it.
    fn sign(&mut self, sign: char) {
        for text in ["", sign.encode_utf8(&mut [0; 4])] {
            self.out.push_str(text);
            self.next += 1;
            self.out.push_str(self.blanks[self.next % self.blanks.len()]);
        }
    }
}

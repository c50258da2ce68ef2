//! A conversation as it is compared.

use serde_json::{Value, json};

/// Turns of one role after another, with neighbours of the same role and neighbouring texts joined.
#[derive(Default)]
pub(crate) struct Turns(Vec<(String, Vec<Value>)>);

impl Turns {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, role: &str, parts: Vec<Value>) {
        if parts.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some((last, all)) if last == role => all.extend(parts),
            _ => self.0.push((role.to_owned(), parts)),
        }
    }

    /// The name of the call with this id.
    pub(crate) fn call_name(&self, id: &Value) -> Value {
        let mut calls = self.0.iter().flat_map(|(_, parts)| parts).filter_map(|part| part.get("call"));
        calls.rfind(|call| call["id"] == *id).map_or(Value::Null, |call| call["name"].clone())
    }

    pub(crate) fn finish(self) -> Value {
        let without_id = |mut part: Value| {
            if let Some(call) = part.get_mut("call").and_then(Value::as_object_mut) {
                call.remove("id");
            }
            part
        };
        let turns = self.0.into_iter().map(|(role, parts)| {
            json!({"role": role, "parts": parts.into_iter().map(without_id).collect::<Vec<_>>()})
        });
        turns.collect()
    }
}

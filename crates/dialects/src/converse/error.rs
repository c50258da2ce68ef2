//! The shape of AWS's errors: a message alone. The type is in a header, or is an event's name.

use serde_json::{Value, json};

use crate::error_body::{is_exception_name, message};

pub(super) fn object(message: &str) -> Value {
    json!({ "message": message })
}

/// The data of an exception's event has its body within.
pub(super) fn body(error: &Value) -> Option<Value> {
    message(error).map(|message| object(&message))
}

/// Of an exception whose name is gone, only the message is left.
pub(super) fn event(body: &Value) -> String {
    const UNNAMED: &str = "internalServerException";
    let named = body.as_object().filter(|fields| fields.keys().any(|name| is_exception_name(name)));
    match named {
        Some(_) => format!("data: {body}\n\n"),
        None => format!("event: {UNNAMED}\ndata: {}\n\n", json!({ UNNAMED: body })),
    }
}

//! How an error ends a stream of OpenAI Responses.

use serde_json::{Value, json};

/// What an event says, in the shape of a response.
pub(super) fn body(error: Value) -> Option<Value> {
    if error.get("error").is_some_and(|error| !error.is_null()) {
        return Some(error);
    }
    let inner = match error["type"].as_str()? {
        "error" => &error,
        "response.failed" => &error["response"]["error"],
        _ => return None,
    };
    let (message, code, param) = (&inner["message"], &inner["code"], &inner["param"]);
    Some(json!({"error": {"message": message, "type": "server_error", "param": param, "code": code}}))
}

/// Two events, as OpenAI itself sends them.
///
/// `error` has its fields twice: at the top as OpenAI's specification has them, which typed clients need, and in an
/// object `error` as OpenAI's servers send them: that makes both official SDKs raise (Python's passes on an event
/// without it). `response.failed` is the only one that Codex acts on. Their numbers are those of a stream without events
/// before, since nobody counts here; no SDK checks them.
pub(super) fn event(body: &Value) -> String {
    let error = &body["error"];
    let (code, message, param) = (&error["code"], &error["message"], &error["param"]);
    let error = json!({
        "type": "error", "sequence_number": 0, "code": code, "message": message, "param": param, "error": error,
    });
    let code = if code.is_string() { code.clone() } else { "server_error".into() };
    let failed = json!({
        "type": "response.failed",
        "sequence_number": 1,
        // All fields that the type of the SDK requires; nobody knows the id by which the stream began.
        "response": {
            "id": "resp_interrupted", "object": "response", "created_at": 0, "status": "failed", "model": "",
            "error": {"code": code, "message": message}, "incomplete_details": null, "instructions": null, "metadata": {},
            "output": [], "parallel_tool_calls": true, "temperature": null, "tool_choice": "auto", "tools": [], "top_p": null,
        },
    });
    format!("event: error\ndata: {error}\n\nevent: response.failed\ndata: {failed}\n\n")
}

//! What plain and streamed answers have in common when they are written.

use crate::envelope;
use crate::form::{Finish, FinishReason, Opaque, OpaqueKind, StreamError, TokenUsage};
use crate::json::{Object, ObjectWriter};
use crate::names::{ANTHROPIC_CALL_ID, derived_id, fit};
use crate::target::AnswerContext;

/// Reasoning's opaque value in its envelope. Text alone gets one too: a thinking block without would be taken for
/// Anthropic's own and refused there.
pub(super) fn sealed(opaque: Option<&Opaque>, has_text: bool, context: &AnswerContext) -> Option<String> {
    let plain = Opaque { kind: OpaqueKind::PlainText, data: String::new(), id: None, owner: None };
    let opaque = match opaque {
        Some(opaque) if has_text || opaque.kind != OpaqueKind::PlainText => opaque,
        _ if has_text => &plain,
        _ => return None,
    };
    Some(envelope::seal(opaque, &context.owner))
}

/// A call without its input. The caller may send its id to Anthropic as it is, which refuses others (`functions.read:0`).
pub(super) fn call(id: &str, name: &str) -> ObjectWriter {
    ObjectWriter::of_type("tool_use").str("id", &fit(id, ANTHROPIC_CALL_ID)).str("name", name)
}

/// What an answer has had so far that its `stop_reason` depends on.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct AnswerParts {
    pub(super) calls: bool,
    pub(super) refusal: bool,
}

/// `stop_reason`, `stop_sequence` and, for a refusal, `stop_details`.
pub(super) fn stop(writer: ObjectWriter, finish: &Finish, seen: AnswerParts) -> ObjectWriter {
    let reason = match finish.reason {
        FinishReason::Stop | FinishReason::ToolCalls | FinishReason::StopSequence if seen.refusal => {
            "refusal"
        }
        FinishReason::ToolCalls => "tool_use",
        FinishReason::Stop if seen.calls => "tool_use",
        FinishReason::Stop | FinishReason::Malformed => "end_turn",
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::Length => "max_tokens",
        FinishReason::ContextFull => "model_context_window_exceeded",
        FinishReason::Filtered => "refusal",
        FinishReason::Paused => "pause_turn",
    };
    let writer = writer.str("stop_reason", reason);
    let writer = match finish.stop_sequence.as_deref().filter(|_| reason == "stop_sequence") {
        Some(sequence) => writer.str("stop_sequence", sequence),
        None => writer.null("stop_sequence"),
    };
    if reason != "refusal" {
        return writer;
    }
    let details = ObjectWriter::of_type("refusal").null("category");
    let details = match &finish.detail {
        Some(detail) => details.str("explanation", detail),
        None => details.null("explanation"),
    };
    writer.object("stop_details", details)
}

/// Here `input_tokens` are without the cached ones.
pub(super) fn usage(usage: TokenUsage) -> ObjectWriter {
    let (read, write) = (usage.cache_read.unwrap_or(0), usage.cache_write.unwrap_or(0));
    let input = usage.input.unwrap_or(0).saturating_sub(read).saturating_sub(write);
    ObjectWriter::new()
        .u64("input_tokens", input)
        .u64("cache_creation_input_tokens", write)
        .u64("cache_read_input_tokens", read)
        .u64("output_tokens", usage.output.unwrap_or(0))
        .maybe(usage.reasoning, |writer, thinking| {
            writer.object("output_tokens_details", ObjectWriter::new().u64("thinking_tokens", thinking))
        })
}

/// The answer's id; one of our own if the provider gives none.
pub(super) fn id(id: Option<&str>, context: &AnswerContext) -> String {
    id.map_or_else(|| derived_id("msg_", &[&context.request_id]), ToOwned::to_owned)
}

/// `{"type":"error","error":{…}}`
pub(super) fn error(error: &StreamError) -> ObjectWriter {
    let own = error.error_type.as_deref().filter(|name| TYPES.iter().any(|(_, known)| known == name));
    let of_status = TYPES.iter().find(|(status, _)| *status == error.status).map(|(_, name)| *name);
    let fallback = if (400..500).contains(&error.status) { "invalid_request_error" } else { "api_error" };
    let error_type = own.or(of_status).unwrap_or(fallback);
    let body = ObjectWriter::of_type(error_type).str("message", &error.message);
    ObjectWriter::of_type("error").object("error", body)
}

const TYPES: [(u16, &str); 13] = [
    (400, "invalid_request_error"),
    (401, "authentication_error"),
    (402, "billing_error"),
    (403, "permission_error"),
    (404, "not_found_error"),
    (408, "timeout_error"),
    (409, "conflict_error"),
    (413, "request_too_large"),
    (429, "rate_limit_error"),
    (500, "api_error"),
    (503, "overloaded_error"),
    (504, "timeout_error"),
    (529, "overloaded_error"),
];

/// A tool's input, which must be an object here, of the JSON text that a model or client gave.
pub(super) fn input_object(json: &str) -> String {
    if Object::parse(json.as_bytes()).is_some() {
        return json.to_owned();
    }
    match json.trim() {
        "" | "null" => "{}".to_owned(),
        _ => ObjectWriter::new().str("_raw", json).finish(),
    }
}

/// The input of a freeform tool, which here is a function with one text parameter.
pub(super) fn freeform_input(text: &str) -> String {
    ObjectWriter::new().str("input", text).finish()
}

#[cfg(test)]
mod tests {
    use super::{call, error, input_object};
    use crate::form::StreamError;

    #[test]
    fn an_input_becomes_an_object() {
        for (json, object) in [
            (r#"{"a" : 1}"#, r#"{"a" : 1}"#),
            ("", "{}"),
            ("null", "{}"),
            (r#"{"a": "#, r#"{"_raw":"{\"a\": "}"#),
            ("[1]", r#"{"_raw":"[1]"}"#),
        ] {
            assert_eq!(input_object(json), object);
        }
    }

    #[test]
    fn a_calls_id_is_one_that_anthropic_takes() {
        assert_eq!(call("call_1", "f").finish(), r#"{"type":"tool_use","id":"call_1","name":"f"}"#);
        let kimis = call("functions.read:0", "f").finish();
        assert!(kimis.starts_with(r#"{"type":"tool_use","id":"functions_read_0_"#), "{kimis}");
    }

    #[test]
    fn an_error_has_a_type_that_the_sdks_know() {
        let written = |status, error_type: Option<&str>| {
            let message = "m".to_owned();
            error(&StreamError { status, error_type: error_type.map(ToOwned::to_owned), code: None, message })
                .finish()
        };
        assert!(written(429, Some("tokens")).contains("rate_limit_error"));
        assert!(written(418, None).contains("invalid_request_error"));
        assert!(written(500, Some("overloaded_error")).contains("overloaded_error"));
    }
}

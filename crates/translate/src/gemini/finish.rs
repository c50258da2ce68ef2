//! Why an answer ended: `finishReason`.

use crate::form::FinishReason;

/// The common form's word; what is not known is taken for a normal end.
pub(super) fn read(reason: &str, has_calls: bool) -> FinishReason {
    match reason {
        "MAX_TOKENS" | "CONTINUATION" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "IMAGE_OTHER" => FinishReason::Filtered,
        // The calls came whole, and clients can say themselves that they do not know a tool.
        "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS" if has_calls => FinishReason::ToolCalls,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE"
        | "OTHER" => FinishReason::Malformed,
        _ if has_calls => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    }
}

pub(super) const fn write(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop | FinishReason::StopSequence | FinishReason::ToolCalls | FinishReason::Paused => {
            "STOP"
        }
        FinishReason::Length | FinishReason::ContextFull => "MAX_TOKENS",
        FinishReason::Filtered => "SAFETY",
        FinishReason::Malformed => "MALFORMED_FUNCTION_CALL",
    }
}

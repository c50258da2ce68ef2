//! Why an answer ended.

use crate::form::{Finish, FinishReason};

/// Reads a `finish_reason`. `called`: the answer has tool calls, which some servers end with `stop`.
pub(super) fn read(reason: Option<&str>, stop_sequence: Option<String>, called: bool) -> Finish {
    let reason = match reason.map(str::to_ascii_lowercase).as_deref() {
        Some("tool_calls" | "function_call" | "tool_use" | "tool_call") => FinishReason::ToolCalls,
        Some("length" | "max_tokens" | "model_length" | "max_output_tokens") => FinishReason::Length,
        Some(
            "content_filter"
            | "content_filtered"
            | "refusal"
            | "safety"
            | "guardrail_intervened"
            | "sensitive",
        ) => FinishReason::Filtered,
        Some("error") => FinishReason::Malformed,
        _ if called => FinishReason::ToolCalls,
        Some("stop_sequence") => FinishReason::StopSequence,
        _ if stop_sequence.is_some() => FinishReason::StopSequence,
        _ => FinishReason::Stop,
    };
    Finish { stop_sequence, ..Finish::new(reason) }
}

/// The word for it. A model's failure has none in this format: it must not look like a good end.
pub(super) const fn as_str(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop | FinishReason::StopSequence | FinishReason::Paused => "stop",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Length | FinishReason::ContextFull => "length",
        FinishReason::Filtered | FinishReason::Malformed => "content_filter",
    }
}

#[cfg(test)]
mod tests {
    use super::{as_str, read};
    use crate::form::FinishReason;

    #[test]
    fn reasons_keep_their_class() {
        let table = [
            (Some("stop"), false, FinishReason::Stop),
            (Some("stop"), true, FinishReason::ToolCalls),
            (Some("length"), true, FinishReason::Length),
            (Some("content_filter"), true, FinishReason::Filtered),
            (Some("eos"), false, FinishReason::Stop),
            (Some(""), true, FinishReason::ToolCalls),
            (Some("function_call"), true, FinishReason::ToolCalls),
            (None, false, FinishReason::Stop),
        ];
        for (reason, called, expected) in table {
            assert_eq!(read(reason, None, called).reason, expected, "{reason:?}");
        }
        assert_eq!(read(Some("stop"), Some("END".to_owned()), false).reason, FinishReason::StopSequence);
        assert_eq!(as_str(FinishReason::ContextFull), "length");
    }
}

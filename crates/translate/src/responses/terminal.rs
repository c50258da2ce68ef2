//! How an answer ends: its status, its usage, its error.

use crate::form::{Finish, FinishReason, StreamError, TokenUsage};
use crate::json::{Object, ObjectWriter};

/// Codes that clients of this API know (Codex acts on most of them).
const CODES: [(&str, u16); 10] = [
    ("context_length_exceeded", 400),
    ("insufficient_quota", 429),
    ("invalid_prompt", 400),
    ("rate_limit_exceeded", 429),
    ("server_error", 500),
    ("server_is_overloaded", 503),
    ("slow_down", 503),
    ("usage_not_included", 429),
    ("image_content_policy_violation", 400),
    ("data_residency_mismatch", 400),
];

/// The end of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    /// With the reason.
    Incomplete(&'static str),
    Failed,
}

impl End {
    /// `refused`: the refusal is told in words, which is a complete answer here.
    pub(super) fn of(finish: &Finish, refused: bool) -> Self {
        match finish.reason {
            FinishReason::Length | FinishReason::ContextFull => Self::Incomplete("max_output_tokens"),
            FinishReason::Filtered if !refused => Self::Incomplete("content_filter"),
            FinishReason::Malformed => Self::Failed,
            FinishReason::Stop
            | FinishReason::StopSequence
            | FinishReason::ToolCalls
            | FinishReason::Filtered
            | FinishReason::Paused => Self::Completed,
        }
    }

    pub(super) const fn status(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed => "failed",
        }
    }
}

/// Why it ended, of a response with this status.
pub(super) fn read_finish(response: &Object<'_>, status: &str, called: bool, refused: bool) -> Finish {
    let details = response.object("incomplete_details");
    let reason = details.as_ref().and_then(|details| details.str("reason"));
    Finish::new(match (status, reason.as_deref()) {
        ("incomplete", Some("content_filter")) => FinishReason::Filtered,
        ("incomplete", _) => FinishReason::Length,
        _ if called => FinishReason::ToolCalls,
        _ if refused => FinishReason::Filtered,
        _ => FinishReason::Stop,
    })
}

pub(super) fn read_usage(response: &Object<'_>) -> Option<TokenUsage> {
    let usage = response.object("usage")?;
    let input = usage.object("input_tokens_details");
    let output = usage.object("output_tokens_details");
    let read = TokenUsage {
        input: usage.count("input_tokens"),
        cache_read: input.as_ref().and_then(|details| details.count("cached_tokens")),
        cache_write: input.as_ref().and_then(|details| details.count("cache_write_tokens")),
        output: usage.count("output_tokens"),
        reasoning: output.as_ref().and_then(|details| details.count("reasoning_tokens")),
    };
    (read != TokenUsage::default()).then_some(read)
}

pub(super) fn usage(usage: TokenUsage) -> ObjectWriter {
    let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    let details = ObjectWriter::new()
        .u64("cached_tokens", usage.cache_read.unwrap_or(0))
        .u64("cache_write_tokens", usage.cache_write.unwrap_or(0));
    ObjectWriter::new()
        .u64("input_tokens", input)
        .object("input_tokens_details", details)
        .u64("output_tokens", output)
        .object(
            "output_tokens_details",
            ObjectWriter::new().u64("reasoning_tokens", usage.reasoning.unwrap_or(0)),
        )
        .u64("total_tokens", input.saturating_add(output))
}

/// An error object, or a string, or the fields of an event itself.
pub(super) fn read_error(holder: &Object<'_>) -> StreamError {
    let nested = holder.object("error");
    let error = nested.as_ref().unwrap_or(holder);
    let code = error.string("code").or_else(|| error.u64("code").map(|code| code.to_string()));
    let error_type = error.string("type").filter(|kind| kind != "error");
    let said =
        error.string("message").or_else(|| holder.string("error")).or_else(|| holder.string("message"));
    let named = [&code, &error_type].into_iter().flatten().find_map(|word| status_of(word));
    let status =
        error.u64("status").or_else(|| holder.u64("status")).and_then(|status| u16::try_from(status).ok());
    StreamError {
        status: status.filter(|status| (400..600).contains(status)).or(named).unwrap_or(500),
        error_type,
        code,
        message: said.unwrap_or_else(|| "the provider reports a failure".to_owned()),
    }
}

fn status_of(word: &str) -> Option<u16> {
    let known = CODES.iter().find(|(code, _)| *code == word).map(|(_, status)| *status);
    known.or_else(|| word.parse().ok().filter(|status| (400..600).contains(status))).or(match word {
        "authentication_error" | "invalid_api_key" => Some(401),
        "overloaded_error" | "service_unavailable" => Some(503),
        "permission_error" => Some(403),
        "rate_limit_error" | "too_many_requests" => Some(429),
        _ if word.starts_with("invalid_") || word.starts_with("image_") => Some(400),
        _ => None,
    })
}

pub(super) fn error(error: &StreamError) -> ObjectWriter {
    ObjectWriter::new().str("code", code_of(error)).str("message", &error.message)
}

/// A code of this API, by which its clients decide whether to come again.
fn code_of(error: &StreamError) -> &str {
    if let Some(code) = error.code.as_deref().filter(|code| CODES.iter().any(|(known, _)| known == code)) {
        return code;
    }
    let message = error.message.to_ascii_lowercase();
    let too_long = ["prompt is too long", "context length", "context window", "input is too long"];
    match error.status {
        400 | 413 if too_long.iter().any(|words| message.contains(words)) => "context_length_exceeded",
        402 => "insufficient_quota",
        429 => "rate_limit_exceeded",
        503 | 529 => "server_is_overloaded",
        400 | 404 | 413 | 422 => "invalid_prompt",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests {
    use super::{code_of, read_error};
    use crate::form::StreamError;
    use crate::json::Object;

    #[test]
    fn an_error_is_told_by_a_code_that_clients_know() {
        let code = |status, code: Option<&str>, message: &str| {
            let code = code.map(ToOwned::to_owned);
            code_of(&StreamError { status, error_type: None, code, message: message.to_owned() }).to_owned()
        };
        assert_eq!(code(529, Some("overloaded_error"), "Overloaded"), "server_is_overloaded");
        assert_eq!(code(429, Some("insufficient_quota"), "x"), "insufficient_quota");
        assert_eq!(code(400, None, "prompt is too long: 9 tokens > 5 maximum"), "context_length_exceeded");
        assert_eq!(code(500, None, "x"), "server_error");
    }

    #[test]
    fn an_error_stands_in_the_event_or_in_an_object() {
        let read = |json: &str| read_error(&Object::parse(json.as_bytes()).unwrap());
        let flat = read(r#"{"type":"error","code":"rate_limit_exceeded","message":"slowly","param":null}"#);
        assert_eq!((flat.status, flat.message.as_str(), flat.error_type), (429, "slowly", None));
        let nested = read(r#"{"error":{"type":"invalid_request_error","code":null,"message":"no"}}"#);
        assert_eq!((nested.status, nested.message.as_str()), (400, "no"));
        assert_eq!(read(r#"{"error":"broken"}"#).message, "broken");
    }
}

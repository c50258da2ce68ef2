//! Refusals of opaque reasoning that the provider did not make (T5).

use serde_json::Value;

use crate::error_body::message;

/// The codes and the words by which providers refuse it: all words of a row, in any case.
///
/// Sources: pydantic/pydantic-ai#4608 (OpenAI), mcheemaa/mistri#33 and tailcallhq/forgecode#2646 (Anthropic),
/// ai.google.dev "Thought signatures" (Gemini). The last row is Anthropic's for calls that another maker's model made without
/// thinking, in a request with a budget for it (can1357/oh-my-pi#1531).
const WORDS: [&[&str]; 5] = [
    &["invalid_encrypted_content"],
    &["encrypted content", "could not be"],
    &["invalid", "signature", "thinking"],
    &["thought", "signature"],
    &["expected `thinking` or `redacted_thinking`", "found `"],
];

/// Whether an error says that reasoning in the request is another maker's or was changed.
#[must_use]
pub fn is_foreign_reasoning(body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return false };
    let code = body["error"]["code"].as_str().unwrap_or_default();
    let words = format!("{code} {}", message(&body).unwrap_or_default()).to_lowercase();
    WORDS.iter().any(|row| row.iter().all(|word| words.contains(word)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::is_foreign_reasoning;

    #[test]
    fn every_maker_says_it_in_its_own_words() {
        for body in [
            json!({"type": "error", "error": {"type": "invalid_request_error",
                "message": "messages.1.content.0: Invalid `signature` in `thinking` block"}}),
            json!({"type": "error", "error": {"type": "invalid_request_error",
                "message": "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. \
                When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding \
                the lastmost set of `tool_use` and `tool_result` blocks)."}}),
            json!({"error": {"message": "The encrypted content gAAA could not be verified.", "type":
                "invalid_request_error", "param": null, "code": "invalid_encrypted_content"}}),
            json!({"error": {"code": 400, "message": "Thought signature is not valid", "status": "INVALID_ARGUMENT"}}),
        ] {
            assert!(is_foreign_reasoning(body.to_string().as_bytes()), "{body}");
        }
        let other = json!({"error": {"message": "thinking is not supported", "code": null}});
        assert!(!is_foreign_reasoning(other.to_string().as_bytes()) && !is_foreign_reasoning(b"x"));
    }
}

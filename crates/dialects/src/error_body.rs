//! What a provider's error means.
//!
//! This is shared by all formats. Proxies, and servers that implement another provider's API, send errors of many
//! shapes, so this reads a document tree and uses the fields that it finds. No successful call comes through here.

use serde_json::{Value, json};

/// A provider's error without its message, which may quote a prompt (C5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBody {
    /// For instance `overloaded_error`.
    pub error_type: Option<String>,
    /// For instance `insufficient_quota`.
    pub error_code: Option<String>,
    /// The HTTP status of the response or, inside a 200, the status that the error names or implies.
    pub status: Option<u16>,
    /// What its words mean.
    pub category: ErrorCategory,
}

/// What an error's words mean, where C2 and B9 distinguish more than the status does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCategory {
    /// The prompt does not fit this model; it may fit another.
    ContextTooLong,
    /// The provider has no such model, or this key may not use it.
    UnknownModel,
    /// Quota or credit is exhausted, or a spend limit is reached: a short wait does not help.
    QuotaExhausted,
    /// Rejected by the provider's content policy.
    ContentPolicy,
    /// None of these: the status decides.
    Other,
}

impl ErrorBody {
    /// Reads the body of a response with `status` to a request for `model`. This succeeds with any body; of a page of
    /// HTML only the status remains.
    #[must_use]
    pub fn from_body(status: u16, model: &str, body: &[u8]) -> Self {
        Self::from_json(Some(status), Some(model), &serde_json::from_slice(body).unwrap_or_default())
    }

    /// Reads an error inside a 200, in the same way.
    #[must_use]
    pub fn from_ok_body(body: &[u8]) -> Self {
        Self::from_json(None, None, &serde_json::from_slice(body).unwrap_or_default())
    }

    /// An error with `status` of which only type and code are known.
    #[must_use]
    pub fn from_codes(status: u16, error_type: Option<&str>, error_code: Option<&str>) -> Self {
        Self::from_json(Some(status), None, &json!({ "type": error_type, "code": error_code }))
    }

    fn from_json(status: Option<u16>, model: Option<&str>, body: &Value) -> Self {
        // vLLM and others put at the top level what OpenAI puts into `error`.
        let error = body.get("error").filter(|error| error.is_object()).unwrap_or(body);
        let error_type = identifier(&error["type"]);
        let error_code = identifier(&error["code"]).or_else(|| identifier(&error["details"]["error_code"]));
        let status = status.or_else(|| implied_status(error_type.as_deref(), error_code.as_deref()));
        let text = ErrorText {
            status,
            identifiers: [error_type.as_deref(), error_code.as_deref()],
            message: message(body).to_ascii_lowercase(),
            model: model.map(str::to_ascii_lowercase),
            flagged: error["metadata"].get("flagged_input").is_some(),
        };
        let category = text.category();
        Self { error_type, error_code, status, category }
    }
}

/// Types and codes are short names. Anything else in their place may be prose and is dropped.
fn identifier(value: &Value) -> Option<String> {
    const MAX_IDENTIFIER_LEN: usize = 64;
    let name = match value {
        Value::String(name) => name.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let fits = (1..=MAX_IDENTIFIER_LEN).contains(&name.len());
    (fits && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))).then_some(name)
}

fn message(body: &Value) -> &str {
    [&body["error"]["message"], &body["message"], &body["error"]]
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or("")
}

/// The status that an error inside a 200 names (OpenRouter: a number as its code) or implies.
fn implied_status(error_type: Option<&str>, code: Option<&str>) -> Option<u16> {
    let status_of = |name: &str| match name {
        "invalid_request_error" | "context_length_exceeded" => Some(400),
        "authentication_error" | "invalid_api_key" => Some(401),
        "billing_error" => Some(402),
        "permission_error" => Some(403),
        "not_found_error" | "model_not_found" => Some(404),
        "request_too_large" => Some(413),
        "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" | "slow_down" => Some(429),
        "api_error" | "server_error" | "internal_error" => Some(500),
        "server_is_overloaded" => Some(503),
        "timeout_error" => Some(504),
        "overloaded_error" => Some(529),
        number => number.parse().ok().filter(|status| (400..600).contains(status)),
    };
    code.and_then(status_of).or_else(|| error_type.and_then(status_of))
}

/// An error's words, including the message. They are matched here and dropped.
struct ErrorText<'a> {
    status: Option<u16>,
    identifiers: [Option<&'a str>; 2],
    message: String,
    /// The requested model; `None`: unknown.
    model: Option<String>,
    flagged: bool,
}

impl ErrorText<'_> {
    fn category(&self) -> ErrorCategory {
        if self.is_context_too_long() {
            ErrorCategory::ContextTooLong
        } else if self.is_unknown_model() {
            ErrorCategory::UnknownModel
        } else if self.is_quota_exhausted() {
            ErrorCategory::QuotaExhausted
        } else if self.is_content_policy() {
            ErrorCategory::ContentPolicy
        } else {
            ErrorCategory::Other
        }
    }

    fn has_identifier(&self, names: &[&str]) -> bool {
        self.identifiers.iter().flatten().any(|name| names.contains(name))
    }

    fn message_contains(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.message.contains(phrase))
    }

    /// Anthropic, vLLM and others have no code for this, only a message.
    fn is_context_too_long(&self) -> bool {
        self.has_identifier(&["context_length_exceeded"])
            || matches!(self.status, Some(400 | 413 | 422))
                && self.message_contains(&[
                    "prompt is too long",
                    "exceed context limit",
                    "maximum context length",
                ])
    }

    /// Anthropic, vLLM and Ollama have no code for this: their message must begin with it and name the requested model. A
    /// request may also name files, tools and other models that are not found, and such a mistake of one caller must not
    /// put the model on cooldown for all.
    fn is_unknown_model(&self) -> bool {
        self.has_identifier(&["model_not_found"])
            || self.status == Some(404)
                && self.mentions_model()
                && (self.has_identifier(&["not_found_error"]) && self.message.starts_with("model:")
                    || ["model ", "the model "].iter().any(|start| self.message.starts_with(start))
                        && self.message_contains(&["not found", "does not exist"]))
    }

    fn mentions_model(&self) -> bool {
        let Some(model) = &self.model else { return false };
        let is_name_char = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        self.message.match_indices(model).any(|(start, _)| {
            let (before, after) = (&self.message[..start], &self.message[start + model.len()..]);
            !before.ends_with(is_name_char) && !after.starts_with(is_name_char)
        })
    }

    fn is_quota_exhausted(&self) -> bool {
        const QUOTA_IDENTIFIERS: [&str; 6] = [
            "insufficient_quota",
            "credit_balance_exhausted",
            "billing_error",
            "billing_hard_limit_reached",
            "billing_not_active",
            "enforced_spend_limit_reached",
        ];
        self.status == Some(402)
            || self.has_identifier(&QUOTA_IDENTIFIERS)
            || self.status == Some(400) && self.message_contains(&["credit balance is too low"])
    }

    fn is_content_policy(&self) -> bool {
        self.flagged || self.has_identifier(&["content_filter", "content_policy_violation"])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{ErrorBody, ErrorCategory};

    fn read(status: impl Into<Option<u16>>, body: &Value) -> ErrorBody {
        let body = body.to_string();
        match status.into() {
            Some(status) => ErrorBody::from_body(status, "Org/a-1", body.as_bytes()),
            None => ErrorBody::from_ok_body(body.as_bytes()),
        }
    }

    fn openai(kind: &str, code: &str, message: &str) -> Value {
        json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
    }

    fn anthropic(kind: &str, message: &str) -> Value {
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})
    }

    #[test]
    fn categories_of_errors() {
        let spend_limit = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "x",
            "details": {"error_code": "enforced_spend_limit_reached"}}});
        let moderated = json!({"error": {"code": 403, "message": "x", "metadata": {"flagged_input": "…"}}});
        for (status, body, category) in [
            (
                400,
                openai("invalid_request_error", "context_length_exceeded", "x"),
                ErrorCategory::ContextTooLong,
            ),
            (
                400,
                anthropic("invalid_request_error", "prompt is too long: 2 > 1 maximum"),
                ErrorCategory::ContextTooLong,
            ),
            (
                400,
                json!({"object": "error", "message": "This model's maximum context length is 8 tokens.",
                "type": "BadRequestError", "code": 400}),
                ErrorCategory::ContextTooLong,
            ),
            (400, anthropic("invalid_request_error", "max_tokens: field required"), ErrorCategory::Other),
            (404, openai("invalid_request_error", "model_not_found", "x"), ErrorCategory::UnknownModel),
            (403, openai("invalid_request_error", "model_not_found", "x"), ErrorCategory::UnknownModel),
            (429, openai("insufficient_quota", "insufficient_quota", "x"), ErrorCategory::QuotaExhausted),
            (
                429,
                openai("insufficient_quota", "credit_balance_exhausted", "x"),
                ErrorCategory::QuotaExhausted,
            ),
            (429, openai("requests", "rate_limit_exceeded", "x"), ErrorCategory::Other),
            (429, spend_limit, ErrorCategory::QuotaExhausted),
            (402, anthropic("billing_error", "x"), ErrorCategory::QuotaExhausted),
            (402, json!({}), ErrorCategory::QuotaExhausted),
            (
                400,
                anthropic("invalid_request_error", "Your credit balance is too low to access it."),
                ErrorCategory::QuotaExhausted,
            ),
            (
                400,
                openai("invalid_request_error", "content_policy_violation", "x"),
                ErrorCategory::ContentPolicy,
            ),
            (400, openai("", "content_filter", "x"), ErrorCategory::ContentPolicy),
            (403, moderated, ErrorCategory::ContentPolicy),
            (500, openai("server_error", "", "the prompt is too long"), ErrorCategory::Other),
        ] {
            assert_eq!(read(status, &body).category, category, "{status} {body}");
        }
    }

    #[test]
    fn only_the_requested_model_is_unknown() {
        let vllm =
            |message: &str| json!({"error": {"message": message, "type": "NotFoundError", "code": 404}});
        for body in [
            openai("invalid_request_error", "model_not_found", "x"),
            anthropic("not_found_error", "model: Org/a-1"),
            vllm("The model `Org/a-1` does not exist."),
            json!({"error": "model \"org/a-1\" not found, try pulling it first"}),
            json!({"error": {"message": "model 'org/a-1:latest' not found", "code": null}}),
        ] {
            assert_eq!(read(404, &body).category, ErrorCategory::UnknownModel, "{body}");
        }
        for body in [
            anthropic("not_found_error", "Not Found"),
            anthropic("not_found_error", "model: a-1"),
            anthropic("not_found_error", "model: Org/a-1-fast"),
            anthropic("not_found_error", "File not found: model Org/a-1.pdf"),
            vllm("The model `draft` does not exist."),
            vllm("The tool `model of Org/a-1` was not found."),
            json!({"error": "model_card.pdf not found"}),
        ] {
            assert_eq!(read(404, &body).category, ErrorCategory::Other, "{body}");
        }
        let error = ErrorBody::from_codes(404, Some("not_found_error"), None);
        assert_eq!(error.category, ErrorCategory::Other, "anything may be not found");
    }

    #[test]
    fn an_error_inside_a_200_names_or_implies_its_status() {
        for (body, status) in [
            (json!({"error": {"code": 502, "message": "x"}}), Some(502)),
            (json!({"error": {"code": "429", "message": "x"}}), Some(429)),
            (anthropic("overloaded_error", "x"), Some(529)),
            (openai("server_error", "", "x"), Some(500)),
            (openai("requests", "rate_limit_exceeded", "x"), Some(429)),
            (json!({"error": {"code": 7, "message": "x"}}), None),
            (json!({"error": "x"}), None),
        ] {
            assert_eq!(read(None, &body).status, status, "{body}");
        }
        assert_eq!(read(503, &anthropic("overloaded_error", "x")).status, Some(503), "the real one counts");
    }

    #[test]
    fn only_names_are_kept() {
        let error = read(500, &openai("you said: my secret", "server_error", "my secret"));
        assert_eq!((error.error_type, error.error_code.as_deref()), (None, Some("server_error")));
        assert_eq!(read(500, &openai("x", &"x".repeat(65), "")).error_code, None);
    }

    #[test]
    fn a_page_of_html_is_an_error_too() {
        let error = ErrorBody::from_body(502, "a", b"<html>Bad Gateway</html>");
        let expected = ErrorBody {
            error_type: None,
            error_code: None,
            status: Some(502),
            category: ErrorCategory::Other,
        };
        assert_eq!(error, expected);
    }
}

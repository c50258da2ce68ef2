//! What the words of an error mean.

use super::category::ErrorCategory;

/// An error's words, including the message. They are matched here and dropped.
pub(super) struct ErrorText<'a> {
    pub(super) status: Option<u16>,
    pub(super) identifiers: [Option<&'a str>; 2],
    /// In lower case, as the model.
    pub(super) message: String,
    /// The requested model; `None`: unknown.
    pub(super) model: Option<String>,
    pub(super) flagged: bool,
    /// Google names the quota: one for a day is not refilled by waiting a little.
    pub(super) daily_quota: bool,
}

impl ErrorText<'_> {
    pub(super) fn category(&self) -> ErrorCategory {
        if self.is_context_too_long() {
            ErrorCategory::ContextTooLong
        } else if self.is_unknown_model() {
            ErrorCategory::UnknownModel
        } else if self.is_quota_exhausted() {
            ErrorCategory::QuotaExhausted
        } else if self.is_content_policy() {
            ErrorCategory::ContentPolicy
        } else if self.is_invalid_key() {
            ErrorCategory::InvalidKey
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

    /// Anthropic, Google, vLLM and others have no code for this, only a message.
    fn is_context_too_long(&self) -> bool {
        const LENGTH_IDENTIFIERS: [&str; 3] =
            ["context_length_exceeded", "exceed_context_size_error", "too_many_prompt_tokens"];
        // OpenAI and Groq: more tokens than the account's limit for a minute, so that waiting does not help.
        let is_over_limit = matches!(self.status, Some(413 | 429))
            && self.message.starts_with("request too large for")
            && self.message_contains(&["requested"]);
        self.has_identifier(&LENGTH_IDENTIFIERS)
            || is_over_limit
            || matches!(self.status, Some(400 | 413 | 422))
                && self.message_contains(&[
                    "prompt is too long",
                    "exceed context limit",
                    "maximum context length",
                    "exceeds the context window",
                    "exceeds the maximum number of tokens",
                    "but the model only supports up to",
                    "input is too long",
                ])
    }

    /// Anthropic, Google, vLLM and Ollama have no code for this: their message must begin with it and name the requested model. A
    /// request may also name files, tools and other models that are not found, and such a mistake of one caller must not
    /// put the model on cooldown for all.
    fn is_unknown_model(&self) -> bool {
        self.has_identifier(&["model_not_found"])
            || self.status == Some(404)
                && self.mentions_model()
                && (self.has_identifier(&["not_found_error"]) && self.message.starts_with("model:")
                    || ["model ", "the model ", "models/", "publisher model "]
                        .iter()
                        .any(|start| self.message.starts_with(start))
                        && self.message_contains(&["not found", "does not exist"]))
    }

    fn mentions_model(&self) -> bool {
        let Some(model) = &self.model else { return true };
        let is_name_char = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        self.message.match_indices(model).any(|(start, _)| {
            let (before, after) = (&self.message[..start], &self.message[start + model.len()..]);
            !before.ends_with(is_name_char) && !after.starts_with(is_name_char)
        })
    }

    fn is_quota_exhausted(&self) -> bool {
        const QUOTA_IDENTIFIERS: [&str; 7] = [
            "insufficient_quota",
            "credit_balance_exhausted",
            "billing_error",
            "billing_hard_limit_reached",
            "billing_not_active",
            "enforced_spend_limit_reached",
            "BILLING_DISABLED",
        ];
        self.status == Some(402)
            || self.has_identifier(&QUOTA_IDENTIFIERS)
            || self.daily_quota
            || self.status == Some(400) && self.message_contains(&["credit balance is too low"])
            // Google has no code for it.
            || self.status == Some(429) && self.message_contains(&["spending cap"])
    }

    fn is_content_policy(&self) -> bool {
        self.flagged
            || self.has_identifier(&["content_filter", "content_policy_violation"])
            || self.has_identifier(&["invalid_prompt"]) && self.message_contains(&["usage policy"])
            // Anthropic has no code for it.
            || self.status == Some(400) && self.message_contains(&["blocked by content filtering policy"])
    }

    /// Where the status does not tell: Google and xAI answer 400.
    fn is_invalid_key(&self) -> bool {
        self.status == Some(400)
            && (self.has_identifier(&["API_KEY_INVALID"])
                || ["api key not valid", "incorrect api key provided"]
                    .iter()
                    .any(|start| self.message.starts_with(start)))
    }
}

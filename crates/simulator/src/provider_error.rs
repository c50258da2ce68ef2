//! The errors that providers return, whatever the API format.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};

/// A provider's error. Each API format has its own message, type, code and, for some, status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    pub(crate) reason: Reason,
    pub(crate) hints: Vec<Hint>,
    /// Replaces the API format's own words.
    pub(crate) message: Option<String>,
    /// Replaces Amazon Bedrock's type for the reason. No other API has it.
    pub(crate) aws_type: Option<&'static str>,
}

/// Why the request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Status(StatusCode),
    WrongKey,
    KeyForbidden,
    RequestTooLarge,
    ContextTooLong,
    ContentPolicy,
    InsufficientQuota,
    SpendLimit,
    Overloaded,
    /// The request carries a signature that this provider did not make.
    ForeignReasoning,
    /// `previous_response_id` names nothing that was stored.
    UnknownPreviousResponse,
    /// Another id names nothing that was stored.
    NotStored,
}

/// What the error's headers add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    RetryAfter(Duration),
    RetryAfterMs(Duration),
    RetryAfterDate(Duration),
    ResetsIn(Duration),
    Header(HeaderName, HeaderValue),
}

impl ProviderError {
    pub(crate) const fn from_reason(reason: Reason) -> Self {
        Self { reason, hints: Vec::new(), message: None, aws_type: None }
    }

    /// The provider's error for this status: for 401 a wrong key, for 404 an unknown model, and so on.
    ///
    /// Meant for 400 to 599; a status that has no error body of its own gets a plain one.
    #[must_use]
    pub const fn status(status: StatusCode) -> Self {
        Self::from_reason(Reason::Status(status))
    }

    /// Too many requests: 429.
    #[must_use]
    pub const fn rate_limited() -> Self {
        Self::status(StatusCode::TOO_MANY_REQUESTS)
    }

    /// The key is invalid: 401; Gemini's 400 with the reason `API_KEY_INVALID`.
    #[must_use]
    pub const fn wrong_key() -> Self {
        Self::from_reason(Reason::WrongKey)
    }

    /// The key may not do this: a 403 that says so.
    #[must_use]
    pub const fn key_forbidden() -> Self {
        Self::from_reason(Reason::KeyForbidden)
    }

    /// The request alone is more than the account's limit of tokens per minute: a 429 that waiting does not help.
    #[must_use]
    pub const fn request_too_large() -> Self {
        Self::from_reason(Reason::RequestTooLarge)
    }

    /// The provider does not know the model, or not for this key: 404.
    #[must_use]
    pub const fn unknown_model() -> Self {
        Self::status(StatusCode::NOT_FOUND)
    }

    /// The provider is overloaded: Anthropic's 529, OpenAI's and Gemini's 503.
    #[must_use]
    pub const fn overloaded() -> Self {
        Self::from_reason(Reason::Overloaded)
    }

    /// The prompt does not fit into the model's context: 400, OpenAI's code `context_length_exceeded`.
    #[must_use]
    pub const fn context_too_long() -> Self {
        Self::from_reason(Reason::ContextTooLong)
    }

    /// The content violates the provider's policy: 400, OpenAI's code `content_filter`.
    #[must_use]
    pub const fn content_policy() -> Self {
        Self::from_reason(Reason::ContentPolicy)
    }

    /// The account's credit is exhausted: OpenAI's 429 `insufficient_quota`, Anthropic's 402 `billing_error`, Gemini's 429
    /// with a `QuotaFailure` of the day.
    #[must_use]
    pub const fn insufficient_quota() -> Self {
        Self::from_reason(Reason::InsufficientQuota)
    }

    /// The account's own spend limit is reached: a 429 that waiting does not help; OpenAI's code `billing_hard_limit_reached`,
    /// Anthropic's `error.details.error_code` `enforced_spend_limit_reached`.
    #[must_use]
    pub const fn spend_limit() -> Self {
        Self::from_reason(Reason::SpendLimit)
    }

    /// Says it in these words.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Names its type as Amazon Bedrock does, such as `ModelNotReadyException`. Other APIs say it in their own way.
    #[must_use]
    pub const fn aws_type(mut self, name: &'static str) -> Self {
        self.aws_type = Some(name);
        self
    }

    /// Adds `retry-after` in whole seconds, rounded up. Gemini tells every wait in the body's `RetryInfo` instead.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        self.with_hint(Hint::RetryAfter(wait))
    }

    /// Adds `retry-after-ms`.
    #[must_use]
    pub fn retry_after_ms(self, wait: Duration) -> Self {
        self.with_hint(Hint::RetryAfterMs(wait))
    }

    /// Adds `retry-after` as an HTTP date, so to the next whole second.
    #[must_use]
    pub fn retry_after_date(self, wait: Duration) -> Self {
        self.with_hint(Hint::RetryAfterDate(wait))
    }

    /// Adds the API format's rate limit headers: no requests remaining, reset after `wait`; tokens remaining, reset later.
    #[must_use]
    pub fn resets_in(self, wait: Duration) -> Self {
        self.with_hint(Hint::ResetsIn(wait))
    }

    /// Adds any other header.
    #[must_use]
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.with_hint(Hint::Header(name, value))
    }

    fn with_hint(mut self, hint: Hint) -> Self {
        self.hints.push(hint);
        self
    }
}

//! The API formats of the simulator, and what they have in common.

mod anthropic;
mod openai;

use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use serde_json::Value;

use crate::provider_error::{Hint, ProviderError, Reason};
use crate::response_spec::{ResponseSpec, request_id};

/// The API format of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    Anthropic,
}

impl Dialect {
    /// Anthropic's clients always name their API's version; no other client knows that header.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        if headers.contains_key("anthropic-version") { Self::Anthropic } else { Self::OpenAi }
    }

    /// The body of a plain response.
    pub(crate) fn response_body(self, spec: &ResponseSpec<'_>) -> Bytes {
        match self {
            Self::OpenAi => openai::response_body(spec),
            Self::Anthropic => anthropic::response_body(spec),
        }
    }

    /// How many events of a stream come before its first word.
    pub(crate) fn preamble(self, spec: &ResponseSpec<'_>) -> usize {
        match self {
            Self::OpenAi => spec.choices.into(),
            Self::Anthropic => anthropic::PREAMBLE,
        }
    }

    /// The events of a stream, the end marker last, each with its blank line.
    pub(crate) fn events(self, spec: &ResponseSpec<'_>) -> Vec<Bytes> {
        match self {
            Self::OpenAi => openai::events(spec),
            Self::Anthropic => anthropic::events(spec),
        }
    }

    /// The status and the body of an error. `custom_message` replaces the provider's own.
    pub(crate) fn error(
        self,
        reason: Reason,
        model: &str,
        number: u64,
        custom_message: Option<String>,
    ) -> (StatusCode, Value) {
        match self {
            Self::OpenAi => openai::error(reason, model, custom_message),
            Self::Anthropic => anthropic::error(reason, model, number, custom_message),
        }
    }

    /// An error as an event of a stream.
    pub(crate) fn error_event(self, body: &Value) -> Bytes {
        match self {
            Self::OpenAi => format!("data: {body}\n\n"),
            Self::Anthropic => format!("event: error\ndata: {body}\n\n"),
        }
        .into()
    }

    /// An event whose data is truncated JSON.
    pub(crate) const fn garbage_event(self) -> Bytes {
        Bytes::from_static(match self {
            Self::OpenAi => b"data: {\"id\":\"chatcmpl-\n\n",
            Self::Anthropic => b"event: content_block_delta\ndata: {\"type\":\"content_bl\n\n",
        })
    }

    /// The list of models.
    pub(crate) fn models(self, scripted: Vec<String>) -> Value {
        match self {
            Self::OpenAi => openai::models(scripted),
            Self::Anthropic => anthropic::models(scripted),
        }
    }

    pub(crate) fn request_id(self, number: u64) -> (HeaderName, HeaderValue) {
        let name = match self {
            Self::OpenAi => "x-request-id",
            Self::Anthropic => "request-id",
        };
        (HeaderName::from_static(name), header_value(request_id(number)))
    }

    pub(crate) fn error_headers(self, error: &ProviderError) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for hint in &error.hints {
            match hint {
                Hint::RetryAfter(wait) => {
                    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                Hint::RetryAfterMs(wait) => {
                    headers.insert("retry-after-ms", header_value(wait.as_millis().to_string()));
                }
                Hint::RetryAfterDate(wait) => {
                    headers.insert(RETRY_AFTER, header_value(http_date(*wait)));
                }
                Hint::ResetsIn(wait) => headers.extend(self.rate_limit(*wait)),
                Hint::Header(name, value) => {
                    headers.insert(name, value.clone());
                }
            }
        }
        headers
    }

    fn rate_limit(self, wait: Duration) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let headers = match self {
            Self::OpenAi => openai::rate_limit(wait),
            Self::Anthropic => anthropic::rate_limit(wait),
        };
        headers.into_iter().map(|(name, value)| (HeaderName::from_static(name), header_value(value)))
    }
}

/// The date after `wait`, rounded up to a whole second.
fn http_date(wait: Duration) -> String {
    let then = Timestamp::now().checked_add(wait).unwrap_or(Timestamp::MAX);
    let whole =
        then.round(TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Ceil)).unwrap_or(then);
    DateTimePrinter::new().timestamp_to_rfc9110_string(&whole).unwrap_or_default()
}

/// For the simulator's own texts, which are all visible ASCII.
fn header_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("invalid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(words: usize) -> ResponseSpec<'static> {
        ResponseSpec {
            number: 1,
            created: 0,
            model: "gpt-5",
            words,
            prompt_tokens: 4,
            include_usage: false,
            choices: 1,
        }
    }

    #[test]
    fn the_text_has_the_requested_number_of_words() {
        assert_eq!(spec(0).text(), "");
        assert_eq!(spec(3).text(), "Hello from gpt-5.");
        assert_eq!(spec(5).text(), "Hello from gpt-5. Hello from");
    }

    #[test]
    fn retry_after_is_in_whole_seconds_rounded_up_or_in_milliseconds() {
        let wait = Duration::from_millis(1_200);
        let seconds = Dialect::OpenAi.error_headers(&ProviderError::rate_limited().retry_after(wait));
        assert_eq!(seconds["retry-after"], "2");
        let exact = Dialect::OpenAi.error_headers(&ProviderError::rate_limited().retry_after_ms(wait));
        assert_eq!(exact["retry-after-ms"], "1200");
    }

    #[test]
    fn a_retry_after_date_is_never_too_soon() {
        let requested_at = Timestamp::now();
        let error = ProviderError::rate_limited().retry_after_date(Duration::from_secs(60));
        let headers = Dialect::OpenAi.error_headers(&error);
        let retry_after = headers["retry-after"].to_str().unwrap();
        assert!(retry_after.ends_with(" GMT"), "{retry_after}");
        let then = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(retry_after).unwrap();
        let wait = then.duration_since(requested_at).as_secs_f64();
        assert!((60.0..62.0).contains(&wait), "{wait}");
    }

    #[test]
    fn only_the_limit_that_was_hit_has_nothing_remaining() {
        let error = ProviderError::rate_limited().resets_in(Duration::from_secs(2));
        let openai = Dialect::OpenAi.error_headers(&error);
        assert_eq!(openai["x-ratelimit-remaining-requests"], "0");
        assert_eq!(openai["x-ratelimit-reset-requests"], "2s");
        assert_ne!(openai["x-ratelimit-remaining-tokens"], "0");
        let anthropic = Dialect::Anthropic.error_headers(&error);
        assert_eq!(anthropic["anthropic-ratelimit-requests-remaining"], "0");
        assert_ne!(anthropic["anthropic-ratelimit-tokens-remaining"], "0");
        let reset: jiff::Timestamp =
            anthropic["anthropic-ratelimit-requests-reset"].to_str().unwrap().parse().unwrap();
        assert!(reset > jiff::Timestamp::now());
    }
}

//! The API formats of the simulator, and what they have in common.

mod anthropic;
mod anthropic_error;
mod bedrock_error;
mod chat;
mod converse;
mod gemini;
mod gemini_error;
mod invoke;
mod openai_error;
mod responses;
mod responses_stream;

use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use serde_json::{Value, json};

use crate::error_spec::ErrorSpec;
use crate::event_list::EventList;
use crate::event_stream;
use crate::provider_error::{Hint, ProviderError};
use crate::response_spec::{ResponseSpec, request_id};

/// The API format of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// OpenAI's Chat Completions.
    Chat,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
    /// Gemini's `generateContent`.
    Gemini,
    /// Amazon Bedrock's Converse.
    Converse,
    /// Amazon Bedrock's InvokeModel, which of a Claude has Anthropic's Messages.
    Invoke,
}

impl Dialect {
    /// Anthropic's clients always name their API's version, Gemini's have their own paths or header; no other client does so.
    pub(crate) fn of_other_request(path: &str, headers: &HeaderMap) -> Self {
        if headers.contains_key("anthropic-version") {
            Self::Anthropic
        } else if path.starts_with("/v1beta/") || headers.contains_key("x-goog-api-key") {
            Self::Gemini
        } else {
            Self::Chat
        }
    }

    /// The body of a plain response.
    pub(crate) fn response_body(self, spec: &ResponseSpec<'_>) -> Bytes {
        match self {
            Self::Chat => chat::response_body(spec),
            Self::Responses => responses::response_body(spec),
            Self::Anthropic | Self::Invoke => anthropic::response_body(spec),
            Self::Gemini => gemini::response_body(spec),
            Self::Converse => converse::response_body(spec),
        }
    }

    /// The body of a count of the prompt's tokens. Chat completions have no such count.
    pub(crate) fn token_count_body(self, spec: &ResponseSpec<'_>) -> Bytes {
        let tokens = spec.usage().input;
        let body = match self {
            Self::Chat | Self::Anthropic => json!({"input_tokens": tokens}),
            Self::Converse | Self::Invoke => json!({"inputTokens": tokens}),
            Self::Responses => json!({"object": "response.input_tokens", "input_tokens": tokens}),
            Self::Gemini => {
                let details = json!([{"modality": "TEXT", "tokenCount": tokens}]);
                json!({"totalTokens": tokens, "promptTokensDetails": details})
            }
        };
        body.to_string().into()
    }

    /// The events of a stream.
    pub(crate) fn events(self, spec: &ResponseSpec<'_>) -> EventList {
        match self {
            Self::Chat => chat::events(spec),
            Self::Responses => responses_stream::events(spec),
            Self::Anthropic => anthropic::events(spec),
            Self::Gemini => gemini::events(spec),
            Self::Converse => converse::events(spec),
            Self::Invoke => invoke::events(spec),
        }
    }

    /// The id and the body of a response that is stored.
    pub(crate) fn stored_response(self, spec: &ResponseSpec<'_>) -> Option<(String, Value)> {
        let is_stored = self == Self::Responses && spec.store;
        is_stored.then(|| (responses::response_id(spec), responses::stored_response(spec)))
    }

    /// The status and the body of an error.
    pub(crate) fn error(self, spec: ErrorSpec<'_>) -> (StatusCode, Value) {
        match self {
            Self::Chat => openai_error::error(spec, "messages"),
            Self::Responses => openai_error::error(spec, "input"),
            Self::Anthropic => anthropic_error::error(spec),
            Self::Gemini => gemini_error::error(spec),
            Self::Converse | Self::Invoke => bedrock_error::error(spec),
        }
    }

    /// An error as the body of a plain response under a 200.
    pub(crate) fn error_in_success(self, spec: &ResponseSpec<'_>, error_body: Value) -> Value {
        match self {
            Self::Responses => responses::failed_response(spec, &error_body),
            Self::Chat | Self::Anthropic | Self::Gemini | Self::Converse | Self::Invoke => error_body,
        }
    }

    /// An error as the last event of a stream, after so many others.
    pub(crate) fn error_event(
        self,
        spec: &ResponseSpec<'_>,
        (error, status, body): (&ProviderError, StatusCode, &Value),
        after: usize,
    ) -> Bytes {
        match self {
            Self::Converse | Self::Invoke => {
                event_stream::exception(&bedrock_error::exception(error, status), &body.to_string())
            }
            Self::Chat | Self::Gemini => format!("data: {body}\n\n").into(),
            Self::Responses => responses_stream::error_event(spec, body, after),
            Self::Anthropic => format!("event: error\ndata: {body}\n\n").into(),
        }
    }

    /// An event whose data is truncated JSON; of Bedrock's, one whose checksum is wrong.
    pub(crate) fn garbage_event(self) -> Bytes {
        Bytes::from_static(match self {
            Self::Chat => b"data: {\"id\":\"chatcmpl-\n\n",
            Self::Responses => b"event: response.output_text.delta\ndata: {\"type\":\"response.outp\n\n",
            Self::Anthropic => b"event: content_block_delta\ndata: {\"type\":\"content_bl\n\n",
            Self::Gemini => b"data: {\"candidates\":[{\"cont\n\n",
            Self::Converse | Self::Invoke => return event_stream::damaged(&self.foreign_event()),
        })
    }

    /// What keeps a stream open and says nothing. Gemini's clients take no comments.
    pub(crate) fn idle_event(self) -> Bytes {
        Bytes::from_static(match self {
            Self::Gemini => b"data: {}\n\n",
            Self::Chat | Self::Responses | Self::Anthropic => b": still here\n\n",
            Self::Converse | Self::Invoke => return self.foreign_event(),
        })
    }

    /// What compatible servers put between the events of an answer, as far as the official SDKs do not mind it.
    pub(crate) fn foreign_event(self) -> Bytes {
        Bytes::from_static(match self {
            Self::Chat => b"data: {\"object\":\"trace\",\"choices\":[],\"error\":{}}\n\n",
            Self::Responses => b"event: ping\ndata: {\"type\":\"ping\",\"error\":{}}\n\n",
            Self::Anthropic => b"event: ping\ndata: {}\n\ndata: [DONE]\n\n",
            Self::Gemini => b"data: {\"candidates\":[],\"error\":null}\n\n",
            Self::Converse => return event_stream::event("newEvent", r#"{"p":"abc"}"#),
            Self::Invoke => return event_stream::event("chunk", r#"{"p":"abc"}"#),
        })
    }

    /// Whether a stream consists of AWS's messages instead of server-sent events.
    pub(crate) const fn is_binary(self) -> bool {
        matches!(self, Self::Converse | Self::Invoke)
    }

    /// The header with an error's type, if the API has one.
    pub(crate) fn error_type(self, error: &ProviderError) -> Option<(HeaderName, HeaderValue)> {
        const NAMESPACE: &str = "http://internal.amazon.com/coral/com.amazon.bedrock/";
        let name = HeaderName::from_static("x-amzn-errortype");
        let value = || header_value(format!("{}:{NAMESPACE}", bedrock_error::error_type(error)));
        self.is_binary().then(|| (name, value()))
    }

    /// The events of a stream as a JSON array instead, which only Gemini has.
    pub(crate) fn to_array_elements(self, events: Vec<Bytes>, is_closed: bool) -> Vec<Bytes> {
        gemini::to_array_elements(events, is_closed)
    }

    /// The list of models.
    pub(crate) fn models(self, scripted: Vec<String>) -> Value {
        match self {
            Self::Chat | Self::Responses => openai_error::models(scripted),
            Self::Anthropic => anthropic_error::models(scripted),
            Self::Gemini => gemini_error::models(scripted),
            // Another host of AWS's has them.
            Self::Converse | Self::Invoke => json!({}),
        }
    }

    /// The header with the request's id, if the API has one.
    pub(crate) fn request_id(self, number: u64) -> Option<(HeaderName, HeaderValue)> {
        let name = match self {
            Self::Chat | Self::Responses => "x-request-id",
            Self::Anthropic => "request-id",
            Self::Gemini => return None,
            Self::Converse | Self::Invoke => "x-amzn-requestid",
        };
        Some((HeaderName::from_static(name), header_value(request_id(number))))
    }

    pub(crate) fn error_headers(self, error: &ProviderError) -> HeaderMap {
        let mut headers = HeaderMap::from_iter(self.error_type(error));
        for hint in &error.hints {
            match hint {
                Hint::Header(name, value) => {
                    headers.insert(name, value.clone());
                }
                // Its body says how long to wait.
                _ if self == Self::Gemini => {}
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
            }
        }
        headers
    }

    fn rate_limit(self, wait: Duration) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let headers = match self {
            Self::Chat | Self::Responses => openai_error::rate_limit(wait),
            Self::Anthropic => anthropic_error::rate_limit(wait),
            Self::Gemini | Self::Converse | Self::Invoke => Vec::new(),
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
    use crate::content::Content;

    static TEXT_ONLY: Content = Content::new();

    fn spec(words: usize) -> ResponseSpec<'static> {
        ResponseSpec {
            number: 1,
            created: 0,
            model: "gpt-5",
            words,
            content: &TEXT_ONLY,
            prompt_tokens: 4,
            include_usage: false,
            choices: 1,
            simulator: "simulator",
            store: false,
            previous_response_id: None,
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
        let seconds = Dialect::Chat.error_headers(&ProviderError::rate_limited().retry_after(wait));
        assert_eq!(seconds["retry-after"], "2");
        let exact = Dialect::Chat.error_headers(&ProviderError::rate_limited().retry_after_ms(wait));
        assert_eq!(exact["retry-after-ms"], "1200");
    }

    #[test]
    fn a_retry_after_date_is_never_too_soon() {
        let requested_at = Timestamp::now();
        let error = ProviderError::rate_limited().retry_after_date(Duration::from_secs(60));
        let headers = Dialect::Chat.error_headers(&error);
        let retry_after = headers["retry-after"].to_str().unwrap();
        assert!(retry_after.ends_with(" GMT"), "{retry_after}");
        let then = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(retry_after).unwrap();
        let wait = then.duration_since(requested_at).as_secs_f64();
        assert!((60.0..62.0).contains(&wait), "{wait}");
    }

    #[test]
    fn only_the_limit_that_was_hit_has_nothing_remaining() {
        let error = ProviderError::rate_limited().resets_in(Duration::from_secs(2));
        let openai = Dialect::Chat.error_headers(&error);
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

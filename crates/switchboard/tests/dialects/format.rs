//! The API formats, as callers and as providers. No caller has Converse.

use std::fmt;

use dialects::Dialect;
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Format {
    Chat,
    Responses,
    Messages,
    Gemini,
    Converse,
}

impl Format {
    /// Those of callers.
    pub(crate) const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Gemini];

    /// Those of providers, in the order of the page's columns.
    pub(crate) const PROVIDERS: [Self; 5] =
        [Self::Chat, Self::Responses, Self::Messages, Self::Gemini, Self::Converse];

    /// As the page and the folders name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Gemini => "gemini",
            Self::Converse => "converse",
        }
    }

    /// The heading of the page's columns.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Chat => "OpenAI Chat Completions",
            Self::Responses => "OpenAI Responses",
            Self::Messages => "Anthropic Messages",
            Self::Gemini => "Gemini",
            Self::Converse => "Amazon Bedrock Converse",
        }
    }

    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Chat => Dialect::OpenAiChat,
            Self::Responses => Dialect::OpenAiResponses,
            Self::Messages => Dialect::Anthropic,
            Self::Gemini => Dialect::Gemini,
            Self::Converse => Dialect::BedrockConverse,
        }
    }

    /// The path of a call; the query is a stream's.
    pub(crate) fn path(self, version: &str, model: &str, stream: bool) -> String {
        match (self, stream) {
            (Self::Chat, _) => "/v1/chat/completions".to_owned(),
            (Self::Responses, _) => "/v1/responses".to_owned(),
            (Self::Messages, _) => "/v1/messages".to_owned(),
            (Self::Gemini, false) => format!("/{version}/models/{model}:generateContent"),
            (Self::Gemini, true) => format!("/{version}/models/{model}:streamGenerateContent?alt=sse"),
            (Self::Converse, false) => format!("/model/{model}/converse"),
            (Self::Converse, true) => format!("/model/{model}/converse-stream"),
        }
    }

    /// Completes a request: the model and the wish for a stream, where they are in the body.
    pub(crate) fn address(self, mut body: Value, model: &str, stream: bool) -> Value {
        if !matches!(self, Self::Gemini | Self::Converse) {
            body["model"] = json!(model);
            if stream {
                body["stream"] = json!(true);
            }
        }
        if self == Self::Chat && stream {
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

//! The endpoints that models are called by.

use crate::dialect::Dialect;
use crate::openai_call::OpenAiCall;

/// An endpoint that models are called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`.
    ChatCompletions,
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/responses/input_tokens`: counts the tokens of a request.
    ResponsesInputTokens,
    /// `POST /v1/responses/compact`: shortens a conversation.
    ResponsesCompact,
    /// `POST /v1/messages`.
    Messages,
    /// `POST /v1/messages/count_tokens`: counts the tokens of a request.
    CountTokens,
    /// `POST /v1beta/models/{model}:generateContent`, and its streamed form `:streamGenerateContent`.
    GenerateContent,
    /// `POST /v1beta/models/{model}:countTokens`: counts the tokens of a request.
    GeminiCountTokens,
    /// `POST /model/{model}/converse` of Amazon Bedrock, and its streamed form `/converse-stream`.
    Converse,
    /// `POST /model/{model}/count-tokens` of Amazon Bedrock, with a request of Converse: counts its tokens.
    ConverseCountTokens,
    /// One of OpenAI's calls that are no conversation.
    OpenAi(OpenAiCall),
}

impl Endpoint {
    /// The path at which the gateway serves it; of Converse, which it does not serve, the path at Amazon Bedrock. Where
    /// the path names the model, it is a template with `{model}`.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::ResponsesInputTokens => "/v1/responses/input_tokens",
            Self::ResponsesCompact => "/v1/responses/compact",
            Self::Messages => "/v1/messages",
            Self::CountTokens => "/v1/messages/count_tokens",
            Self::GenerateContent => "/v1beta/models/{model}:generateContent",
            Self::GeminiCountTokens => "/v1beta/models/{model}:countTokens",
            Self::Converse => "/model/{model}/converse",
            Self::ConverseCountTokens => "/model/{model}/count-tokens",
            Self::OpenAi(call) => call.path(),
        }
    }

    /// Its API format; of OpenAI's calls that are no conversation, the format of their errors.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::ChatCompletions | Self::OpenAi(_) => Dialect::OpenAiChat,
            Self::Responses | Self::ResponsesInputTokens | Self::ResponsesCompact => Dialect::OpenAiResponses,
            Self::Messages | Self::CountTokens => Dialect::Anthropic,
            Self::GenerateContent | Self::GeminiCountTokens => Dialect::Gemini,
            Self::Converse | Self::ConverseCountTokens => Dialect::BedrockConverse,
        }
    }

    /// The call of OpenAI's that is no conversation.
    #[must_use]
    pub const fn openai_call(self) -> Option<OpenAiCall> {
        match self {
            Self::OpenAi(call) => Some(call),
            _ => None,
        }
    }

    /// Whether a model answers a conversation there: neither a count of tokens nor the compaction of a conversation.
    #[must_use]
    pub const fn is_generation(self) -> bool {
        matches!(
            self,
            Self::ChatCompletions | Self::Responses | Self::Messages | Self::GenerateContent | Self::Converse
        )
    }

    /// The endpoint of an API format where a model answers.
    #[must_use]
    pub const fn generation(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenAiChat => Self::ChatCompletions,
            Dialect::OpenAiResponses => Self::Responses,
            Dialect::Anthropic => Self::Messages,
            Dialect::Gemini => Self::GenerateContent,
            Dialect::BedrockConverse => Self::Converse,
        }
    }

    /// The endpoint of an API format that counts the tokens of a request; `None`: it has none.
    #[must_use]
    pub const fn count(dialect: Dialect) -> Option<Self> {
        match dialect {
            Dialect::OpenAiChat => None,
            Dialect::OpenAiResponses => Some(Self::ResponsesInputTokens),
            Dialect::Anthropic => Some(Self::CountTokens),
            Dialect::Gemini => Some(Self::GeminiCountTokens),
            Dialect::BedrockConverse => Some(Self::ConverseCountTokens),
        }
    }

    /// Whether it counts the tokens of a request instead of answering it.
    #[must_use]
    pub const fn is_count(self) -> bool {
        matches!(
            self,
            Self::ResponsesInputTokens
                | Self::CountTokens
                | Self::GeminiCountTokens
                | Self::ConverseCountTokens
        )
    }
}
